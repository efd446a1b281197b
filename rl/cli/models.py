"""`export`: a policy for somebody else."""

from collections.abc import Sequence
from pathlib import Path

import click

from rl.cli.options import experiment_of, require_folder, say, set_option
from rl.cli.root import Told
from rl.cli.store import take_store
from simcache.cli.words import counted


@click.command(epilog="Example: rl export quick --to policy.npz")
@click.argument("target", metavar="EXPERIMENT")
@click.option(
    "--to", "place", required=True, metavar="FILE", help="policy.npz (plain arrays), or model.zip (as Stable-Baselines3 keeps it)."
)
@click.option("--seed", type=click.IntRange(min=0), help="Which training; else the first.")
@click.option(
    "--checkpoint",
    type=click.Choice(["best", "last"]),
    help="The one with the least delay on the validation days, or the last one; else as evaluation.pick says.",
)
@set_option
def export(target: str, place: str, seed: int | None, checkpoint: str | None, changes: Sequence[str]) -> None:
    """Write a trained policy to a file: npz runs no code when it is loaded, the zip is what Stable-Baselines3 loads.

    Beside model.zip stand, where the training has them, model.vecnormalize.pkl (VecNormalize.load) and model.replay.pkl
    (load_replay_buffer), so that Stable-Baselines3 can go on from there.
    """
    from rl import pipeline
    from rl.models import export_zip, save

    if Path(place).suffix not in {".npz", ".zip"}:
        raise Told(f"--to {place}: name it NAME.npz or NAME.zip")
    require_folder("--to", place)
    experiment = experiment_of(target, changes, seeds=() if seed is None else (seed,), **{"evaluation.pick": checkpoint})
    wanted = experiment.seeds[0]
    take_store()
    run = pipeline.series(experiment, wanted)
    if run.stored < experiment.windows:
        raise Told(
            f"seed {wanted} has {run.stored} of {counted(experiment.windows, 'window')}: run `rl train {target} --seed {wanted}` first", 1
        )
    trained = pipeline.train(experiment, wanted)
    number, _ = pipeline.picked(experiment, trained, pipeline.Clock(None))
    if place.endswith(".zip"):
        written = export_zip(experiment, wanted, run, number, place)
        say(f"{', '.join(written)}: loading such files runs the code in them, so whoever gets them has to trust you")
    else:
        save(place, experiment, trained.windows[number].policy)
    say(f"{place}: checkpoint {number + 1} of {experiment.windows}")
