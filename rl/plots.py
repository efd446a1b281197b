"""Pictures of learning: the curve of a training, and controllers beside each other with their intervals.

Each gives a matplotlib Figure, and saves it where a path is given; nothing is shown. Needs the extra `plot`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from arz.page import PathLike, page, saved
from rl.compare import Line, Outcome, lines
from rl.pipeline import Trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEARNED, RULE, BEST = "#D55E00", "0.6", "#0072B2"
"""Told apart by every kind of eye: Okabe and Ito 2008, Color Universal Design."""
SHOWN: Final = {"delay_s": "delay (s per vehicle)", "queue_veh": "queue (veh)", "stops": "stops per vehicle"}


def learning_curve(trainings: Sequence[Trained], validation: Sequence[dict[int, float]] = (), path: PathLike | None = None) -> "Figure":
    """Mean reward of each window over the steps, one line a seed; with `validation` also the delay on the validation days."""
    figure = page(6.4, 3.6)
    axes = figure.subplots()
    for number, trained in enumerate(trainings):
        steps = [window.steps for window in trained.windows]
        rewards = [window.reward for window in trained.windows]
        axes.plot(
            steps, rewards, color=LEARNED, alpha=0.9 if len(trainings) == 1 else 0.5, marker=".", label="reward" if not number else None
        )
    axes.set_xlabel("steps (decisions in one world)")
    axes.set_ylabel("mean reward of a decision", color=LEARNED)
    if any(validation):
        beside = axes.twinx()
        for number, (trained, scores) in enumerate(zip(trainings, validation, strict=True)):
            places = [trained.windows[window].steps for window in scores]
            beside.plot(places, list(scores.values()), color=BEST, ls="--", marker=".", label="delay" if not number else None)
        beside.set_ylabel("delay on the validation days (s per vehicle)", color=BEST)
    axes.grid(color="0.9")
    return saved(figure, path)


def comparison(outcome: Outcome, reference: str | None = None, path: PathLike | None = None) -> "Figure":
    """Every controller's mean over the held-out days with its 95 % interval; the reference is a line through all."""
    made, base = lines(outcome, reference)
    figure = page(11.0, 1.2 + 0.32 * len(made))
    panels = figure.subplots(1, len(SHOWN), sharey=True)
    places = list(range(len(made)))[::-1]
    for axes, (name, label) in zip(panels, SHOWN.items(), strict=True):
        for place, line in zip(places, made, strict=True):
            held = line.measures[name]
            axes.errorbar(held.mean, place, xerr=held.half, fmt="o", color=_colour(line, base), capsize=3)
        against = next(line for line in made if line.name == base)
        axes.axvline(against.measures[name].mean, color=BEST, lw=0.8, ls=":")
        axes.set_xlabel(label)
        axes.grid(axis="x", color="0.9")
    panels[0].set_yticks(places, [line.name for line in made])
    panels[0].set_title(
        f"{outcome.ground.scenario}, {len(outcome.ground.days)} held-out days, 95 % intervals over the days", loc="left", fontsize="medium"
    )
    return saved(figure, path)


def _colour(line: Line, base: str) -> str:
    return BEST if line.name == base else LEARNED if line.trainings else RULE
