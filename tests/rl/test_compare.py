"""Controllers are compared on the same days or not at all, and an interval is what it says."""

import json
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from arz import Invalid
from rl.compare import Differs, Ground, Outcome, Row, interval, lines, load, paired, student, together, told
from rl.scores import METRICS

DAYS = tuple(range(20))
GROUND = Ground(scenario="corridor", world="a", demand="b", horizon_s=900.0, decision_s=5.0, days=DAYS)


def row(name: str, delay: float, spread: float = 1.0, *, group: str = "", days: int = 20) -> Row:
    noise = np.random.default_rng(len(name)).normal(size=days)
    values = tuple((delay + spread * np.sin(np.arange(days)) + 0.01 * noise).tolist())
    return Row(name=name, kind=name, group=group, measures=dict.fromkeys(METRICS, values))


def outcome(*rows: Row, **ground: Any) -> Outcome:
    return Outcome(experiment={}, ground=GROUND.model_copy(update=ground), rows=rows)


@pytest.mark.parametrize(("freedom", "quantile"), [(1, 12.706), (4, 2.776), (5, 2.571), (9, 2.262), (19, 2.093), (99, 1.984)])
def test_students_quantiles(freedom: int, quantile: float) -> None:
    """Those of the printed tables, to their last digit."""
    assert round(student(freedom), 3) == pytest.approx(quantile, abs=0.0011)


def test_an_interval_holds_the_mean_as_often_as_it_says() -> None:
    """Of many samples of ten, 95 % of the intervals hold the true mean."""
    rng = np.random.default_rng(1)
    held = [interval(rng.normal(3.0, 2.0, 10)) for _ in range(4000)]

    assert np.mean([each.low <= 3.0 <= each.high for each in held]) == pytest.approx(0.95, abs=0.012)


def test_one_value_says_nothing_of_its_spread() -> None:
    """An interval of one day is refused."""
    with pytest.raises(Invalid, match="too few"):
        interval([2.0])


def test_pairing_takes_out_what_days_have_in_common() -> None:
    """Two controllers on days that differ much: the interval of the differences is a small part of each one's own."""
    one, other = row("one", 20.0, spread=5.0), row("three", 21.0, spread=5.0)
    apart = interval(one.measures["delay_s"]).half
    difference = paired(one.measures["delay_s"], other.measures["delay_s"])

    assert difference.half < apart / 50
    assert difference.high < 0


@pytest.mark.parametrize(
    ("field", "value"),
    [("days", tuple(range(1, 21))), ("demand", "c"), ("horizon_s", 1800.0), ("world", "z"), ("decision_s", 15.0), ("scenario", "grid")],
)
def test_what_was_measured_otherwise_is_not_compared(field: str, value: Any) -> None:
    """Other days, demand, horizon, network: refused, with the field and both values."""
    with pytest.raises(Differs, match=field) as refused:
        together([outcome(row("a", 1.0)), outcome(row("b", 2.0), **{field: value})], ["first", "second"])

    assert refused.value.field == field
    assert "first and second" in str(refused.value)


def test_rows_of_several_runs_in_one_table() -> None:
    """A shared baseline is taken once; rows of one name but other numbers are told apart by where they come from."""
    base = row("webster", 20.0)
    whole = together([outcome(base, row("ppo", 18.0, group="ppo")), outcome(base, row("ppo", 17.0, group="ppo"))], ["x", "y"])

    assert [each.name for each in whole.rows] == ["webster", "ppo", "ppo (y)"]


def test_trainings_of_two_configurations_have_two_means() -> None:
    """A line of several seeds is the mean of one configuration, whichever seeds each was trained with.

    Once the third seed of one experiment was averaged with both seeds of another, and the rest of its own without it.
    """
    one, other = {"training": {"gamma": 0.9}, "steps": 10}, {"training": {"gamma": 0.99}, "steps": 10}
    two = outcome(row("base", 20.0), *(row(f"ppo, seed {n}", 10.0, group="ppo") for n in (1, 2))).model_copy(update={"experiment": one})
    three = outcome(row("base", 20.0), *(row(f"ppo, seed {n}", 16.0, group="ppo") for n in (2, 3, 4))).model_copy(
        update={"experiment": other}
    )
    made, _ = lines(together([two, three], ["x", "y"]))
    means = {each.name: each for each in made if ":" in each.name}

    assert {"ppo: all 2 seeds": 2, "ppo (y): all 3 seeds": 3} == {name: each.trainings for name, each in means.items()}
    assert means["ppo: all 2 seeds"].measures["delay_s"].mean == pytest.approx(10.0, abs=0.1)
    assert means["ppo (y): all 3 seeds"].measures["delay_s"].mean == pytest.approx(16.0, abs=0.1)


