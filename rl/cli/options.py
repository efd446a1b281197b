"""What commands share: how an experiment is named and changed, how times are read, how an answer is printed."""

import json
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from rl.cli.root import RESUMABLE, Told

if TYPE_CHECKING:
    from rl.experiment import Experiment

_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([a-z]*)")

json_option = click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document.")
set_option = click.option(
    "--set", "changes", multiple=True, metavar="PATH=VALUE", help="Another value for a field, as in --set training.algorithm.gamma=0.95."
)


class Span(click.ParamType[float]):
    """A length of time in seconds, as in 90, 90s, 5min, 8h30m."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).strip().lower()
        parts = _PART.findall(text)
        fits = "".join(number + unit for number, unit in parts) == text and all(unit in {*_SECONDS, ""} for _, unit in parts)
        seconds = sum(float(number) * _SECONDS.get(unit, 1.0) for number, unit in parts)
        if not fits or not seconds > 0:
            self.fail(f"{value!r} is no time above 0: write it as 90s, 5min or 8h30m", param, ctx)
        return seconds


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
        except ValueError:
            given[name.strip()] = value
    made = read(target)
    return changed(made, given) if given else made


def emit(plain: Any, lines: Callable[[], Sequence[str]], *, as_json: bool) -> None:
    """Print an answer: as one JSON document, or as lines for a person."""
    if as_json:
        click.echo(json.dumps(plain, indent=2))
        return
    for line in lines():
        click.echo(line)


def say(line: str) -> None:
    """What goes on, for a person and for the log of a cluster; answers go to stdout."""
    click.echo(line, err=True)
    sys.stderr.flush()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows in columns as wide as they need; numbers, in all but the first, end flush."""
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head))]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width) for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]


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
