"""What commands share: how an experiment is named and changed, how they end when they are told to."""

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from rl.cli.root import RESUMABLE, Told

if TYPE_CHECKING:
    from rl.experiment import Experiment

set_option = click.option(
    "--set", "changes", multiple=True, metavar="PATH=VALUE", help="Another value for a field, as in --set training.algorithm.gamma=0.95."
)


def experiment_of(target: str, changes: Sequence[str] = (), **fields: Any) -> "Experiment":
    """The experiment of this name or file, with these changes; fields that are None stay as they are."""
    from rl.experiment import changed, read

    given: dict[str, Any] = {name: value for name, value in fields.items() if value not in (None, ())}
    for text in changes:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise Told(f"--set {text}: write it as PATH=VALUE")
        try:
            given[name.strip()] = json.loads(value)
        except (ValueError, RecursionError):
            given[name.strip()] = value
    made = read(target)
    return changed(made, given) if given else made


def require_folder(option: str, path: str | None) -> None:
    """Refused, before anything is computed, where the file could not be written afterwards."""
    if path is not None and (Path(path).is_dir() or not Path(path).parent.is_dir()):
        raise Told(f"{option} {path}: name a file in a folder that is there")


def require_ending(option: str, path: str | None, endings: Sequence[str]) -> None:
    """Refused, before anything is computed, where the end of the name says another kind of file."""
    if path is not None and Path(path).suffix.lower() not in endings:
        raise Told(f"{option} {path}: end it with {' or '.join(endings)}")


def say(line: str) -> None:
    """What goes on, for a person and for the log of a cluster; answers go to stdout."""
    click.echo(line, err=True)
    sys.stderr.flush()


@contextmanager
def resumable() -> Iterator[None]:
    """SIGTERM ends the command with 75, after the window at hand was kept."""

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise Told("told to end; everything up to the last checkpoint is kept, and the same command goes on", RESUMABLE)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
