"""When this process began: what it has loaded is from then on, what another one wrote down since may say nothing of it."""

import os
import time


def _began() -> float:
    now = time.time()
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])  # after the name, which may hold anything
        return now - (time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, AttributeError, IndexError, ValueError):  # no Linux: from here on, as it loads this
        return now


BEGAN = _began()
"""By the clock of this machine. A process that was forked has the time of the one that loaded things for it."""
