"""`plan`, `train` and `watch`: how much fits, the training itself, and a view of one that runs."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from rl.cli.loading import load
from rl.cli.options import experiment_of, resumable, say, set_option
from rl.cli.root import RESUMABLE, Told
from rl.cli.store import take_store, tell_store
from simcache.cli.options import emit, json_option
from simcache.cli.words import Span, counted, size

if TYPE_CHECKING:
    from rl.experiment import Experiment
    from rl.setting import Setting
    from rl.train import Window

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 60

target_argument = click.argument("target", metavar="EXPERIMENT")
steps_option = click.option("--steps", type=click.IntRange(min=1), help="Of each training; more than before computes the rest.")
seed_option = click.option("--seed", "seeds", type=click.IntRange(min=0), multiple=True, help="Only this training seed; may be repeated.")


@click.command(epilog="Example: rl plan full --deadline 8h30m")
@target_argument
@click.option(
    "--deadline", "deadline_s", type=Span(limit=True), metavar="TIME", help="Else the experiment's own, else 8h30m (a Kaggle session)."
)
@click.option("--wanted", type=click.IntRange(min=1), help="Steps that would be wanted; else the experiment's.")
@set_option
@json_option
def plan(target: str, deadline_s: float | None, wanted: int | None, changes: Sequence[str], *, as_json: bool) -> None:
    """Say how many steps fit before a deadline, and how much they take in the store, by measuring.

    Two windows of the first training are computed (and kept, if they are not there yet); the median of the newest is the rate.
    """
    experiment = experiment_of(target, changes)
    tell_store()
    load()
    from rl import pipeline
    from rl.budget import fit, rate, span

    limit = deadline_s or experiment.deadline.timeout_seconds or 8.5 * 3600
    run = pipeline.series(experiment, experiment.seeds[0])
    began = time.monotonic()
    with resumable():
        if run.stored < 2:  # noqa: PLR2004 - the first one compiles
            say("measuring two windows …")
            run.take(2, deadline=limit)
    measured = rate([entry.made.seconds for entry in run.segments], experiment.training.window_steps)
    if measured is None:
        raise Told(f"not one window of {experiment.training.window_steps:,} steps fits into {span(limit)}: make window_steps smaller", 1)
    left = limit - (time.monotonic() - began)
    steps = wanted or experiment.steps
    fits = fit(
        measured,
        left,
        wanted=steps,
        window_steps=experiment.training.window_steps,
        trainings=len(experiment.seeds),
        evaluation_s=measured.window_s,
    )
    window_bytes = sum(blob.size for blob in run.segments[-1].blobs)
    all_bytes = window_bytes * -(-steps // experiment.training.window_steps) * len(experiment.seeds)
    grows = ", and more as the replay fills" if hasattr(experiment.training.algorithm, "buffer_steps") else ""
    emit(
        {
            "deadline_s": limit,
            "steps_per_s": measured.steps_per_s,
            "steps": fits.steps,
            "enough": fits.enough,
            "reserve_s": fits.reserve_s,
            "window_bytes": window_bytes,
            "bytes": all_bytes,
        },
        lambda: [
            f"{measured.steps_per_s:,.0f} steps/s, the median of {counted(measured.windows, 'window')} (compiling left out)",
            f"before {span(limit)} are over: {fits.steps:,} of {steps:,} steps for each of {counted(len(experiment.seeds), 'training')}, in {span(fits.training_s)}",
            f"kept back: {span(fits.reserve_s)} for a checkpoint, the evaluation, and a tenth of everything",
            f"in the store: {size(all_bytes)} for {steps:,} steps, {size(window_bytes)} each window{grows}",
            f"next: rl train {target}" + ("" if fits.enough else f" --steps {max(fits.steps, 1)} (or go on in another session)"),
        ],
        as_json=as_json,
    )


@click.command(epilog="Example: rl train quick --steps 28800 --deadline 10min")
@target_argument
@steps_option
@seed_option
@click.option(
    "--deadline", "deadline_s", type=Span(limit=True), metavar="TIME", help="End in time for this, with what there is (exit code 75)."
)
@click.option(
    "--heartbeat",
    "beat_s",
    type=Span(limit=True),
    default="30s",
    show_default=True,
    metavar="TIME",
    help="How often it tells how far it is.",
)
@click.option("--unchecked", is_flag=True, help="Do not ask the five questions of `rl check` first.")
@set_option
@json_option
def train(
    target: str,
    steps: int | None,
    seeds: Sequence[int],
    deadline_s: float | None,
    beat_s: float,
    changes: Sequence[str],
    *,
    unchecked: bool,
    as_json: bool,
) -> None:
    """Train, or go on training, or load what is trained.

    Every window is a checkpoint in the store. SIGTERM and deadlines end the training after the window at hand, with exit code 75; the same
    command goes on, and the numbers are those of a training without a stop, bit for bit.
    """
    experiment = experiment_of(target, changes, steps=steps, seeds=tuple(seeds))
    say(experiment.model_dump_json() if as_json else in_short(experiment))  # what this run is, before anything is computed
    tell_store()
    with resumable():
        answers = _train(experiment, deadline_s or experiment.deadline.timeout_seconds, beat_s, unchecked=unchecked)
    emit(answers, lambda: [_told(answer) for answer in answers], as_json=as_json)
    if not all(answer["complete"] for answer in answers):
        raise Told("the deadline came before the last step; the same command goes on", RESUMABLE)


def in_short(experiment: "Experiment") -> str:
    """What is trained, in a line: the kinds, and whatever else is not the default, as --set takes it."""
    seeds = f"seed{'s' * (len(experiment.seeds) > 1)} {', '.join(map(str, experiment.seeds))}"
    said = [*unusual(experiment.task, "task."), *unusual(experiment.training, "training.")]
    return f"{experiment.name}: {experiment.steps:,} steps, {seeds}; {' '.join(said)}"


def unusual(setting: "Setting", path: str = "") -> Iterator[str]:
    """The fields within that are not as they come, each with its path; of what has a kind that one too."""
    from rl.setting import Setting

    plain = setting.model_dump(mode="json")
    for name, field in type(setting).model_fields.items():
        held = getattr(setting, name)
        within = list(unusual(held, f"{path}{name}.")) if isinstance(held, Setting) else []
        if within:
            yield from within
        elif name == "kind" or held != field.get_default(call_default_factory=True):
            yield f"{path}{name}={held if isinstance(held, str) else json.dumps(plain[name])}"


def _train(experiment: "Experiment", deadline_s: float | None, beat_s: float, *, unchecked: bool) -> list[dict[str, Any]]:
    load()
    from rl import pipeline

    runs = [pipeline.series(experiment, seed) for seed in experiment.seeds]
    trainings = pipeline.trained(experiment, say, pipeline.Clock(deadline_s), beat_s, unchecked=unchecked)
    return [
        {
            "experiment": experiment.name,
            "seed": trained.seed,
            "key": run.key,
            "steps": trained.windows[-1].steps if trained.windows else 0,
            "windows": len(trained.windows),
            "computed": trained.computed,
            "complete": trained.complete,
            "reward": [each.reward for each in trained.windows],
            "seconds": sum(entry.made.seconds for entry in run.segments[len(trained.windows) - trained.computed : len(trained.windows)]),
        }
        for run, trained in zip(runs, trainings, strict=True)
    ]


def _told(answer: dict[str, Any]) -> str:
    from rl.budget import span

    if not answer["reward"]:
        return f"seed {answer['seed']}: no window in time"
    done = (
        f"{answer['computed']} of {counted(answer['windows'], 'window')} computed in {span(answer['seconds'])}"
        if answer["computed"]
        else "loaded"
    )
    return f"seed {answer['seed']}: {answer['steps']:,} steps, {done}; reward {spark(answer['reward'])} {answer['reward'][-1]:.4f}"


@click.command(epilog="Example: rl watch full, beside rl train full")
@target_argument
@seed_option
@click.option("--every", "every_s", type=Span(limit=True), default="2s", show_default=True, metavar="TIME")
@click.option("--once", is_flag=True, help="Show it once and end; so it is where there is no terminal.")
@set_option
def watch(target: str, seeds: Sequence[int], every_s: float, *, once: bool, changes: Sequence[str]) -> None:
    """Look at a training that goes on, here or elsewhere on this store: its curve, its rate, the time left. It computes nothing."""
    experiment = experiment_of(target, changes, seeds=tuple(seeds))
    take_store()
    moving = not once and sys.stdout.isatty()
    drawn = 0
    while True:
        lines = [line for seed in experiment.seeds for line in _view(experiment, seed)]
        if drawn:
            click.echo(f"\x1b[{drawn}F\x1b[J", nl=False)
        click.echo("\n".join(lines))
        drawn = len(lines)
        if not moving or _finished(experiment):
            return
        time.sleep(every_s)


def _finished(experiment: "Experiment") -> bool:
    from rl import pipeline

    return all(pipeline.series(experiment, seed).stored >= experiment.windows for seed in experiment.seeds)


def _view(experiment: "Experiment", seed: int) -> list[str]:
    from rl import pipeline
    from rl.budget import rate, span

    run = pipeline.series(experiment, seed)
    segments, window = run.segments, experiment.training.window_steps
    stored = run.stored
    if not stored:
        return [f"{experiment.name}, seed {seed}: nothing stored yet"]
    items: Sequence[Window] = run[: min(stored, experiment.windows)]
    measured = rate([entry.made.seconds for entry in segments], window)
    left = max(0, experiment.windows - stored) * (measured.window_s if measured else 0.0)
    speed = f"{measured.steps_per_s:,.0f} steps/s" if measured else ""
    state = "done" if not left else f"{span(left)} left"
    return [
        f"{experiment.name}, seed {seed}: {items[-1].steps:,} of {experiment.steps:,} steps, {speed}, {state}; last checkpoint {segments[-1].made.at}",
        f"  reward {spark([each.reward for each in items])} {items[-1].reward:.4f}",
    ]


def spark(values: Sequence[float]) -> str:
    """A curve in one line of text: the newest values, the lowest at the bottom."""
    newest = list(values)[-_WIDTH:]
    low, high = min(newest), max(newest)
    return "".join(_BARS[int((value - low) / ((high - low) or 1.0) * (len(_BARS) - 1))] for value in newest)
