"""An experiment as one record: what is decided, how it is learned, on which days it is measured, and when each part has to end."""

import itertools
import json
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, JsonValue, model_validator

from arz import Invalid, Unknown
from arz.given import of_kind, place, shown
from rl.algorithms import AnyAlgorithm, Count, Dqn, Normalise, Ppo
from rl.controllers.actuated import Actuated
from rl.controllers.alinea import Alinea
from rl.controllers.base import Controller
from rl.controllers.fixed_time import FixedTime
from rl.controllers.max_pressure import MaxPressure
from rl.controllers.registry import AnyController
from rl.controllers.webster import Webster
from rl.setting import Setting
from rl.sizes import MOST_TRIES, require_cells
from rl.task import TaskSpec
from rl.tasks import ready

MOST_SEEDS: Final = 1_000
MOST_WORLDS: Final = 4_096
FIRST_VALIDATION_DAY: Final = 10_000_000
FIRST_HELD_OUT_DAY: Final = 20_000_000
"""Days are numbered by what they are for, so that no training, and no tuning, has ever seen a day that it is measured on."""
_DEEPEST: Final = 100
"""Levels of fields that a change may name: far more than there are."""

Seconds = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=MOST_SEEDS)]


class Training(Setting):
    """How a policy is learned. All of it counts for what is learned; how many steps are asked for is no part of it."""

    algorithm: AnyAlgorithm = Ppo()
    worlds: Annotated[int, Field(ge=1, le=MOST_WORLDS)] = 64
    """Decided for at once; each has days of its own."""
    window_steps: Count = 4_800
    """Steps between two checkpoints. A step is one decision in one world, whatever number of signals it is for."""
    horizon_steps: Count = 24_000
    """Over which learning rate and exploration change. A training may stop before it or go on beyond it."""
    normalise: Normalise | None = None

    @model_validator(mode="after")
    def _windows_hold_rollouts(self) -> Self:
        rollout = self.algorithm.rollout(self.worlds)
        if rollout > self.window_steps:
            problem = f"is {self.window_steps}, shorter than one rollout of {rollout} steps"
            raise Invalid("window_steps", problem, "lengthen it, or have fewer worlds or a shorter rollout")
        return self

    def days(self, seed: int) -> list[int]:
        """The first day of each world; no two training seeds share one."""
        return [seed * MOST_WORLDS + world for world in range(self.worlds)]


class Evaluation(Setting):
    """On which days policies and baselines are measured, all on the same ones."""

    days: Annotated[int, Field(ge=2, le=MOST_WORLDS)] = 20
    """Held out: days that nothing was trained or tuned on."""
    held_out_set: Annotated[int, Field(ge=0, lt=1_000)] = 0
    """Which days: the sets have none in common. Whoever has looked at one, and then changed anything, takes another."""
    validation_days: Annotated[int, Field(ge=2, le=MOST_WORLDS)] = 10
    """On these a baseline's numbers are tuned, and the best checkpoint is picked."""
    pick: Literal["last", "best"] = "best"
    """Which checkpoint is the result: the last one, or the one with the least delay on the validation days."""
    timeout_seconds: Seconds | None = None
    """For all policies together, from when the rules are done: then it ends with the days that it has, and says so."""

    @property
    def held_out(self) -> list[int]:
        first = FIRST_HELD_OUT_DAY + self.held_out_set * MOST_WORLDS
        return list(range(first, first + self.days))

    @property
    def validation(self) -> list[int]:
        return list(range(FIRST_VALIDATION_DAY, FIRST_VALIDATION_DAY + self.validation_days))


class Limit(Setting):
    """How long a part may take, whatever it has by then."""

    timeout_seconds: Seconds | None = None


