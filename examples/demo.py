"""All of it in a few minutes, and in seconds when it is run again: traffic computed once, a controller learned, an honest comparison.

Everything goes into the folder `demo` of where it is run, or the one named by --out; a second run loads what the first one computed.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from arz import Result, run, scenario
from arz.plots import network, space_time
from simcache import Step, cached

T = TypeVar("T")
PART_S = 600.0


@cached(every=1)
def island(demand: float = 1.0, *, resume: Result | None = None) -> Iterator[Step[Result]]:
    """Traffic on a twin of Victoria Island, Lagos, under its fixed plan: the whole run so far, every ten minutes of it."""
    whole = resume
    while True:
        whole = simulated(PART_S + (0.0 if whole is None else whole.time_s), demand, whole)
        yield Step(whole, state=whole)


def simulated(horizon_s: float, demand: float = 1.0, resume: Result | None = None) -> Result:
    return run(scenario("victoria_island", demand=demand, horizon_s=horizon_s), every_s=15.0, resume=resume)


def cache(pictures: Path) -> None:
    """A baseline: computed, loaded, extended."""
    show("1  Traffic is computed once")
    traffic = island()
    for parts in (2, 2, 4):
        before = traffic.stored
        result, seconds = timed(lambda parts=parts: traffic[parts - 1])
        made = sum(entry.made.seconds for entry in traffic.segments[:parts])
        how = "loaded" if before >= parts else f"computed from minute {before * 10} on"
        ratio = f", {made / seconds:,.0f} times faster than the {made:.2f} s it took to compute" if before >= parts else ""
        show(f"{parts * 10} minutes", f"{how}, in {seconds:.3f} s{ratio}")
    show("a straight run", f"has the same bits: {result.density.tobytes() == simulated(4 * PART_S).density.tobytes()}")
    show("a busier island", f"is another key: {island.explain(1.2).differences[0]}")
    space_time(result, path=pictures / "space_time.png")
    for minutes in (5, 20, 40):
        network(result, minutes * 60.0, path=pictures / f"network_{minutes}_min.png")


def learning(pictures: Path) -> None:
    """A controller: trained, and compared with rules on days that none of them has seen."""
    from rl import pipeline, plots
    from rl.compare import told
    from rl.experiment import PRESETS

    experiment = PRESETS["quick"]
    show("2  A controller is trained, window by window; each is a checkpoint")
    trainings, seconds = timed(lambda: pipeline.trained(experiment, lambda line: show("", line), pipeline.Clock(None)))
    segments = pipeline.series(experiment, experiment.seeds[0]).segments
    spent = [entry.made.seconds for entry in segments]
    show("trained", f"{trainings[0].windows[-1].steps:,} steps, in {seconds:.1f} s here and now")
    show(
        "when it was computed",
        f"{spent[0]:.1f} s for the first window, which compiles, and {sum(spent[1:]):.1f} s for the {len(spent) - 1} others",
    )
    show("mean reward", ", ".join(f"{window.reward:.3f}" for window in trainings[0].windows))

    show("3  It is compared with rules, all on the same held-out days")
    outcome, seconds = timed(lambda: pipeline.evaluate(experiment, trainings, lambda _: None))
    print("\n".join(f"   {line}" for line in told(outcome)))
    show("measured", f"in {seconds:.1f} s; no setting of learning is in the key of a rule's days, so every training finds them stored")
    validation = [pipeline.validation(experiment, each, pipeline.Clock(None)) for each in trainings]
    plots.learning_curve(trainings, validation, path=pictures / "learning_curve.png")
    plots.comparison(outcome, path=pictures / "comparison.png")


def timed(call: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    return call(), time.perf_counter() - began


def show(text: str, answer: str | None = None) -> None:
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else ("", "")
    print(f"\n{bold}{text}{plain}" if answer is None else f"   {text:22}{answer}", flush=True)


def main() -> None:
    face = argparse.ArgumentParser("demo.py", description=__doc__)
    face.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="where store and pictures go")
    face.add_argument("--without-learning", action="store_true", help="the cache and the traffic only, which need no torch")
    options = face.parse_args()
    pictures = options.out / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    os.environ["SIMCACHE_STORE"] = str((options.out / "store").resolve())
    cache(pictures)
    if not options.without_learning:
        learning(pictures)
    show(f"The pictures are in {pictures}: {', '.join(sorted(path.name for path in pictures.glob('*.png')))}. Next, try:")
    program, store = os.path.relpath(sys.executable), options.out / "store"
    print(f"   {program} {os.path.relpath(__file__)}          again: all of it is loaded now")
    print(f"   {program} -m simcache ls --store {store}\n   {program} -m arz run victoria_island -o demand=1.2\n   {program} -m rl --help")


if __name__ == "__main__":
    main()
