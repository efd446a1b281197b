"""The constants that physics gives the laws, and the parameters that it refuses."""

import math
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arz.errors import Invalid
from arz.laws.equilibrium.registry import EQUILIBRIA
from arz.laws.pressure.registry import CLOSURES
from arz.laws.stability import growth
from arz.world.physics import (
    CLASSES,
    KMH,
    PRODUCT,
    QUALITY_KMH,
    ClosureName,
    EquilibriumName,
    Physics,
    Quality,
    VehicleClass,
)

QUALITIES: tuple[Quality, ...] = get_args(Quality)
CLOSURE_NAMES: tuple[ClosureName, ...] = get_args(ClosureName)
ONE_OR_TWO: tuple[tuple[VehicleClass, ...], ...] = (CLASSES, ("car",), ("motorcycle",))


def test_records_name_every_law() -> None:
    """The names that a record takes are those of the registries, and product closures are those with an equilibrium of their own."""
    assert CLOSURE_NAMES == tuple(law.name for law in CLOSURES)
    assert get_args(EquilibriumName) == tuple(law.name for law in EQUILIBRIA)
    assert PRODUCT == tuple(law.name for law in CLOSURES if law.built_in_equilibrium)


@pytest.mark.parametrize("classes", ONE_OR_TWO, ids="+".join)
@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize(
    "closure", [name for name in CLOSURE_NAMES if name != "bounded"]
)  # which has no relaxation, so nothing to break up
def test_defaults_are_good_on_every_road(closure: ClosureName, quality: Quality, classes: tuple[VehicleClass, ...]) -> None:
    """Every closure is stable with its defaults, for one class and for two, on every quality and limit."""
    physics = Physics(closure=closure, classes=classes)
    for limit_kmh in (20.0, 50.0, 120.0):
        numbers = physics.numbers(limit_kmh, quality)

        assert [min(limit_kmh, QUALITY_KMH[quality][vehicle]) * KMH for vehicle in classes] == [number.limit for number in numbers]


def test_the_default_model_has_the_numbers_of_the_specification() -> None:
    """R_c = 0.15, A_m = 0.4 and R_m = R_c/(1 − creep/V_max), weights as in the page on the scheme, scale = 1/jam."""
    motorcycle, car = Physics().numbers(50.0, "R2")
    jam = 0.15 / (1 - 5 / 50)

    assert (0.4, 1.0, 1 / jam, jam) == pytest.approx((motorcycle.own, motorcycle.other, motorcycle.scale, motorcycle.jam))
    assert (1.0, 0.4, 1 / 0.15, 0.15) == pytest.approx((car.own, car.other, car.scale, car.jam))
    assert (5.0, 10.0) == (motorcycle.tau, car.tau)
    assert (5 * KMH, 0.0) == (motorcycle.creep, car.creep)
    assert motorcycle.jam == motorcycle.ceiling == car.ceiling


def test_the_additive_model_has_the_numbers_of_the_specification() -> None:
    """K = V_max, exponent 1, jam 0.25 veh/m; motorcycles feel the share α of the cars, cars all motorcycles."""
    motorcycle, car = Physics(closure="power").numbers(120.0, "R3")

    assert (1.0, 0.4, 50 * KMH, 0.25, 1.0, 0.5) == motorcycle[:5] + motorcycle[-1:]
    assert (1.0, 1.0, 35 * KMH, 0.25, 1.0, 0.5) == car[:5] + car[-1:]


@pytest.mark.parametrize("closure", PRODUCT)
@pytest.mark.parametrize("quality", QUALITIES)
def test_motorcycles_creep_where_cars_stand(closure: ClosureName, quality: Quality) -> None:
    """In the jam of the cars a motorcycle that wants V_max moves at the creeping speed, and a car stands."""
    law = next(law for law in CLOSURES if law.name == closure)
    motorcycle, car = Physics(closure=closure).numbers(50.0, quality)

    assert 5 * KMH == pytest.approx(law.velocity(motorcycle.limit, car.jam, motorcycle.scale, motorcycle.jam, motorcycle.shape))
    assert 0.0 == pytest.approx(law.velocity(car.limit, car.jam, car.scale, car.jam, car.shape), abs=1e-12)