class Experiment(Setting):
    """A row of a table of results: equal experiments have equal results, and share what they have in common."""

    name: str = "quick"
    task: TaskSpec = Field(default_factory=TaskSpec)
    training: Training = Training()
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, strict=False)] = (1,)
    """One training for each."""
    steps: Count = 24_000
    """Of each training. More are an extension of fewer."""
    baselines: Annotated[tuple[AnyController, ...], Field(strict=False)] = ()
    tuning: dict[str, dict[str, Annotated[tuple[JsonValue, ...], Field(strict=False)]]] = Field(default_factory=dict)
    """Which values of which field of which kind of baseline are tried on the validation days; the one with the least delay stays."""
    evaluation: Evaluation = Evaluation()
    simulation: Limit = Limit()
    """Of each simulation alone: one rule's days, be it that they tune it or that they measure it."""
    deadline: Limit = Limit()
    """Of all trainings together."""

    @property
    def windows(self) -> int:
        """How many windows hold the steps."""
        return -(-self.steps // self.training.window_steps)

    def _require_baseline(self, path: str, baseline: Controller) -> None:
        try:
            baseline.driver(self.task.layout, self.task.guard)
        except Invalid as problem:
            raise Invalid(f"{path}.{problem.path}", problem.problem, problem.remedy) from None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds):
            raise Invalid("seeds", f"are {', '.join(map(str, self.seeds))}", "give each once: the same seed is the same training")
        if self.training.algorithm.kind == "dqn" and self.task.agents == "multi":
            problem = "is dqn, which makes one choice, while task.agents is multi"
            raise Invalid("training.algorithm.kind", problem, "set task.agents to shared (or joint), or choose ppo")
        worlds = self.training.worlds
        require_cells("training.worlds", f"is {worlds}, which makes about", worlds * self.task.cells, "have fewer of them")
        try:
            self.training.algorithm.require(self.training.worlds * len(self.task.choosers.names), len(self.task.features))
        except Invalid as problem:
            raise Invalid(f"training.algorithm.{problem.path}", problem.problem, problem.remedy) from None
        for at, baseline in enumerate(self.baselines):
            self._require_baseline(f"baselines[{at}]", baseline)
        for kind, fields in self.tuning.items():
            base = next((each for each in self.baselines if each.kind == kind), None)
            if base is None:
                raise Invalid(
                    f"tuning.{kind}", "is no kind of the baselines here", f"choose among {', '.join(e.kind for e in self.baselines)}"
                )
            self._require_tuning(f"tuning.{kind}", base, fields)
        return self

    def _require_tuning(self, path: str, base: Controller, fields: dict[str, tuple[JsonValue, ...]]) -> None:
        known = sorted(set(type(base).model_fields) - {"kind"})
        for field, values in fields.items():
            if field not in known:
                raise Invalid(f"{path}.{field}", "is no field to be tuned", f"choose among {', '.join(known)}")
            if not values:
                raise Invalid(f"{path}.{field}", "has no values", "give some to try, or leave it out")
            for at, value in enumerate(values):
                try:
                    type(base)(**{**base.model_dump(), field: value})
                except Invalid as problem:
                    raise Invalid(f"{path}.{field}[{at}]", problem.problem, problem.remedy) from None
        tries = math.prod(map(len, fields.values()))
        if tries > MOST_TRIES:
            raise Invalid(path, f"makes {tries:,} combinations", f"try at most {MOST_TRIES:,}")
        for candidate in candidates(base, fields):
            self._require_baseline(path, candidate)


def load(text: str, path: str) -> Experiment:
    """The experiment in the text of a JSON or TOML file; `preset = "…"` in it names what stays as it is there."""
    fields = _parsed(text, path)
    preset = fields.pop("preset", None)
    if preset is not None:
        fields = _over(json.loads(preset_named(str(preset)).model_dump_json()), fields)
    return Experiment.load(json.dumps(fields))


def changed(experiment: Experiment, changes: dict[str, Any]) -> Experiment:
    """The experiment with other values for some fields (`training.algorithm.learning_rate`), checked as a whole."""
    of_kind(Experiment, "experiment", experiment, "give an Experiment, such as rl.experiment.read('quick')")
    for path, value in of_kind(dict, "changes", changes, "give a dict of values by the paths of fields").items():
        of_kind(str, "changes", path, "name a field by its path, such as 'training.worlds'")
        try:
            json.dumps(value)
        except (TypeError, ValueError) as problem:
            raise Invalid(path, f"is {shown(value)}, which is no JSON ({problem})", "give numbers, text, lists and dicts") from None
    fields = json.loads(experiment.model_dump_json())
    # What is whole comes before its parts, and a kind before the fields that it brings.
    for path in sorted(changes, key=lambda path: (path.count("."), not path.endswith(".kind"))):
        _put(fields, path, changes[path])
    return Experiment.load(json.dumps(fields))


def read(target: str) -> Experiment:
    """The preset of this name, or the experiment in this file."""
    if target in PRESETS:
        return PRESETS[target]
    path = place(target, "give the name of a preset, or the path of a JSON or TOML file")
    if path.suffix not in {".json", ".toml"}:
        raise Unknown("preset", target, [*PRESETS, "FILE.json", "FILE.toml"])
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise Invalid(target, f"cannot be read ({problem})", "give the path of a JSON or TOML file") from None
    try:
        return load(text, target)
    except Invalid as problem:
        # What concerns the whole file has its name, or that of the record, for a path.
        where = target if problem.path in {target, Experiment.__name__} else f"{target}: {problem.path}"
        raise Invalid(where, problem.problem, problem.remedy, problem.others) from None


def preset_named(name: str) -> Experiment:
    if name not in PRESETS:
        raise Unknown("preset", name, PRESETS)
    return PRESETS[name]


def _parsed(text: str, path: str) -> dict[str, Any]:
    try:
        fields = tomllib.loads(text) if path.endswith(".toml") else json.loads(text)
        json.dumps(fields)  # TOML has dates and times, and no field is one
    except (ValueError, TypeError, RecursionError) as problem:
        kind = "TOML" if path.endswith(".toml") else "JSON"
        raise Invalid(path, f"is no whole {kind} of numbers and text ({problem})", f"mend the {kind}") from None
    if not isinstance(fields, dict):
        raise Invalid(path, "is no table of fields", "write an object with the fields of an experiment")
    return fields


