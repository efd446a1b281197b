"""Uniform traffic on the engine stays as it is, and drivers adapt with their own time."""

import math

import numpy as np
import pytest

from arz.engine.simulator import Simulator
from arz.world.network import Network, Node
from arz.world.scenario import Initial, Scenario, Uniform
from tests.arz.engines import FREE, LWR, PAIR, SECOND, lwr, road

pytestmark = pytest.mark.timeout(600)

DENSITIES = ((0.002, 0.003), (0.05, 0.03), (0.1, 0.1), (0.01, 0.146), (0.0, 0.15), (0.37, 0.0))


def ring(density: tuple[float, ...], speed: tuple[float, ...] | None = None) -> Scenario:
    """Three roads that are one closed reach, one of them a stub; filled alike everywhere."""
    roads = (road("one", "A", "B", 391.0), road("stub", "B", "C", 9.0), road("two", "C", "A", 600.0))
    network = Network(name="ring", roads=roads, nodes=tuple(Node(id=name) for name in "ABC"))
    initial = Initial(everywhere=Uniform(density_veh_per_m=density, speed_m_per_s=speed))
    if len(density) == 1:
        return lwr(network, initial=initial)
    return Scenario(name="ring", network=network, physics=PAIR, scheme=SECOND, initial=initial)


class TestUniform:
    """A ring of uniform traffic in equilibrium."""

    def test_two_classes(self) -> None:
        """From nearly empty to jammed, alone or mixed: after three thousand steps densities and speeds are the same to 1e-14."""
        simulator = Simulator([ring(density) for density in DENSITIES], dtype="float64", threads=1)
        before = simulator.fields()
        simulator.step(None, 3000 * simulator.dt_bound_s)
        after = simulator.fields()

        assert np.allclose(before.density, after.density, rtol=1e-14, atol=0)
        # Near standing still a speed is a small difference of large numbers.
        assert np.allclose(before.speed, after.speed, rtol=1e-14, atol=1e-14 * FREE)

    def test_one_class(self) -> None:
        """The same for the first order model, in free and in jammed traffic."""
        simulator = Simulator([ring((density,)) for density in (0.01, 0.03, 0.09, 0.15)], dtype="float64", threads=1)
        before = simulator.fields()
        simulator.step(None, 3000 * simulator.dt_bound_s)

        assert LWR.classes == simulator.classes
        assert np.allclose(before.density, simulator.fields().density, rtol=1e-14, atol=0)

    def test_uniform_speeds_stay_uniform(self) -> None:
        """No border between the roads of a reach, nor the stub among them, is seen by traffic that is not in equilibrium either."""
        simulator = Simulator(ring((0.05, 0.03), (3.0, 4.0)), dtype="float64", threads=1)
        simulator.step(None, 40.0)
        speed = simulator.fields().speed[0]

        assert (np.ptp(speed, axis=1) <= 1e-14 * FREE).all()


class TestRelaxation:
    """How drivers who are too slow come to their speed."""

    @pytest.mark.parametrize("speeds", [(2.0, 1.0), (9.0, 8.0)])
    def test_e_folding_is_tau(self, speeds: tuple[float, float]) -> None:
        """The distance to the equilibrium speed falls by e in 5 s for motorcycles and in 10 s for cars, exactly and at any step."""
        simulator = Simulator(ring((0.05, 0.03), speeds), dtype="float64", threads=1)
        wanted = Simulator(ring((0.05, 0.03)), dtype="float64", threads=1).fields().speed[0, :, 0]
        begun = np.array(speeds) - wanted
        for seconds in (1.0, 7.3, 0.1, 15.0):
            simulator.step(None, seconds)
            expected = wanted + begun * np.exp(-simulator.time_s / np.array([5.0, 10.0]))

            assert np.allclose(expected[:, None], simulator.fields().speed[0], rtol=1e-12, atol=0)

    def test_without_tau_nobody_adapts(self) -> None:
        """With no relaxation time who is slow stays slow."""
        simulator = Simulator(
            lwr(ring((0.05, 0.03)).network, initial=Initial(everywhere=Uniform(density_veh_per_m=(0.02,), speed_m_per_s=(6.0,)))),
            dtype="float64",
        )
        simulator.step(None, 120.0)

        assert math.isclose(6.0, float(simulator.fields().speed.mean()), rel_tol=1e-13)