def test_more_seeds_of_one_configuration_are_one_group() -> None:
    """The same experiment with further seeds: what both have is taken once, and the mean is over all of them."""
    seeds = [row(f"ppo, seed {n}", 10.0 + n, group="ppo") for n in (1, 2, 3)]
    made, _ = lines(together([outcome(row("base", 20.0), *seeds[:2]), outcome(row("base", 20.0), *seeds)], ["x", "y"]))

    assert [each.name for each in made] == ["base", *(each.name for each in seeds), "ppo: all 3 seeds"]


def test_a_baseline_of_other_numbers_stays_a_baseline() -> None:
    """Rules of one name but other numbers are told apart, are nobody's training, have no mean, and may be the reference."""
    made, base = lines(together([outcome(row("a", 20.0), row("bc", 21.0)), outcome(row("a", 15.0), row("bc", 16.0))], ["x", "y"]))

    assert base == "a (y)"
    assert [(each.name, each.trainings) for each in made] == [("a", 0), ("bc", 0), ("a (y)", 0), ("bc (y)", 0)]


def test_the_reference_is_the_hardest_baseline() -> None:
    """Without a name, the baseline with the least delay; several seeds have a line of their mean."""
    rows = [row("weak", 30.0), row("strong", 20.0), row("one", 18.0, group="ppo"), row("two", 19.0, group="ppo")]
    made, base = lines(outcome(*rows))

    assert base == "strong"
    assert [each.name for each in made] == ["weak", "strong", "one", "two", "ppo: all 2 seeds"]
    assert made[-1].against["delay_s"].mean == pytest.approx(-1.5, abs=0.05)
    assert any("strong" in line and line.rstrip().endswith("-") for line in told(outcome(*rows)))


def test_the_interval_of_several_trainings_says_what_it_is_over() -> None:
    """Trainings that lie far apart on days that are alike: the mean is sure for these trainings, and not for others, and both are told.

    Once the line of all seeds had the interval over days alone, as if it held for any seed.
    """
    delays = (10.0, 20.0, 30.0)
    rows = [row(f"ppo, seed {n}", delay, 0.1, group="ppo") for n, delay in enumerate(delays)]
    made, _ = lines(outcome(row("rule", 20.0), *rows))
    means = [fmean(each.measures["delay_s"]) for each in rows]

    assert made[-1].measures["delay_s"].half < 0.1
    assert interval(means) == made[-1].over_trainings["delay_s"]
    assert 20 < made[-1].over_trainings["delay_s"].half < 30
    assert not any(each.over_trainings for each in made[:-1])
    assert f"over trainings the delay is {fmean(means):.2f} ± {interval(means).half:.2f} s" in told(outcome(row("rule", 20.0), *rows))[-1]


def test_the_table_says_that_queues_and_stops_depend_on_who_looks() -> None:
    """The same plan has a third fewer stops if it is looked at every 15 s instead of every 5: whoever reads the columns is told."""
    assert any("whoever looks more often sees more stops" in line for line in told(outcome(row("rule", 20.0), row("policy", 19.0))))


def test_an_unknown_reference_is_refused() -> None:
    """With the names that there are."""
    with pytest.raises(Invalid, match="weak"):
        lines(outcome(row("weak", 1.0)), "strong")


def test_an_outcome_is_written_and_read(tmp_path: Path) -> None:
    """A result file gives the same outcome; one with a day too few is refused with its path."""
    whole = outcome(row("a", 1.0), row("bc", 2.0))
    place = tmp_path / "result.json"
    place.write_text(whole.model_dump_json(), encoding="utf-8")
    assert load(str(place)) == whole

    spoilt = json.loads(place.read_text(encoding="utf-8"))
    spoilt["rows"][1]["measures"]["delay_s"].pop()
    place.write_text(json.dumps(spoilt), encoding="utf-8")
    with pytest.raises(Invalid, match="rows.bc.delay_s"):
        load(str(place))
