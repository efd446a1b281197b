"""A result is kept exactly, and what cannot be read back is refused by name."""

import csv
import io
import json
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arz.errors import Invalid
from arz.result import FORMAT, QUANTITIES, Result
from arz.running import run
from arz.world.scenario import Scenario
from arz.world.scenarios.registry import scenario
from tests.arz.results import assert_same


@pytest.fixture(scope="module")
def result() -> Result:
    return run(scenario("corridor", horizon_s=60.0))


@pytest.fixture
def file(result: Result, tmp_path: Path) -> Path:
    result.save(tmp_path / "result.npz")
    return tmp_path / "result.npz"


class TestFile:
    """One npz file holds all of it."""

    def test_round_trip(self, result: Result, file: Path) -> None:
        """What is read is what was written, bit for bit."""
        assert_same(result, Result.load(file))
        assert result.wall_s == Result.load(file).wall_s

    @pytest.mark.parametrize("name", ["ring", "ramp", "one_road"])
    def test_other_scenarios(self, tmp_path: Path, name: str) -> None:
        """Axes without anything on them come back as well: no signals, no entries, one class, float64."""
        held = run(scenario(name, horizon_s=30.0), dtype="float64")
        held.save(tmp_path / "result.npz")

        assert_same(held, Result.load(tmp_path / "result.npz"))

    def test_an_incomplete_one(self, tmp_path: Path) -> None:
        """Without a row, and inside an interval: the state and the sums come back."""
        for pieces in (0, 2):
            seen = iter(range(9))
            held = run(scenario("one_road", horizon_s=90.0), every_s=45.0, stop=lambda seen=seen, pieces=pieces: next(seen) >= pieces)  # type: ignore[misc]
            held.save(tmp_path / "result.npz")

            assert bool(pieces) == bool(held.partial)
            assert_same(held, Result.load(tmp_path / "result.npz"))

    def test_without_fields(self, tmp_path: Path) -> None:
        """A result without fields has none when it is read."""
        held = run(scenario("one_road", horizon_s=30.0, fields=False))
        held.save(tmp_path / "result.npz")

        assert Result.load(tmp_path / "result.npz").cell_density is None

    def test_a_snapshot_keeps_its_types(self, result: Result, tmp_path: Path) -> None:
        """Whole numbers of any size, floats to the last bit, texts and arrays of every kind."""
        odd: dict[str, Any] = {
            "big": 2**100,
            "tiny": 5e-324,
            "tenth": 0.1,
            "nan": float("nan"),
            "text": "ä",
            "bits": np.array([True]),
            "none": np.zeros((0, 3), np.uint8),
        }
        replace(result, snapshot=odd).save(tmp_path / "result.npz")
        back = Result.load(tmp_path / "result.npz").snapshot
        assert back is not None

        assert repr({name: held for name, held in odd.items() if name not in {"bits", "none"}}) == repr(
            {name: back[name] for name in odd if name not in {"bits", "none"}}
        )
        for name in ("bits", "none"):
            np.testing.assert_array_equal(odd[name], back[name], strict=True)

    def test_no_pickle(self, file: Path) -> None:
        """Reading the file cannot run code: every array loads with pickles forbidden, and the scenario is JSON."""
        with np.load(file, allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes())
            assert all(arrays[name].dtype != object for name in arrays.files)

        assert "corridor" == header["scenario"]["name"]

    def test_equal_results_are_equal_files(self, result: Result, tmp_path: Path) -> None:
        """Nothing but the result decides about the bytes."""
        result.save(tmp_path / "one.npz")
        result.save(tmp_path / "other.npz")

        assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()

    def test_whole_or_not_at_all(self, result: Result, file: Path) -> None:
        """A write that fails leaves the file of before, and nothing beside it."""
        before = file.read_bytes()
        with pytest.raises(ValueError, match="Object arrays"):
            replace(result, partial={"sums": np.array([object()])}).save(file)

        assert before == file.read_bytes()
        assert [file] == list(file.parent.iterdir())

    def test_readable_by_others_as_other_files_are(self, file: Path, tmp_path: Path) -> None:
        (tmp_path / "other").touch()

        assert (tmp_path / "other").stat().st_mode == file.stat().st_mode

    def test_a_name_that_load_would_not_expect(self, result: Result, tmp_path: Path) -> None:
        """A result ends in .npz, so that nobody writes one over a scenario."""
        with pytest.raises(Invalid, match=r"end it with .npz"):
            result.save(tmp_path / "result.json")


def _npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def _rewritten(change: Callable[[dict[str, np.ndarray]], object]) -> Callable[[Path], object]:
    def spoil(file: Path) -> None:
        with np.load(file) as arrays:
            held = dict(arrays)
        change(held)
        np.savez(file, **held)

    return spoil


