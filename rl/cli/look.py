"""`list`, `show` and `check`: what there is, what an experiment says in full, and whether its task does what it says."""

from collections.abc import Sequence

import click

from rl.cli.loading import load
from rl.cli.options import experiment_of, set_option
from rl.cli.root import Told
from rl.cli.store import tell_store
from simcache.cli.options import emit, json_option
from simcache.cli.words import table


@click.command(name="list", epilog="Example: rl list")
@json_option
def list_presets(*, as_json: bool) -> None:
    """The presets, and the kinds of algorithm and baseline."""
    from rl.algorithms import ALGORITHMS
    from rl.controllers.registry import CONTROLLERS
    from rl.experiment import PRESETS

    rows = [
        (each.name, each.task.scenario, each.training.algorithm.kind, f"{each.steps:,}", str(len(each.seeds))) for each in PRESETS.values()
    ]
    controllers = [kind.model_fields["kind"].default for kind in CONTROLLERS]
    plain = {"presets": [row[0] for row in rows], "algorithms": list(ALGORITHMS), "controllers": controllers}
    emit(
        plain,
        lambda: [
            *table(("preset", "scenario", "algorithm", "steps", "seeds"), rows, right=(1, 2, 3, 4)),
            "",
            f"algorithms: {', '.join(ALGORITHMS)}",
            f"controllers: {', '.join(controllers)}",
        ],
        as_json=as_json,
    )


@click.command(epilog="Example: rl show quick --set steps=28800 > mine.json")
@click.argument("target", metavar="EXPERIMENT")
@set_option
def show(target: str, changes: Sequence[str]) -> None:
    """Print an experiment as JSON, every field written out: what a run is given, keyed by, and stored with."""
    click.echo(experiment_of(target, changes).model_dump_json(indent=1))


@click.command(epilog="Example: rl check quick")
@click.argument("target", metavar="EXPERIMENT")
@set_option
@json_option
def check(target: str, changes: Sequence[str], *, as_json: bool) -> None:
    """Ask the task five questions before anybody learns from it, such as whether red holds and whether control matters."""
    experiment = experiment_of(target, changes)
    tell_store()
    load()
    from rl.cached import findings

    found = findings(experiment.task, experiment.training.worlds)
    rows = [("passed" if each.passed else "FAILED", each.name, each.detail) for each in found]
    emit(
        [{"name": each.name, "passed": each.passed, "detail": each.detail} for each in found],
        lambda: [f"{verdict}  {name.replace('_', ' ')}: {detail}" for verdict, name, detail in rows],
        as_json=as_json,
    )
    if not all(each.passed for each in found):
        raise Told(f"{sum(not each.passed for each in found)} of {len(found)} checks failed", 1)
