"""Controllers beside each other: measured on the same days, told with intervals, and refused where the days or the demand differ."""

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean
from typing import Annotated, Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from arz import Invalid
from arz.given import place
from rl.errors import RlError
from rl.setting import Setting

Array = NDArray[Any]

SHOWN: Final = {
    "delay_s": "delay s",
    "queue_veh": "queue veh",
    "travel_time_s": "travel s",
    "throughput_veh_per_h": "out veh/h",
    "stops": "stops",
    "switches_per_h": "switches/h",
}
"""What the table shows, and what its columns are called."""
SEEN: Final = "queue and stops are counted where a controller looks: whoever looks more often sees more stops of the same traffic"
"""What the table cannot mend: a rule may look every second, a policy at its decisions."""
CONFIDENCE: Final = 0.95
TRAINED_BY: Final = ("task", "training", "steps", "evaluation")
"""The fields of an experiment by which trainings of different seeds are of one configuration."""
_FEW: Final = (12.7062, 4.3027, 3.1824, 2.7764)
"""Student's t at 97.5 % for one to four degrees of freedom, where the series below is too short."""


class Differs(RlError, ValueError):
    """Two runs that were not measured on the same ground: evaluate both with the same `field`."""

    def __init__(self, field: str, first: object, second: object, names: tuple[str, str]) -> None:
        self.field, self.first, self.second, self.names = field, first, second, names
        super().__init__(field, first, second, names)

    def __str__(self) -> str:
        return (
            f"{self.names[0]} and {self.names[1]} cannot be compared: {self.field} is {_short(self.first)} in the one and "
            f"{_short(self.second)} in the other; evaluate both on the same"
        )


class Ground(Setting):
    """What has to be the same for two runs to be compared."""

    scenario: str
    world: str
    """A digest of the network, the physics and the numerical scheme."""
    demand: str
    """A digest of the demand and of how it varies from day to day."""
    horizon_s: float
    decision_s: float
    days: Annotated[tuple[int, ...], Field(strict=False)]


class Row(Setting):
    """One controller: what was measured on each day."""

    name: str
    kind: str
    """The kind of baseline, or of algorithm."""
    group: str = ""
    """Rows of one group are trainings of one configuration with different seeds."""
    measures: dict[str, Annotated[tuple[float, ...], Field(strict=False)]]


class Outcome(Setting):
    """Rows that were measured on one ground, and the experiment they come from."""

    experiment: dict[str, Any]
    ground: Ground
    rows: Annotated[tuple[Row, ...], Field(strict=False)]
    complete: bool = True
    """False if a time limit came before the last day."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for row in self.rows:
            for name in SHOWN:
                if name not in row.measures:
                    raise Invalid(f"rows.{row.name}", f"lacks {name}", "evaluate again")
            for name, values in row.measures.items():
                if len(values) != len(self.ground.days):
                    raise Invalid(f"rows.{row.name}.{name}", f"has {len(values)} values for {len(self.ground.days)} days", "evaluate again")
        return self


class Interval(Setting):
    """A mean, and how far its 95 % confidence interval reaches to each side."""

    mean: float
    half: float

    @property
    def low(self) -> float:
        return self.mean - self.half

    @property
    def high(self) -> float:
        return self.mean + self.half


def interval(values: Sequence[float] | Array) -> Interval:
    """Student's interval of the mean; of one value nothing is known about how far it may be, so that is refused."""
    held = np.asarray(values, np.float64)
    if len(held) < 2:  # noqa: PLR2004 - a spread needs two
        raise Invalid("days", f"are {len(held)}, too few for an interval", "give the evaluation more days, or more time")
    return Interval(mean=float(held.mean()), half=student(len(held) - 1) * float(held.std(ddof=1)) / math.sqrt(len(held)))


def paired(values: Sequence[float] | Array, other: Sequence[float] | Array) -> Interval:
    """Of the differences day by day: what the days have in common falls out, so it is much narrower than two intervals apart."""
    return interval(np.asarray(values, np.float64) - np.asarray(other, np.float64))


def student(freedom: int, confidence: float = CONFIDENCE) -> float:
    """The two-sided quantile of Student's t, by the series of Fisher and Cornish (Abramowitz and Stegun 26.7.5)."""
    if freedom <= len(_FEW) and confidence == CONFIDENCE:
        return _FEW[freedom - 1]
    z, n = NormalDist().inv_cdf(0.5 + confidence / 2), float(freedom)
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4)
    )


