"""When a delay is below 0, and that it then says what happened: drivers were faster than the limit, or a way counted as a whole."""

import numpy as np
import pytest

from arz import Physics, run, scenario

pytestmark = pytest.mark.timeout(600)


def test_who_comes_from_a_faster_road_gains_time() -> None:
    """On a bad road behind a good one drivers are faster than its limit until they have adapted, so they lose less than no time."""
    result = run(scenario("degraded_road", horizon_s=120.0), dtype="float64")
    first = np.flatnonzero(result.delay[:, 1].sum(axis=1) < -1.0)
    limit = np.array([45.0, 25.0]) / 3.6
    behind = result.cell_road == 1

    assert first.size
    assert result.cell_speed is not None
    assert (result.cell_speed[first][:, :, behind].max(axis=2) > limit).all()
    assert (result.delay[:, 0] >= 0).all()


def test_who_leaves_a_queue_under_an_additive_closure_gains_time() -> None:
    """There drivers in a jam adapt to a marker above V_max, and drive so fast when they leave it; under the default closure nobody does."""
    fast = run(scenario("corridor", crossings=1, horizon_s=600.0, physics=Physics(closure="logarithmic")), dtype="float64")
    usual = run(scenario("corridor", crossings=1, horizon_s=600.0), dtype="float64")

    assert fast.cell_speed is not None
    assert usual.cell_speed is not None
    assert fast.cell_speed.max() > 1.2 * 50 / 3.6
    assert usual.cell_speed.max() <= 50 / 3.6 * (1 + 1e-12)
    assert fast.delay.min() < 0


def test_a_way_counts_as_its_cell_is_left() -> None:
    """Where nobody is faster than the limit, an interval gains at most the way through a cell of those who were there; on the whole nobody."""
    result = run(scenario("victoria_island", horizon_s=450.0), dtype="float64")
    limit = 50 / 3.6
    were = np.concatenate([np.zeros_like(result.inside[:1]), result.inside[:-1]])

    assert result.delay.min() < -0.1
    assert (result.delay >= -were * result.cell_length_m.max() / limit - 1e-9).all()
    assert (result.delay.cumsum(axis=0) >= -1e-6).all()
