"""Days differ by their seed: spread and surges, which can be looked up for any moment and leave what is on average alone."""

import numpy as np
import pytest

from arz.errors import Invalid
from arz.world.demand import Demand, Inflow, Surge

TWO = (
    Inflow(road="a", vehicle="motorcycle", profile=((0.0, 360.0),)),
    Inflow(road="a", vehicle="car", profile=((0.0, 720.0),)),
    Inflow(road="b", vehicle="car", profile=((0.0, 720.0),)),
)


def test_a_day_has_one_factor_for_each_entry() -> None:
    """Both classes of a road have the same; other roads and other seeds have others; the mean is 1, the spread as asked."""
    demand = Demand(inflows=TWO, spread=0.2)
    factors = np.array([demand.table(seed, 600.0)[1][:, 0] / [0.1, 0.2, 0.2] for seed in range(4000)])

    assert np.allclose(factors[:, 0], factors[:, 1])
    assert abs(np.corrcoef(factors[:, 1], factors[:, 2])[0, 1]) < 0.05
    assert factors[:, 1:].mean() == pytest.approx(1, abs=0.01)
    assert factors[:, 1:].std() == pytest.approx(0.2, abs=0.01)


def test_a_surge_is_as_long_and_as_strong_as_it_says() -> None:
    """Twice as many come for a minute, from a moment within bounds that the seed and the road choose."""
    demand = Demand(inflows=TWO, surges=(Surge(factor=2.0, length_s=60.0, earliest_s=100.0, latest_s=400.0),))
    begins = set()
    for seed in range(50):
        times, rates = demand.table(seed, 600.0)
        lengths = np.diff([*times, 600.0])
        for row, rate in zip(rates, (0.1, 0.2, 0.2), strict=True):
            rush = row == 2 * rate
            assert (rush | (row == rate)).all()
            assert lengths[rush].sum() == pytest.approx(60.0)
            assert 100 <= times[rush][0] <= 400
        assert (rates[0] * 2 == rates[1]).all()
        begins.add(float(times[rates[2] > 0.2][0]))
    assert len(begins) == 50


def test_a_later_window_agrees_with_an_earlier_one() -> None:
    """Whoever restores a snapshot sees the day that was."""
    demand = Demand(inflows=TWO, noise=0.2, spread=0.2, surges=(Surge(factor=3.0, length_s=90.0, latest_s=500.0),))
    whole, part = demand.table(3, 900.0), demand.table(3, 900.0, start_s=333.0)

    def rate(table: tuple[np.ndarray, np.ndarray], time_s: float) -> list[float]:
        found: list[float] = table[1][:, np.searchsorted(table[0], time_s, side="right") - 1].tolist()
        return found

    assert all(rate(whole, time) == rate(part, time) for time in np.linspace(333.0, 899.0, 200).tolist())


def test_without_them_nothing_changes() -> None:
    """The numbers of a demand with neither are those that it had before there were any."""
    times, rates = Demand(inflows=TWO, noise=0.1).table(7, 180.0)

    assert times.tolist() == [0.0, 60.0, 120.0]
    assert rates[1].tolist() == pytest.approx([0.222616592891, 0.203891016714, 0.201891283313], rel=1e-9)


def test_a_surge_that_begins_too_late_is_refused() -> None:
    with pytest.raises(Invalid, match=r"surges\[0\]\.latest_s"):
        Demand(surges=({"factor": 2.0, "length_s": 60.0, "earliest_s": 100.0, "latest_s": 50.0},))  # type: ignore[arg-type]