def together(outcomes: Sequence[Outcome], names: Sequence[str]) -> Outcome:
    """All rows in one outcome; Differs if they were not measured on the same ground. A row that is in several is taken once.

    Rows of one name but other numbers, and groups of one name that were trained or picked otherwise, are told apart by where they come from.
    """
    if not outcomes:
        raise Invalid("outcomes", "are none", "give at least one")
    first = outcomes[0]
    for other, name in zip(outcomes[1:], names[1:], strict=True):
        for field in Ground.model_fields:
            if getattr(other.ground, field) != getattr(first.ground, field):
                raise Differs(field, getattr(first.ground, field), getattr(other.ground, field), (names[0], name))
    rows: list[Row] = []
    trained: dict[str, object] = {}
    for outcome, name in zip(outcomes, names, strict=True):
        taken = {row.name for row in rows}
        how = {field: outcome.experiment.get(field) for field in TRAINED_BY}
        # A group goes by another name as a whole: what is told of it is the mean of one configuration.
        apart = {
            row.group
            for row in outcome.rows
            if row.group and (trained.get(row.group, how) != how or (row.name in taken and row not in rows))
        }
        for row in outcome.rows:
            if row.group in apart or (row.name in taken and row not in rows):
                group = f"{row.group} ({name})" if row.group else ""
                rows.append(row.model_copy(update={"name": f"{row.name} ({name})", "group": group}))
            elif row not in rows:
                rows.append(row)
        trained |= {row.group: how for row in outcome.rows if row.group not in apart}
    return first.model_copy(update={"rows": tuple(rows), "complete": all(each.complete for each in outcomes)})


class Line(Setting):
    """One line of the table of results."""

    name: str
    kind: str
    trainings: int = 0
    """How many training seeds the line is the mean of; 0 for what was not trained."""
    measures: dict[str, Interval]
    against: dict[str, Interval]
    """The differences to the reference, day by day. As those of `measures`, its intervals are over the days, of these very trainings."""
    over_trainings: dict[str, Interval] = Field(default_factory=dict)
    """Of several trainings: their mean, with the trainings as the sample instead of the days; how far off it may be for other seeds."""


def lines(outcome: Outcome, reference: str | None = None) -> tuple[list[Line], str]:
    """The table: baselines, every training, and after several trainings of one configuration their mean; and which line is the reference.

    Unless it is named, the reference is the baseline with the least delay: the hardest one to beat.
    """
    if not outcome.rows:
        raise Invalid("rows", "are none", "evaluate again, with more time")
    baselines = [row for row in outcome.rows if not row.group]
    hardest = min(baselines or outcome.rows, key=lambda row: fmean(row.measures["delay_s"]))
    named = hardest.name if reference is None else reference
    base = next((row for row in outcome.rows if row.name == named), None)
    if base is None:
        raise no_row(named, [row.name for row in outcome.rows])
    made = [_line(row.name, row.kind, int(bool(row.group)), row.measures, base) for row in outcome.rows]
    for group in dict.fromkeys(row.group for row in outcome.rows if row.group):
        members = [row for row in outcome.rows if row.group == group]
        if len(members) > 1:
            mean = {name: tuple(np.mean([row.measures[name] for row in members], axis=0).tolist()) for name in members[0].measures}
            whole = _line(f"{group}: all {len(members)} seeds", members[0].kind, len(members), mean, base)
            each = {name: interval([fmean(row.measures[name]) for row in members]) for name in mean}
            made.append(whole.model_copy(update={"over_trainings": each}))
    return made, named


def no_row(reference: str, known: Sequence[str]) -> Invalid:
    """The refusal of a reference: names of rows hold commas themselves."""
    return Invalid("reference", f"is {reference!r}, which is no row", f"choose among {'; '.join(known)}")


def _line(name: str, kind: str, trainings: int, measures: dict[str, tuple[float, ...]], base: Row) -> Line:
    return Line(
        name=name,
        kind=kind,
        trainings=trainings,
        measures={measure: interval(values) for measure, values in measures.items()},
        against={measure: paired(values, base.measures[measure]) for measure, values in measures.items()},
    )


def told(outcome: Outcome, reference: str | None = None) -> list[str]:
    """The table as text: numbers end flush, and the last line says what they are."""
    made, base = lines(outcome, reference)
    rows = [("", *SHOWN.values(), "against"), *(_cells(each, base) for each in made)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    text = [
        "  ".join(cell.rjust(width) if place else cell.ljust(width) for place, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    days = len(outcome.ground.days)
    return [
        *map(str.rstrip, text),
        f"mean over {days} held-out days, ± 95 % confidence; last column: delay less that of {base}, day by day",
        SEEN,
        *(_over_trainings(each) for each in made if each.over_trainings),
    ]


def _over_trainings(line: Line) -> str:
    delay = line.over_trainings["delay_s"]
    return f"{line.name}: ± is over days, for these trainings alone; over trainings the delay is {delay.mean:,.2f} ± {delay.half:.2f} s"


def _cells(line: Line, base: str) -> tuple[str, ...]:
    numbers = (f"{line.measures[name].mean:,.2f} ± {line.measures[name].half:.2f}" for name in SHOWN)
    against = "-" if line.name == base else f"{line.against['delay_s'].mean:+.2f} ± {line.against['delay_s'].half:.2f}"
    return (line.name, *numbers, against)


def load(path: str) -> Outcome:
    """An outcome that `rl evaluate --out` wrote."""
    return Outcome.load(place(path, "give the file that `rl evaluate --out` wrote"))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 48 else f"{text[:45]}…"  # noqa: PLR2004 - about half a line
