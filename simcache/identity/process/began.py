"""When this process began: what it has loaded is from then on, and what another one wrote down since may say nothing of it."""

import os
import time


def _began() -> int:
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])  # after the name, which may hold anything
        since_boot = ticks / os.sysconf("SC_CLK_TCK")
        return time.time_ns() - int((time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot) * 1e9)
    except (OSError, ValueError, IndexError, AttributeError):
        return 0


BEGAN = _began()
"""In ns since the epoch; 0 where the system does not tell. A process that was forked has the time of the one that loaded things for it."""
LOADING = BEGAN or time.time_ns()
"""Since when it may have loaded something: where the system does not tell, since it loaded this."""
