"""Pictures show what a result holds, with units, and say what is missing."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arz.errors import ArzError, Invalid
from arz.result import Result
from arz.running import run
from arz.world.network import Network, Node, Road
from arz.world.scenarios.registry import SCENARIOS, scenario
from arz.world.scheme import Scheme

pytest.importorskip("matplotlib")
from arz import plots

QUICK = ("ring", "ramp")
PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def corridor() -> Result:
    return run(scenario("corridor", horizon_s=240.0))


def texts(figure: Any) -> str:
    """All that is written on a picture's axes."""
    return " | ".join(
        text for axes in figure.axes for text in (axes.get_xlabel(), axes.get_ylabel(), axes.get_title("left"), axes.get_title())
    )


class TestEveryPicture:
    """What holds for all kinds."""

    @pytest.mark.parametrize("kind", list(plots.PICTURES))
    @pytest.mark.parametrize(
        "name", [each.name if each.name in QUICK else pytest.param(each.name, marks=pytest.mark.deep) for each in SCENARIOS]
    )
    def test_every_scenario(self, tmp_path: Path, name: str, kind: str) -> None:
        """Each scenario can be drawn, without a warning, and the file is a picture."""
        held = scenario(name)
        result = run(held.model_copy(update={"horizon_s": min(held.horizon_s, 60.0), "decision_s": min(held.decision_s, 15.0)}))
        plots.PICTURES[kind](result, tmp_path / "picture.png")

        assert PNG == (tmp_path / "picture.png").read_bytes()[:4]

    @pytest.mark.parametrize("kind", list(plots.PICTURES))
    def test_units(self, corridor: Result, tmp_path: Path, kind: str) -> None:
        """Every axis that counts something says in which unit."""
        said = texts(plots.PICTURES[kind](corridor, tmp_path / "picture.png"))
        expected = {
            "space_time": ["time (min)", "distance (m)", "density (veh/km per lane)", "motorcycles", "cars"],
            "network": ["x (m)", "y (m)", "density (veh/km per lane), all classes", "corridor at 4 min"],
            "fundamental": ["effective flow (veh/h per lane)", "occupancy (effective veh/km per lane)", "speed (km/h)"],
            "detectors": ["time (min)", "flow (veh/h, all lanes)", "density (veh/km per lane)", "speed (km/h)"],
        }

        assert [text for text in expected[kind] if text not in said] == []

    @pytest.mark.parametrize("kind", list(plots.PICTURES))
    def test_the_same_twice(self, corridor: Result, tmp_path: Path, kind: str) -> None:
        """A picture of a result is always the same picture."""
        pictures = []
        for name in ("one.png", "other.png"):
            plots.PICTURES[kind](corridor, tmp_path / name)
            pictures.append((tmp_path / name).read_bytes())

        assert pictures[0] == pictures[1]

    @pytest.mark.parametrize("kind", list(plots.PICTURES))
    def test_no_legend_looks_for_its_place(self, corridor: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        """Matplotlib warns when the search takes a second, as on a busy machine: each legend has its place."""
        searched = []

        def search(*given: object, **_: object) -> tuple[float, float]:
            searched.append(given)
            return 0.0, 0.0

        monkeypatch.setattr("matplotlib.legend.Legend._find_best_position", search)
        plots.PICTURES[kind](corridor, tmp_path / "picture.png")

        assert searched == []

    def test_other_formats(self, corridor: Result, tmp_path: Path) -> None:
        """The name's ending decides."""
        plots.network(corridor, path=tmp_path / "picture.pdf")

        assert b"%PDF" == (tmp_path / "picture.pdf").read_bytes()[:4]

    @pytest.mark.parametrize("path", ["picture.nope", "nowhere/picture.png"])
    def test_files_that_cannot_be(self, corridor: Result, tmp_path: Path, path: str) -> None:
        with pytest.raises(Invalid, match="cannot be written"):
            plots.network(corridor, path=tmp_path / path)

    def test_the_extra_is_named(self, corridor: Result, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who lacks matplotlib is told how to get it."""
        for module in [name for name in sys.modules if name.startswith("matplotlib")]:
            monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
        with pytest.raises(Invalid, match=r"pip install matplotlib"):
            plots.fundamental(corridor)

    def test_nothing_global(self, corridor: Result) -> None:
        """Pictures do not touch what the user draws with pyplot."""
        plots.network(corridor)

        assert "matplotlib.pyplot" not in sys.modules


class TestSpaceTime:
    """Time across, distance up."""

    def test_the_values_are_the_cells(self, corridor: Result) -> None:
        """What is painted is the density of the route's cells, in veh/km."""
        route = plots.main_route(corridor.scenario.network)
        mesh = plots.space_time(corridor, vehicle="car").axes[0].collections[0]
        cells = np.concatenate([np.flatnonzero(corridor.cell_road == corridor.roads.index(road.id)) for road in route])
        assert corridor.cell_density is not None

        np.testing.assert_allclose(
            corridor.cell_density[:, 1, cells].T * 1000, np.asarray(mesh.get_array()).reshape(len(cells), -1), rtol=1e-6
        )

    def test_the_whole_route(self, corridor: Result) -> None:
        """The panel is as high as the roads are long, and as wide as the run."""
        route = plots.main_route(corridor.scenario.network)
        axes = plots.space_time(corridor).axes[0]

        assert (0.0, 4.0) == axes.get_xlim()
        assert pytest.approx(sum(road.length_m for road in route)) == axes.get_ylim()[1]

    def test_roads_that_do_not_follow(self, corridor: Result) -> None:
        """A route must be one."""
        first = corridor.scenario.network.roads[0].id
        with pytest.raises(Invalid, match="does not begin where"):
            plots.space_time(corridor, [first, first])

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"roads": ["nope"]}, "nope"),
            ({"roads": []}, "is empty"),
            ({"quantity": "colour"}, "density, speed"),
            ({"vehicle": "tram"}, "tram"),
        ],
        ids=str,
    )
    def test_names_that_are_not_there(self, corridor: Result, options: dict[str, Any], said: str) -> None:
        with pytest.raises(ArzError, match=said):
            plots.space_time(corridor, **options)

    def test_without_fields(self) -> None:
        """A result without fields says what to do."""
        with pytest.raises(Invalid, match="fields=True"):
            plots.space_time(run(scenario("one_road", horizon_s=15.0, fields=False)))

    def test_without_rows(self) -> None:
        """So does one that never began."""
        with pytest.raises(Invalid, match="holds no whole interval"):
            plots.network(run(scenario("one_road", horizon_s=15.0), stop=lambda: True))