def _over(below: Any, above: Any) -> Any:
    """The fields of both; of a record of another kind nothing is left."""
    if not (isinstance(below, dict) and isinstance(above, dict)) or below.get("kind") != above.get("kind", below.get("kind")):
        return above
    return {**below, **{name: _over(below.get(name), held) for name, held in above.items()}}


def _put(fields: dict[str, Any], path: str, value: Any) -> None:
    *way, last = path.split(".")
    if len(way) > _DEEPEST:
        raise Invalid(f"{path[:40]}…", "leads deeper than any field lies", "name a field that `rl show` prints")
    holder: Any = fields
    for depth, step in enumerate(way):
        if holder.get(step) is None:
            holder[step] = {}
        holder = holder[step]
        if not isinstance(holder, dict):
            raise Invalid(path, f"leads through {'.'.join(way[: depth + 1])}, which has no fields", "change that as a whole")
    if last == "kind" and holder.get(last) != value:
        holder.clear()  # another kind has other fields
    holder[last] = value


def candidates(base: Controller, tuning: dict[str, tuple[JsonValue, ...]]) -> list[Controller]:
    """The baseline with every combination of the values to try."""
    every = itertools.product(*tuning.values())
    return [type(base)(**{**base.model_dump(), **dict(zip(tuning, values, strict=True))}) for values in every]


def title(controller: Controller) -> str:
    """The kind of a rule, and what is not as it comes."""
    kind = str(getattr(controller, "kind", "")).replace("_", "-")
    fields = {name: value for name, value in controller.model_dump(exclude_defaults=True).items() if name != "kind"}
    return (
        f"{kind} ({', '.join(f'{name} {value:g}' if isinstance(value, float) else f'{name} {value}' for name, value in fields.items())})"
        if fields
        else kind
    )


def trained_title(experiment: Experiment, seed: int) -> str:
    """What the row of a training is called."""
    return f"{experiment.training.algorithm.kind}, seed {seed}"


def row_titles(experiment: Experiment) -> list[str]:
    """Whatever a row of its table may be called, before anything is measured: a rule that is tuned has one of several names."""
    rules = [each for base in experiment.baselines for each in (base, *candidates(base, experiment.tuning.get(base.kind, {})))]
    return list(dict.fromkeys([*map(title, rules), *(trained_title(experiment, seed) for seed in experiment.seeds)]))


# -- presets

_SIGNALS: Final = (FixedTime(), Webster(), Actuated(), MaxPressure())

_TUNING: Final[dict[str, dict[str, tuple[JsonValue, ...]]]] = {
    "webster": {"stretch": (0.6, 0.8, 1.0, 1.25, 1.6), "common": (False, True)},
    "actuated": {"gap_s": (2.0, 3.0, 4.0), "min_green_s": (5.0, 10.0)},
    "max_pressure": {"min_green_s": (5.0, 10.0, 15.0, 20.0, 30.0)},
}
_BRIEF: Final = Training(algorithm=Ppo(rollout_steps=15, batch=720), worlds=48, window_steps=2_880, horizon_steps=14_400)
"""Learned in seconds, in episodes of 60 decisions."""


def _quick() -> Experiment:
    task = ready("Corridor", options={"crossings": 3}, horizon_s=900.0, agents="shared")
    return Experiment(name="quick", task=task, training=_BRIEF, steps=14_400, baselines=_SIGNALS)


def _full(**changes: Any) -> Experiment:
    fields: dict[str, Any] = {
        "name": "full",
        "task": ready("VictoriaIsland", agents="shared"),
        "training": Training(algorithm=Dqn(), worlds=10, window_steps=2_400, horizon_steps=24_000),
        "seeds": (1, 2, 3, 4, 5),
        "steps": 24_000,
        "baselines": _SIGNALS,
        "tuning": _TUNING,
    }
    return Experiment(**fields | changes)


def _kaggle() -> Experiment:
    return _full(name="kaggle", evaluation=Evaluation(timeout_seconds=300.0), deadline=Limit(timeout_seconds=8.5 * 3600))


def _ramp_metering() -> Experiment:
    return Experiment(name="ramp_metering", task=ready("RampMetering"), training=_BRIEF, steps=14_400, baselines=(FixedTime(), Alinea()))


def _speed_limits() -> Experiment:
    return Experiment(name="speed_limits", task=ready("SpeedLimits"), training=_BRIEF, steps=14_400, baselines=(FixedTime(),))


class _Presets(Mapping[str, Experiment]):
    """Each is made when it is first asked for, networks, checks and all: who wants one does not wait for five."""

    def __init__(self, *makers: Callable[[], Experiment]) -> None:
        self._makers = {maker.__name__.removeprefix("_"): cache(maker) for maker in makers}

    def __getitem__(self, name: str) -> Experiment:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


PRESETS: Final = _Presets(_quick, _full, _kaggle, _ramp_metering, _speed_limits)
"""`quick` learns in seconds, `full` is 100 episodes of 240 decisions, `kaggle` is that within what a Kaggle session allows."""
SCENARIOS: Final = ("quick", "ramp_metering", "speed_limits")
"""Lights, meters and signs: what `rl run --all` runs."""
