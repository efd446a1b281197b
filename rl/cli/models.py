"""`export`: a policy for somebody else."""

from collections.abc import Sequence

import click

from rl.cli.options import experiment_of, say, set_option
from rl.cli.root import Told


@click.command(epilog="Example: rl export quick --to policy.npz")
@click.argument("target", metavar="EXPERIMENT")
@click.option(
    "--to", "place", required=True, metavar="FILE", help="policy.npz (plain arrays), or model.zip (as Stable-Baselines3 keeps it)."
)
@click.option("--seed", type=click.IntRange(min=0), help="Which training; else the first.")
@set_option
def export(target: str, place: str, seed: int | None, changes: Sequence[str]) -> None:
    """Write a trained policy to a file: npz runs no code when it is loaded, the zip is what Stable-Baselines3 loads."""
    from rl import pipeline
    from rl.models import export_zip, save

    if not place.endswith((".npz", ".zip")):
        raise Told(f"--to {place}: end it with .npz or .zip")
    experiment = experiment_of(target, changes)
    wanted = experiment.seeds[0] if seed is None else seed
    run = pipeline.series(experiment, wanted)
    if run.stored < experiment.windows:
        raise Told(f"seed {wanted} has {run.stored} of {experiment.windows} windows: run `rl train {target}` first", 1)
    if place.endswith(".zip"):
        export_zip(experiment, wanted, run, place)
        say(f"{place}: loading such a file runs the code in it, so whoever gets it has to trust you")
    else:
        number, policy = pipeline.picked(experiment, pipeline.train(experiment, wanted), pipeline.Clock(None))
        save(place, experiment, policy)
        say(f"{place}: checkpoint {number + 1} of {experiment.windows}")