class TestNetwork:
    """The network at an instant."""

    def test_nearest_time(self, corridor: Result) -> None:
        """The output time that is nearest is drawn, and told."""
        assert "corridor at 1 min" == plots.network(corridor, 62.0).axes[0].get_title()

    def test_a_colour_for_each_part(self, corridor: Result) -> None:
        """With fields each cell is painted once on every road it lies on, without each road once; the colours are the densities."""
        bed, painted = plots.network(corridor).axes[0].collections[:2]
        assert corridor.cell_density is not None

        assert len(corridor.roads) == len(bed.get_paths())
        assert len(corridor.cell_road) <= len(painted.get_paths())
        assert pytest.approx(corridor.cell_density[-1].sum(axis=0).max() * 1000) == painted.get_array().max()

    def test_without_fields(self) -> None:
        result = run(scenario("corridor", horizon_s=30.0, fields=False))
        painted = plots.network(result).axes[0].collections[1]

        np.testing.assert_allclose(result.density[-1].sum(axis=1) * 1000, painted.get_array(), rtol=1e-6)

    def test_speed_is_weighted(self, corridor: Result) -> None:
        """The speed of all classes is that of the vehicles there, between those of the classes."""
        assert corridor.cell_speed is not None
        painted = plots.network(corridor, quantity="speed").axes[0].collections[1].get_array()

        assert corridor.cell_speed[-1].min() * 3.6 - 1e-3 <= painted.min()
        assert painted.max() <= corridor.cell_speed[-1].max() * 3.6 + 1e-3

    def test_width_by_lanes(self) -> None:
        """Of two roads the one with more lanes is wider, in proportion."""
        line = np.array([(0.0, 0.0), (100.0, 0.0)])
        narrow, wide = (np.ptp(plots._ribbon(line, 0.0, 1.0, lanes * 4.0)[:, 1]) for lanes in (1, 3))

        assert pytest.approx(3 * narrow) == wide

    def test_drivers_keep_right(self) -> None:
        """Both directions of a street lie side by side: eastbound south of westbound."""
        line = np.array([(0.0, 0.0), (100.0, 0.0)])

        assert plots._ribbon(line, 0.0, 1.0, 4.0)[:, 1].max() < 0 < plots._ribbon(line[::-1], 0.0, 1.0, 4.0)[:, 1].min()

    def test_nodes_without_places(self) -> None:
        """A network whose nodes all lie at one point says so."""
        network = Network(
            name="nowhere",
            roads=(Road(id="r", start="a", end="b", length_m=300.0, lanes=1, limit_kmh=50.0),),
            nodes=(Node(id="a"), Node(id="b")),
        )
        held = scenario("one_road", horizon_s=15.0)
        result = run(type(held)(name="nowhere", network=network, horizon_s=15.0))
        with pytest.raises(Invalid, match="all lie at one place"):
            plots.network(result)


