"""A training that is cut by SIGTERM and resumed in another process: the same bits as the training that nobody cut."""

import os
import subprocess
import sys
import time
from tempfile import TemporaryDirectory

from rl.cached import training
from rl.experiment import Training
from rl.task import TaskSpec
from simcache import Cache, cached

TASK = TaskSpec(scenario="corridor", options={"crossings": 1}, horizon_s=300.0, agents="shared")
HOW = Training.load('{"algorithm": {"kind": "dqn", "net": [16], "learning_starts": 80, "batch": 32}, "worlds": 4, "window_steps": 80}')
WINDOWS = 6


def main() -> None:
    folder = TemporaryDirectory()
    os.environ["SIMCACHE_STORE"] = f"{folder.name}/store"
    run = training(TASK, HOW, seed=1)
    other = subprocess.Popen([sys.executable, __file__, "cut"])
    while run.stored < 2 and other.poll() is None:
        time.sleep(0.01)
    other.terminate()
    other.wait()
    kept = run.stored
    print(f"SIGTERM: the window at hand was finished, {kept} windows are kept")

    windows = max(WINDOWS, kept + 1)
    run.take(windows)
    print(f"the rest: {windows - kept} windows computed here, from the state that was kept")

    straight = cached(every=1, ignore=("pulse",), cache=Cache(f"{folder.name}/straight"))(training.compute)(TASK, HOW, seed=1)
    straight.take(windows)
    ours, theirs = ([entry.blobs for entry in each.segments[:WINDOWS]] for each in (run, straight))
    assert ours == theirs
    print(f"cut and resumed equals straight, bit for bit: {len(ours)} windows and the state after each")

    other_rate = training(TASK, Training.load(HOW.model_dump_json().replace("0.001", "0.002")), seed=1)
    print(f"another learning rate is another training: {other_rate.stored} windows of it are stored")


if __name__ == "__main__":
    if "cut" in sys.argv:
        training(TASK, HOW, seed=1).take(100)
    else:
        main()