def _header(**fields: object) -> Callable[[Path], object]:
    def change(held: dict[str, np.ndarray]) -> None:
        header = json.loads(held["header"].tobytes()) | fields
        held["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)

    return _rewritten(change)


class TestDamage:
    """A file that is not what it should be is refused in a sentence that names it."""

    @pytest.mark.parametrize(
        ("spoil", "said"),
        [
            (lambda file: file.write_bytes(b""), "damaged"),
            (lambda file: file.write_bytes(b"{}"), "damaged"),
            (lambda file: file.write_bytes(file.read_bytes()[:-100]), "damaged"),
            (lambda file: file.write_bytes(file.read_bytes()[:5000]), "damaged"),
            (lambda file: file.write_bytes(file.read_bytes()[:900] + b"x" * 64 + file.read_bytes()[964:]), "damaged"),
            (lambda file: file.write_bytes(_npy()), "no archive of arrays"),
            (_rewritten(lambda held: held.pop("header")), "damaged"),
            (_rewritten(lambda held: held.pop("density")), "density"),
            (_rewritten(lambda held: held.update(flow=held["flow"][1:])), "flow has the shape"),
            (_rewritten(lambda held: held.update(cell_road=held["cell_road"][:, None])), "cell_road has the shape"),
            (_rewritten(lambda held: held.update(header=np.frombuffer(b"{", np.uint8))), "damaged"),
            (_header(format=FORMAT + 1), f"has format {FORMAT + 1}"),
            (_header(scenario={"name": "x"}), "network: is missing"),
            (_header(roads=[]), "damaged"),
            (lambda file: file.unlink(), "is not there"),
        ],
    )
    def test_refused(self, file: Path, spoil: Callable[[Path], object], said: str) -> None:
        spoil(file)
        with pytest.raises(Invalid) as caught:
            Result.load(file)

        assert str(file) == caught.value.path
        assert said in str(caught.value)

    def test_a_pickle_is_not_opened(self, file: Path) -> None:
        """A pickle that someone put into the file is refused unread."""
        with zipfile.ZipFile(file, "a") as archive, archive.open("snapshot.evil.npy", "w") as entry:
            np.lib.format.write_array(entry, np.array([print], dtype=object), allow_pickle=True)
        with pytest.raises(Invalid, match=r"damaged one \(snapshot\.evil is no whole array of numbers or text\)"):
            Result.load(file)


class TestTables:
    """CSV, for whoever wants tables."""

    def test_every_number_is_there(self, result: Result, tmp_path: Path) -> None:
        """A table gives back each number of an array, to the last bit."""
        result.to_csv(tmp_path)
        for place, names in (("roads", ("density", "delay")), ("cells", ("cell_density", "cell_speed")), ("entries", ("entered",))):
            with (tmp_path / f"{place}.csv").open(newline="") as file:
                rows = list(csv.DictReader(file))
            for name in names:
                column = next(head for head in rows[0] if head.startswith(name + "_"))
                array = getattr(result, name)
                shape = (array.shape[0], array.shape[2], array.shape[1]) if place == "cells" else array.shape
                read = np.array([row[column] for row in rows], dtype=array.dtype).reshape(shape)
                np.testing.assert_array_equal(read.swapaxes(1, 2) if place == "cells" else read, array, err_msg=name)

    def test_units_in_the_heads(self, result: Result, tmp_path: Path) -> None:
        result.to_csv(tmp_path)
        heads = {path.stem: path.read_text().splitlines()[0].split(",") for path in tmp_path.glob("*.csv")}

        assert ["time_s", "road", "vehicle", "density_veh_per_m_per_lane", "flow_veh_per_s", "speed_m_per_s"] == heads["roads"][:6]
        assert ["time_s", "signal", "phase", "phase_age_s"] == heads["signals"]
        assert {"roads", "cells", "entries", "outlets", "signals", "ledger"} == set(heads)

    def test_rows_name_their_place(self, result: Result, tmp_path: Path) -> None:
        """The first row of roads is the first interval of the first road and class."""
        result.to_csv(tmp_path)
        row = (tmp_path / "roads.csv").read_text().splitlines()[1].split(",")

        assert ["15", result.roads[0], result.classes[0]] == row[:3]
        assert 1 + 4 * len(result.roads) * 2 == len((tmp_path / "roads.csv").read_text().splitlines())

    def test_the_scenario_beside_them(self, result: Result, tmp_path: Path) -> None:
        result.to_csv(tmp_path)

        assert result.scenario == Scenario.load(tmp_path / "scenario.json")


class TestDatasets:
    """xarray and zarr, for whoever has them."""

    def test_xarray(self, result: Result) -> None:
        """Named axes, units, and the same numbers."""
        pytest.importorskip("xarray")
        data = result.to_xarray()

        np.testing.assert_array_equal(result.density, data["density"].values)
        assert QUANTITIES["density"].axes == data["density"].dims
        assert "veh/m per lane" == data["density"].attrs["units"]
        assert list(result.roads) == data["road"].values.tolist()
        assert result.scenario == Scenario.load(data.attrs["scenario"])

    def test_zarr(self, result: Result, tmp_path: Path) -> None:
        """A folder that xarray opens."""
        xarray = pytest.importorskip("xarray")
        pytest.importorskip("zarr")
        result.to_zarr(tmp_path / "result.zarr")
        with xarray.open_zarr(tmp_path / "result.zarr") as data:
            np.testing.assert_array_equal(result.cell_density, data["cell_density"].values)
            assert list(result.roads) == data["road"].values.tolist()

    @pytest.mark.parametrize("missing", ["xarray", "zarr"])
    def test_the_extra_is_named(self, result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
        """Who lacks a package is told how to get it."""
        if missing == "zarr":
            pytest.importorskip("xarray")
        monkeypatch.setitem(sys.modules, missing, None)
        with pytest.raises(Invalid, match=rf"needs {missing}, .* pip install xarray zarr"):
            result.to_zarr(tmp_path / "result.zarr")
