"""Programs of others that take their turns in processes of their own, with a Python that has them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, cast

from arz import Scenario
from benchmarks.measure import HERE

VARIABLE = "PEERS_PYTHON"


def python_of_peers() -> str | None:
    """The Python that has them, as the environment names it."""
    named = os.environ.get(VARIABLE)
    if not named:
        told = f"{VARIABLE} is not set: UXsim and SUMO take no turns; let it name the Python of an environment with `pip install uxsim"
        print(f"{told} eclipse-sumo libsumo sumo-rl`", file=sys.stderr)
    return named


def uxsim(python: str, *arguments: str) -> float:
    """Times real time, told by a process of its own, which does not count its start."""
    done = subprocess.run([python, str(HERE / "peer_uxsim.py"), *arguments], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


@contextmanager
def sumo_rl(python: str, scenario: Scenario, *, decisions: int, within: bool) -> Iterator[Callable[[], float]]:
    """A way that gives decisions a second in sumo-rl: SUMO as a process beside it, or `within` its own, which is faster."""
    environment = {name: value for name, value in os.environ.items() if name != "LIBSUMO_AS_TRACI"}
    if within:
        environment["LIBSUMO_AS_TRACI"] = "1"
    program = [python, str(HERE / "peer_sumo.py")]
    pipes = partial(subprocess.Popen, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with pipes(program, env=environment) as process:
        questions, answers = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)

        def rate() -> float:
            print(decisions, file=questions, flush=True)
            answer = answers.readline().split()
            if not answer:
                sys.exit(f"sumo-rl ended without an answer: run `{' '.join(program)}` by hand to see why")
            return float(answer[0])

        print(scenario.model_dump_json(), file=questions)
        yield rate
        questions.close()