class TestFundamental:
    """Points over the curve."""

    def test_settled_traffic_lies_on_the_curve(self) -> None:
        """Uniform traffic in equilibrium is drawn on the line."""
        result = run(scenario("ring", bump=0.0, horizon_s=30.0), dtype="float64")
        for k, _ in enumerate(result.classes):
            flow = plots.fundamental(result, vehicle=result.classes[k]).axes[0]
            x, y = np.asarray(flow.lines[0].get_xdata()), np.asarray(flow.lines[0].get_ydata())
            points = flow.collections[0].get_offsets()

            np.testing.assert_allclose(np.interp(points[:, 0], x, y), points[:, 1], rtol=1e-3)

    def test_one_class_is_the_ordinary_diagram(self) -> None:
        """With one class the axes are flow and density."""
        first = scenario("riemann").model_copy(update={"scheme": Scheme(order=1)})  # a model that others need compiled as well
        said = texts(plots.fundamental(run(first, dtype="float64")))

        assert "flow (veh/h per lane)" in said
        assert "density (veh/km per lane)" in said
        assert "effective" not in said


class TestDetectors:
    """Series."""

    def test_the_line_is_the_series(self, corridor: Result) -> None:
        """What is drawn is the flow of the road, in veh/h, over its intervals."""
        road = corridor.roads[0]
        line = plots.detectors(corridor, [road], quantities=["flow"]).axes[1].patches[0]

        np.testing.assert_allclose(corridor.flow[:, 0, 1] * 3600, line.get_data().values, rtol=1e-6)
        np.testing.assert_allclose(np.arange(17) / 4, line.get_data().edges)

    @pytest.mark.parametrize(("every_s", "windows"), [(None, 16), (15.0, 16), (60.0, 4), (100.0, 3), (1e6, 1)])
    def test_means_over_windows(self, corridor: Result, every_s: float | None, windows: int) -> None:
        """Longer windows join whole intervals, and the mean flow stays what it was."""
        figure = plots.detectors(corridor, corridor.roads[:1], quantities=["flow"], every_s=every_s)
        data = figure.axes[0].patches[0].get_data()

        assert windows == len(data.values)
        assert pytest.approx(corridor.flow[:, 0, 0].mean() * 3600) == np.average(data.values, weights=np.diff(data.edges))

    def test_speed_of_a_window(self, corridor: Result) -> None:
        """The speed of a window is its distance over its time, not a mean of speeds."""
        figure = plots.detectors(corridor, corridor.roads[:1], quantities=["speed"], every_s=240.0)

        assert (
            pytest.approx(corridor.distance[:, 0, 0].sum() / corridor.spent[:, 0, 0].sum() * 3.6)
            == figure.axes[0].patches[0].get_data().values[0]
        )

    def test_too_many_to_tell_apart(self, corridor: Result) -> None:
        with pytest.raises(Invalid, match="tells 7 lines apart"):
            plots.detectors(corridor, corridor.roads[:8])
