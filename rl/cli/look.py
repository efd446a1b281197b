"""`list` and `show`: what there is, and what an experiment says when everything in it is written out."""

from collections.abc import Sequence

import click

from rl.cli.options import emit, experiment_of, json_option, set_option, table


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
            *table(("preset", "scenario", "algorithm", "steps", "seeds"), rows),
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
