"""`run`: a scenario from the shell, stopped by a time limit or a signal, and gone on with."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

import click

from arz.cli.options import changed, device_option, emit, json_option, option_option, pairs, scenario_of, set_option
from arz.cli.progress import Bar
from arz.cli.root import RESUMABLE, Told
from arz.cli.tables import result_lines, summary
from arz.cli.words import Span

if TYPE_CHECKING:
    from arz.result import Result
    from arz.world.scenario import Scenario

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@click.command(name="run", epilog="Example: python -m arz run victoria_island -o demand=1.2 --set horizon_s=900 --out island.npz")
@click.argument("target", metavar="SCENARIO", required=False)
@option_option
@set_option
@click.option(
    "--out", metavar="PATH", help="Where the result goes: NAME.npz (whole), NAME.zarr, or a folder of CSV tables named with a / at its end."
)
@click.option("--every", "every_s", type=Span(), metavar="TIME", help="How often to tell about it; else at every decision.")
@click.option(
    "--timeout", "timeout_seconds", type=Span(), metavar="TIME", help="Stop after so long, with what there is by then (exit code 75)."
)
@click.option(
    "--resume", "resume_path", metavar="RESULT.npz", help="Go on where this result stopped; it is its own --out unless told otherwise."
)
@device_option
@click.option("--dtype", type=click.Choice(["float32", "float64"]), help="Of the cells; else float32, or what the resumed result has.")
@json_option
def run_scenario(
    target: str | None,
    options: Sequence[str],
    changes: Sequence[str],
    out: str | None,
    every_s: float | None,
    timeout_seconds: float | None,
    resume_path: str | None,
    device: str,
    dtype: str | None,
    *,
    as_json: bool,
) -> None:
    """Run a scenario and print what became of it.

    SCENARIO is the name of a ready one or a JSON file. A run that is stopped, by --timeout or a signal, writes what it has, and does not
    exit with 0; with --resume it goes on from there, bit for bit as if it had never stopped.
    """
    if (target is None) == (resume_path is None):
        raise Told("name a scenario, or a result with --resume: one of the two")
    place = resume_path if out is None else out
    with _stopped_by_signal() as came:
        from arz.engine.backends.registry import AUTO, chosen
        from arz.errors import Unstable
        from arz.result import Result
        from arz.running import run

        write = _writer(place)
        earlier = Result.load(resume_path) if resume_path is not None else None
        scenario = scenario_of(target or "", options, changes) if earlier is None else _continued(earlier, options, changes)
        taken = chosen(device)
        if device == AUTO:
            click.echo(f"{device}: {taken}", err=True)
        bar = Bar(scenario.name)
        try:
            result = run(
                scenario,
                device=taken,
                dtype=dtype,
                every_s=every_s,
                timeout_seconds=timeout_seconds,
                resume=earlier,
                progress=bar,
                compiling=bar.compiling,
                stop=lambda: bool(came),
            )
        except Unstable as problem:
            if not isinstance(problem.result, Result) or place is None:
                raise
            write(problem.result)
            raise Told(f"{problem}; the result up to {problem.result.time_s:g} s is in {place}", 1) from None
        finally:
            bar.clear()
        write(result)
    emit(summary(result) | {"out": place}, lambda: [*result_lines(result, roads=None), *_onward(result, place)], as_json=as_json)
    if came and not result.complete:
        raise SystemExit(128 + came[0])
    if not result.complete:
        raise SystemExit(RESUMABLE)


def _continued(earlier: "Result", options: Sequence[str], changes: Sequence[str]) -> "Scenario":
    """The scenario of a result that goes on; its end may be put off."""
    given = pairs("--set", changes)
    if options or set(given) - {"horizon_s"}:
        raise Told("a resumed run keeps its scenario: nothing but --set horizon_s=… can be changed")
    return changed(earlier.scenario, given)


def _onward(result: "Result", place: str | None) -> list[str]:
    """Where the result is, and how to go on with one that is not complete."""
    lines = [f"written to {place}"] if place is not None else []
    if not result.complete and place is not None and place.endswith(".npz"):
        return [*lines, f"stopped before its end; go on with: python -m arz run --resume {place}"]
    return lines if result.complete else [*lines, "stopped before its end; with --out NAME.npz it could go on from here"]


def _writer(place: str | None) -> Callable[["Result"], None]:
    """What writes a result to this place, which is looked at before anything is computed."""
    if place is None:
        return lambda _: None
    kind = Path(place).suffix
    folder = place.endswith(("/", os.sep)) or os.path.isdir(place)
    if kind not in {".npz", ".zarr"} and not folder:
        raise Told(f"--out {place}: end it with .npz, .zarr, or / for a folder of CSV tables")
    parent = Path(place).resolve().parent
    if not parent.is_dir():
        raise Told(f"--out {place}: there is no folder {parent}: make it first")
    taken = os.path.isdir(place) if kind == ".npz" else folder and os.path.lexists(place.rstrip("/" + os.sep)) and not os.path.isdir(place)
    if not os.access(parent, os.W_OK) or taken:
        raise Told(f"--out {place}: it cannot be written there: choose another place")
    if kind == ".npz":
        return lambda result: result.save(place)
    return (lambda result: result.to_zarr(place)) if kind == ".zarr" else (lambda result: result.to_csv(place))


@contextmanager
def _stopped_by_signal() -> Iterator[list[int]]:
    """The signals that asked to stop, as they come; the same signal a second time does what it does elsewhere."""
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        came.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in _SIGNALS:
        signal.signal(number, stop)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