def test_who_never_adapts_has_no_time_for_it() -> None:
    """No relaxation is an infinite time."""
    assert [math.inf, math.inf] == [number.tau for number in Physics(motorcycle_tau_s=None, car_tau_s=None).numbers(50.0, "R2")]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"closure": "power", "shape": 1.5}, "shape"),
        ({"closure": "power", "shape": 2.0, "classes": ("car",)}, "shape"),
        ({"closure": "logarithmic", "equilibrium": "triangular"}, "equilibrium"),
        ({"closure": "bounded", "classes": ("car",)}, "closure"),
        ({"closure": "bounded", "motorcycle_tau_s": None, "car_tau_s": None}, "closure"),
        ({"closure": "power", "shape": 0.5}, "shape"),
        ({"closure": "triangular", "shape": 1.0}, "shape"),
        ({"closure": "power", "equilibrium": "triangular"}, "equilibrium"),
        ({"equilibrium": "triangular"}, "equilibrium"),
        ({"classes": ()}, "classes"),
    ],
)
def test_parameters_that_no_run_bears_are_refused(fields: dict[str, object], path: str) -> None:
    """They are refused when they are chosen, before there is any road."""
    with pytest.raises(Invalid) as refused:
        Physics(**fields)  # type: ignore[arg-type]

    assert path == refused.value.path


def test_the_parameters_of_the_earlier_work_need_a_word() -> None:
    """γ = 1.5 and 2 are unstable; one class may have them if that is allowed, two may not with K below V_max."""
    unstable = Physics(closure="power", shape=2.0, classes=("car",), car_pressure_kmh=15.0, allow_unstable=True)
    pair = Physics(closure="power", shape=2.0, motorcycle_pressure_kmh=10.0, car_pressure_kmh=15.0, allow_unstable=True)

    assert 15 * KMH == pytest.approx(unstable.numbers(50.0, "R2")[0].scale)
    with pytest.raises(Invalid, match="at least V_max of every road"):
        pair.numbers(50.0, "R2")


def test_a_pressure_is_held_against_every_road() -> None:
    """K = 30 km/h is stable where 25 km/h are driven and not where 50 are."""
    physics = Physics(closure="power", classes=("car",), car_pressure_kmh=30.0)

    assert 30 * KMH == pytest.approx(physics.numbers(50.0, "R4")[0].scale)
    with pytest.raises(Invalid, match="allow_unstable") as refused:
        physics.numbers(50.0, "R2")
    assert "car_pressure_kmh" == refused.value.path


@settings(max_examples=60)
@given(
    quality=st.sampled_from(QUALITIES),
    closure=st.sampled_from(PRODUCT),
    share=st.floats(0.01, 0.99),
    split=st.floats(0.0, 1.0),
    wavelength=st.floats(5.0, 5000.0),
)
def test_product_closures_need_no_check(quality: Quality, closure: ClosureName, share: float, split: float, wavelength: float) -> None:
    """Drivers who adapt to a constant drive no wave, whatever the state: that is why physics does not ask."""
    law = next(law for law in CLOSURES if law.name == closure)
    m, c = Physics(closure=closure).numbers(50.0, quality)
    rho = (split * share * c.jam / m.own, (1 - split) * share * c.jam)
    rate = growth(
        law,
        lambda k, _: (m, c)[k].limit,
        (m.limit, c.limit),
        rho,
        wavelength,
        (m.tau, c.tau),
        (m.own, c.own),
        (m.other, c.other),
        (m.scale, c.scale),
        (m.jam, c.jam),
        (m.shape, c.shape),
    )

    assert rate < 1e-9


def test_nobody_drives_fast_in_a_jam() -> None:
    """A speed that only a marker of many times V_max could have is not drivable; standing always is."""
    physics = Physics()
    car = physics.numbers(50.0, "R2")[1]

    assert physics.drivable(car, 10.0, 0.02)
    assert not physics.drivable(car, 10.0, 0.14)
    assert not physics.drivable(car, 0.1, 0.15)
    assert physics.drivable(car, 0.0, 0.16)


@pytest.mark.parametrize("closure", ["power", "logarithmic"])
def test_motorcycles_do_not_feel_more_than_whole_cars(closure: ClosureName) -> None:
    """With α of 1.5 motorcycles between cars that stand would want to drive 1.5 times as fast as anybody may; it was taken."""
    assert 1.0 == Physics(closure=closure, alpha=1.0).numbers(50.0, "R2")[0].other
    with pytest.raises(Invalid, match="less than or equal to 1") as refused:
        Physics(closure=closure, alpha=1.5)
    assert "alpha" == refused.value.path
