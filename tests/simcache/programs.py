"""Programs that a test starts for real, sends signals to and ends: Python in a folder of its own, and waits with a bound."""

import ast
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

from tests.simcache.stored import environment

PATIENCE = 30.0
"""Seconds after which something that should happen has failed to; only a stalled machine comes near."""

TICKS = """
import os
def tick(text="x"):
    with open("ticks", "a") as file:
        file.write(f"{text}\\n")
"""
"""What a program does to be counted: a line in a file beside it, whatever becomes of the program."""


class Programs:
    """A folder with modules, and the Python processes that run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        self._started: list[subprocess.Popen[str]] = []
        self.write("simcache.toml", 'store = "store"\n')

    def write(self, name: str, text: str) -> Path:
        """A file of the project; modules may be indented as they stand in a test."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")
        return path

    def start(self, *command: str | Path, **variables: str) -> "subprocess.Popen[str]":
        """A program: a script of the folder with its arguments, or `-c` and some code."""
        program = subprocess.Popen(
            [sys.executable, *map(str, command)],
            cwd=self.folder,
            env={**environment(self.folder), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(program)
        return program

    def run(self, *command: str | Path, **variables: str) -> str:
        """What a program prints that ends well, and says nothing else."""
        out, err = finish(program := self.start(*command, **variables))

        assert (0, "") == (program.returncode, err), err
        return out.strip()

    def ask(self, expression: str, module: str = "model", variables: dict[str, str] | None = None) -> Any:
        """The value of an expression in a module, in a process of its own: whatever can be written down."""
        return ast.literal_eval(self.run("-c", f"from {module} import *; print(repr(({expression})))", **(variables or {})))

    def ticks(self) -> list[str]:
        """What was computed so far, by whomever."""
        path = self.folder / "ticks"
        return path.read_text("utf-8").split() if path.is_file() else []

    def wait_for_tick(self, text: str, count: int = 1) -> None:
        wait_for(lambda: self.ticks().count(text) >= count)

    def end(self) -> None:
        for program in self._started:
            program.kill()
            program.communicate()


@contextmanager
def programs_in(folder: Path) -> Iterator[Programs]:
    """Programs that are all ended when the test is over."""
    programs = Programs(folder)
    try:
        yield programs
    finally:
        programs.end()


def finish(program: "subprocess.Popen[str]") -> tuple[str, str]:
    """What a program prints and complains, once it has ended."""
    return program.communicate(timeout=PATIENCE)


def wait_for(condition: Callable[[], object]) -> None:
    """Go on as soon as this is so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
