"""`evaluate`, `compare` and `run`: measured on the same days, set beside each other, and everything at once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rl.cli.loading import load
from rl.cli.options import experiment_of, require_ending, require_folder, resumable, say, set_option
from rl.cli.root import RESUMABLE, Told
from rl.cli.store import tell_store
from simcache.cli.options import emit, json_option

if TYPE_CHECKING:
    from rl.compare import Outcome
    from rl.experiment import Experiment
    from rl.pipeline import Clock


@click.command(epilog="Example: rl evaluate quick --out quick.result.json")
@click.argument("target", metavar="EXPERIMENT")
@click.option("--out", metavar="FILE.json", help="Also write what was measured there, for `rl compare`.")
@set_option
@json_option
def evaluate(target: str, out: str | None, changes: Sequence[str], *, as_json: bool) -> None:
    """Measure the baselines and every training on the held-out days; what is not trained yet is trained first."""
    require_folder("--out", out)
    require_ending("--out", out, (".json",))  # by which `rl compare` knows a result
    experiment = experiment_of(target, changes)
    tell_store()
    with resumable():
        outcome = outcome_of(experiment)
    _require_rows(outcome, target)
    if out is not None:
        Path(out).write_text(outcome.model_dump_json(indent=1), encoding="utf-8")
    _print(outcome, None, as_json=as_json)
    if not outcome.complete:
        raise _late([target])


@click.command(epilog="Example: rl compare quick other.json --picture comparison.png")
@click.argument("targets", metavar="EXPERIMENT|RESULT...", nargs=-1, required=True)
@click.option("--reference", metavar="NAME", help="The row that the others are compared with; else the baseline with the least delay.")
@click.option("--picture", metavar="FILE.png", help="Also draw the comparison.")
@json_option
def compare(targets: Sequence[str], reference: str | None, picture: str | None, *, as_json: bool) -> None:
    """One table of several experiments, or results that `evaluate --out` wrote.

    Each number is a mean over the held-out days with its 95 % confidence interval; differences are taken day by day. Runs whose days,
    demand or horizon differ are refused.
    """
    from rl.compare import together
    from rl.experiment import Experiment

    require_folder("--picture", picture)
    require_ending("--picture", picture, (".png", ".pdf", ".svg"))
    asked = [_asked(target) for target in targets]
    if reference is not None:
        _require_reference(reference, asked, targets)
    if any(isinstance(one, Experiment) for one in asked):
        tell_store()
    with resumable():
        each = [outcome_of(one) if isinstance(one, Experiment) else one for one in asked]
    for one, target in zip(each, targets, strict=True):
        _require_rows(one, target)
    outcome = together(each, targets)
    if picture is not None:
        from rl.plots import comparison

        comparison(outcome, reference, path=picture)
    _print(outcome, reference, as_json=as_json)
    if late := [target for one, target in zip(each, targets, strict=True) if not one.complete]:
        raise _late(late)


@click.command(name="run", epilog="Example: rl run --all --jobs 2")
@click.argument("targets", metavar="EXPERIMENT...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Lights, meters and signs: the presets quick, ramp_metering and speed_limits.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes at once; each key is computed by one.")
@json_option
def run_all(targets: Sequence[str], jobs: int, *, everything: bool, as_json: bool) -> None:
    """Train and evaluate several experiments, in several processes at once."""
    from rl.experiment import SCENARIOS

    names = list(dict.fromkeys([*targets, *(SCENARIOS if everything else ())]))
    if not names:
        raise Told("name experiments, or say --all")
    experiments = [experiment_of(name) for name in names]
    tell_store()
    with resumable():
        outcomes = _all(experiments, jobs)
    for each, outcome in zip(experiments, outcomes, strict=True):
        _require_rows(outcome, each.name)
    if as_json:
        click.echo(json.dumps({each.name: plain(outcome, None) for each, outcome in zip(experiments, outcomes, strict=True)}, indent=2))
    else:
        for each, outcome in zip(experiments, outcomes, strict=True):
            click.echo(f"\n{each.name}")
            _print(outcome, None, as_json=False)
    if late := [each.name for each, outcome in zip(experiments, outcomes, strict=True) if not outcome.complete]:
        raise _late(late)


def _all(experiments: Sequence["Experiment"], jobs: int) -> list["Outcome"]:
    if jobs == 1:
        return [outcome_of(each) for each in experiments]
    from joblib import Parallel, delayed

    from rl.pipeline import Clock

    clocks = [Clock(each.deadline.timeout_seconds) for each in experiments]
    both = list(zip(experiments, clocks, strict=True))
    # One training a task, so that many seeds are spread too; then one evaluation a task, which finds them stored.
    Parallel(n_jobs=jobs)(delayed(trained)(each, seed, clock) for each, clock in both for seed in each.seeds)
    return list(Parallel(n_jobs=jobs)(delayed(outcome_of)(each, clock) for each, clock in both))


def trained(experiment: "Experiment", seed: int, clock: "Clock") -> None:
    """One training, its task checked first, kept in the store; in a process of its own."""
    load()
    from rl import pipeline

    pipeline.trained(experiment.model_copy(update={"seeds": (seed,)}), say, clock)


def outcome_of(experiment: "Experiment", clock: "Clock | None" = None) -> "Outcome":
    """What an experiment measures; in a process of its own too."""
    load()
    from rl import pipeline

    return pipeline.measured(experiment, say, clock)


def _asked(target: str) -> "Outcome | Experiment":
    """The result in this file, or the experiment that is still to be measured."""
    from rl.compare import Outcome, load

    if target.endswith(".json") and Path(target).is_file():
        try:
            held: Any = json.loads(Path(target).read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            held = None  # then it is no result; read as an experiment, it is told what is wrong with it
        if isinstance(held, dict) and held.keys() >= Outcome.model_fields.keys() - {"complete"}:
            return load(target)
    return experiment_of(target)


def _require_reference(reference: str, asked: Sequence["Outcome | Experiment"], targets: Sequence[str]) -> None:
    """Refused, before anything is trained, where no row can have this name; one of a later target may go with its target."""
    from rl.compare import no_row
    from rl.experiment import Experiment, row_titles

    known: list[str] = []
    for at, (one, target) in enumerate(zip(asked, targets, strict=True)):
        names = row_titles(one) if isinstance(one, Experiment) else [row.name for row in one.rows]
        known += [name for name in names if name not in known] + [f"{name} ({target})" for name in names if at]
    if reference not in known:
        raise no_row(reference, known)


def _require_rows(outcome: "Outcome", target: str) -> None:
    """Refused where nothing was measured that a table could show."""
    if not outcome.rows or not outcome.ground.days:
        raise Told(f"{target}: a time limit came before the first day; raise evaluation.timeout_seconds or simulation.timeout_seconds", 1)


def _late(targets: Sequence[str]) -> Told:
    """Of a file with a result, the command goes on that wrote it."""
    return Told(f"{', '.join(targets)}: a time limit came before the last day; the same command goes on, or `rl evaluate`", RESUMABLE)


def plain(outcome: "Outcome", reference: str | None) -> dict[str, Any]:
    """The table as plain data."""
    from rl.compare import lines

    made, base = lines(outcome, reference)
    return {
        "reference": base,
        "complete": outcome.complete,
        "ground": outcome.ground.model_dump(mode="json"),
        "lines": [each.model_dump(mode="json") for each in made],
        "experiment": outcome.experiment,
    }


def _print(outcome: "Outcome", reference: str | None, *, as_json: bool) -> None:
    from rl.compare import told

    emit(plain(outcome, reference) if as_json else None, lambda: told(outcome, reference), as_json=as_json)
