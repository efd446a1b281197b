"""`validate` and `bench`: is it right, and how fast is it here."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from arz.cli.options import device_option, emit, json_option, option_option, scenario_of, set_option
from arz.cli.progress import Bar
from arz.cli.root import Told
from arz.cli.words import Span, counted, number, table

if TYPE_CHECKING:
    from arz.bench import Throughput
    from arz.validate.base import Table


@click.command(name="validate", epilog="Example: python -m arz validate 'leak, order 2' transmission --out validation.md")
@click.argument("cases", nargs=-1, metavar="[CASE]...")
@click.option("--out", "outs", multiple=True, metavar="FILE", help="Write the table there: as a page (.md) or as data (.json).")
@json_option
def validate_solver(cases: Sequence[str], outs: Sequence[str], *, as_json: bool) -> None:
    """Hold the solver against exact solutions, balances and limits.

    Every figure is computed here and now, of all cases or of those named; all of them take some minutes. A CASE is a name, in quotes because
    it has spaces, or a beginning that only one name has. The exit code is 1 if a bound is not kept.
    """
    for out in outs:
        if not out.endswith((".md", ".json")):
            raise Told(f"--out {out}: end it with .md or .json")
        if not os.path.isdir(os.path.dirname(out) or "."):
            raise Told(f"--out {out}: there is no such folder: make it first")

    from arz.validate.suite import validate

    bar = Bar("validation", unit=lambda done: f"{done:.0f} cases")
    try:
        proof = validate(bar, cases or None)
    finally:
        bar.clear()
    for out in outs:
        _write(proof, out)
    emit(proof.plain(), lambda: [*_verdicts(proof), *(f"written to {out}" for out in outs)], as_json=as_json)
    if not proof.ok:
        raise SystemExit(1)


def _write(proof: "Table", out: str) -> None:
    from arz.validate.page import page

    text = page(proof) if out.endswith(".md") else json.dumps(proof.plain(), indent=1, ensure_ascii=False) + "\n"
    with open(out, "w", encoding="utf-8") as file:
        file.write(text)


def _verdicts(proof: "Table") -> list[str]:
    rows = [(row.case, "yes" if row.met else "NO", f"{row.group}: {row.about}") for row in proof.rows]
    kept = f"{proof.bounds - len(proof.misses)} of {counted(proof.bounds, 'bound')} kept"
    return [*table(("case", "holds", "what"), rows), "", f"{counted(len(proof.rows), 'case')}, {kept}", *proof.misses]


@click.command(name="bench", epilog="Example: python -m arz bench grid -o n=20 -o m=20 --worlds 8 --set scheme.order=1")
@click.argument("target", metavar="SCENARIO", default="victoria_island")
@option_option
@set_option
@click.option("--worlds", type=click.IntRange(min=1), default=64, show_default=True, help="How many at once, each with a seed of its own.")
@device_option
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@click.option("--seconds", type=Span(), default=3.0, show_default=True, help="How long to measure, beyond compiling.")
@json_option
def bench_solver(
    target: str,
    options: Sequence[str],
    changes: Sequence[str],
    worlds: int,
    device: str,
    threads: int,
    dtype: str,
    seconds: float,
    *,
    as_json: bool,
) -> None:
    """Measure how fast a scenario is computed on this machine.

    Beside it runs a plain loop of multiply-adds, so that figures of different machines and busy hours can be compared.
    """
    from arz.bench import bench

    measured = bench(scenario_of(target, options, changes), worlds, device=device, dtype=dtype, threads=threads, seconds=seconds)
    plain = asdict(measured) | {"multiply_adds_per_update": measured.multiply_adds_per_update}
    emit(plain, lambda: _speeds(measured), as_json=as_json)


def _speeds(measured: "Throughput") -> list[str]:
    worlds, threads = counted(measured.worlds, "world"), counted(measured.threads, "thread")
    where = threads if measured.device == "cpu" else measured.device
    return [
        f"{measured.scenario}: {counted(measured.cells, 'cell')} × {worlds}, order {measured.order}, {measured.dtype}, {where}",
        f"  {number(measured.updates_per_s / 1e6)} million cell updates a second, the median of {measured.samples}",
        f"  each takes as long as {number(measured.multiply_adds_per_update)} multiply-adds of a plain loop, measured in turns with them",
        f"  {number(measured.decisions_per_s)} control intervals a second; {number(measured.real_time)} × real time",
        *_travelled(measured),
    ]


def _travelled(measured: "Throughput") -> list[str]:
    """Nothing, where the device is the host."""
    if not measured.launches:
        return []
    into, out = number(measured.bytes_in / measured.worlds), number(measured.bytes_out / measured.worlds)
    return [
        f"  an interval of a world takes {into} bytes to the device and {out} back; all worlds together {number(measured.launches)} launches"
    ]
