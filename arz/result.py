"""What a run gives: named arrays over its output times, the ledger, and a snapshot to go on from; kept as one npz file."""

import csv
import dataclasses
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from arz.engine.ledger import Ledger
from arz.errors import ArzError, Invalid
from arz.world.scenario import Scenario

if TYPE_CHECKING:
    import xarray

Array: TypeAlias = NDArray[Any]
Held: TypeAlias = Array | int | float | str
PathLike: TypeAlias = str | os.PathLike[str]

FORMAT: Final = 1
"""The number of this way to write a file; a reader refuses a larger one."""


class Quantity(NamedTuple):
    """What an array of a result holds."""

    axes: tuple[str, ...]
    unit: str
    meaning: str


_ROADS, _ENTRIES, _OUTLETS = (("time", place, "vehicle") for place in ("road", "entry", "outlet"))
_CELLS = ("time", "vehicle", "cell")
_SIGNALS = ("time", "signal")
QUANTITIES: Final[Mapping[str, Quantity]] = {
    "density": Quantity(_ROADS, "veh/m per lane", "mean over the road and the interval"),
    "flow": Quantity(_ROADS, "veh/s", "mean over the road and the interval, all lanes together"),
    "speed": Quantity(_ROADS, "m/s", "distance driven over time spent in the interval"),
    "inside": Quantity(_ROADS, "veh", "on the road at the end of the interval"),
    "queue": Quantity(_ROADS, "veh", "slower than 2 m/s at the end of the interval"),
    "delay": Quantity(_ROADS, "veh s", "time lost against the speed limit in the interval; below 0 where drivers are faster"),
    "spent": Quantity(_ROADS, "veh s", "time spent on the road in the interval"),
    "distance": Quantity(_ROADS, "veh m", "distance driven on the road in the interval"),
    "waiting": Quantity(_ENTRIES, "veh", "waiting to enter at the end of the interval"),
    "entered": Quantity(_ENTRIES, "veh", "entered since the start of the run"),
    "left": Quantity(_OUTLETS, "veh", "left since the start of the run"),
    "phase": Quantity(_SIGNALS, "1", "number of the phase at the end of the interval"),
    "phase_age_s": Quantity(_SIGNALS, "s", "time in that phase at the end of the interval"),
    "cell_density": Quantity(_CELLS, "veh/m per lane", "at the end of the interval"),
    "cell_speed": Quantity(_CELLS, "m/s", "at the end of the interval"),
}
"""The arrays over time; those of cells are there if the scenario asks for fields."""

MEASURED: Final = tuple(name for name, quantity in QUANTITIES.items() if quantity.axes is not _CELLS)
_IDS: Final = ("classes", "roads", "entries", "outlets", "signals")
_GRID: Final = ("cell_road", "cell_from_m", "cell_length_m", "piece_road", "piece_cell", "piece_from_m", "piece_length_m")
_PLAIN: Final = ("dtype", "every_s", "complete", "wall_s", *_IDS, "notes")
_ARCHIVE: Final = b"PK\x03\x04"
"""What a file of arrays begins with."""
_DAMAGE: Final = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError)


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """A run as named arrays, each with the axes and the unit that `QUANTITIES` tells; times_s[i] is the end of interval i.

    An incomplete one (`complete` is False) holds the whole intervals up to where the run stopped, and goes on from there by
    `run(result.scenario, resume=result)`; together that is the run without a stop, bit for bit.
    """

    scenario: Scenario
    times_s: Array
    density: Array
    flow: Array
    speed: Array
    inside: Array
    queue: Array
    delay: Array
    spent: Array
    distance: Array
    waiting: Array
    entered: Array
    left: Array
    phase: Array
    phase_age_s: Array
    cell_density: Array | None
    """None, as cell_speed is, if the scenario does not ask for fields."""
    cell_speed: Array | None
    cell_road: Array
    """The road (its place in `roads`) on which the greater part of each cell lies, and where on it that part begins."""
    cell_from_m: Array
    cell_length_m: Array
    """As computed: a lone road that is shorter than half a cell is computed longer than it is."""
    piece_road: Array
    """Which metres of which road belong to which cell: arrays [piece], in the order of the roads and along them."""
    piece_cell: Array
    piece_from_m: Array
    piece_length_m: Array
    ledger: Ledger
    """Of this one world: its arrays are by class. A repaired state is in no result: a run that meets an unsound one ends as Unstable."""
    snapshot: Mapping[str, Held] | None
    """The simulator where the run stopped, for `Simulator.restore` and `resume`; None if there is no sound state."""
    partial: Mapping[str, Array]
    """Sums over an interval that has begun, if the run stopped inside one."""
    classes: tuple[str, ...]
    roads: tuple[str, ...]
    entries: tuple[str, ...]
    outlets: tuple[str, ...]
    signals: tuple[str, ...]
    notes: tuple[str, ...]
    """What was assumed or changed when the run was planned."""
    dtype: str
    every_s: float
    complete: bool
    wall_s: float
    """Time that the computation took, compiling left out, of all parts of a resumed run together."""

    @property
    def time_s(self) -> float:
        """The end of the last whole interval."""
        return float(self.times_s[-1]) if len(self.times_s) else 0.0

    def ids(self, axis: str) -> tuple[str, ...]:
        """The names along an axis: vehicle, road, entry, outlet or signal."""
        return {"vehicle": self.classes, "road": self.roads, "entry": self.entries, "outlet": self.outlets, "signal": self.signals}[axis]

    def save(self, path: PathLike) -> None:
        """Writes all of it as one npz file without pickle, whole or not at all; the scenario is JSON inside."""
        place = Path(path)
        if place.suffix != ".npz":
            raise Invalid(str(path), "is no name of a result", "end it with .npz")
        header = {name: getattr(self, name) for name in _PLAIN} | {"format": FORMAT, "scenario": self.scenario.model_dump(mode="json")}
        arrays = {name: held for name in ("times_s", *QUANTITIES, *_GRID) if (held := getattr(self, name)) is not None}
        scalars: dict[str, Held] = {}
        for prefix, parts in (("ledger", _parts(self.ledger)), ("snapshot", self.snapshot or {}), ("partial", self.partial)):
            arrays |= {f"{prefix}.{name}": held for name, held in parts.items() if isinstance(held, np.ndarray)}
            scalars |= {f"{prefix}.{name}": held for name, held in parts.items() if not isinstance(held, np.ndarray)}
        header |= {"scalars": scalars, "has_snapshot": self.snapshot is not None}
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
        _write_whole(place, arrays)

    @classmethod
    def load(cls, path: PathLike) -> "Result":
        """What `save` wrote, bit for bit; Invalid if the file is damaged, of a newer format or something else."""
        try:
            held = _arrays(path)
            header = json.loads(held.pop("header").tobytes())
            if not isinstance(header.get("format"), int) or header["format"] > FORMAT:
                raise _Newer(f"has format {header.get('format')}, and this program reads up to {FORMAT}")
            return cls._made_of(header, held)
        except FileNotFoundError:
            raise Invalid(str(path), "is not there", "name an npz file that a run has written") from None
        except _Newer as problem:
            raise Invalid(str(path), str(problem), "use a newer one") from None
        except ArzError as problem:
            raise Invalid(str(path), f"holds a scenario that is refused ({_first_line(problem)})", "run it anew by this version") from None
        except _DAMAGE as problem:
            raise Invalid(str(path), f"is no result, or a damaged one ({_first_line(problem)})", "run the scenario again") from None

    @classmethod
    def _made_of(cls, header: Mapping[str, Any], held: Mapping[str, Array]) -> "Result":
        parts: dict[str, dict[str, Any]] = {"ledger": {}, "snapshot": {}, "partial": {}}
        for name, part in (*held.items(), *header["scalars"].items()):
            prefix, dot, rest = name.partition(".")
            if dot:
                parts[prefix][rest] = part
        fields: dict[str, Any] = {name: tuple(header[name]) if isinstance(header[name], list) else header[name] for name in _PLAIN}
        fields |= {name: held[name] for name in ("times_s", *MEASURED, *_GRID)}
        fields |= {name: held.get(name) for name in ("cell_density", "cell_speed")}
        result = cls(
            scenario=Scenario(**header["scenario"]),
            ledger=Ledger(**parts["ledger"]),
            snapshot=parts["snapshot"] if header["has_snapshot"] else None,
            partial=parts["partial"],
            **fields,
        )
        result._check_shapes()
        return result

    def _check_shapes(self) -> None:
        """The shape of each array is that of its axes; ValueError names the first that is not."""
        lengths = {"time": self.times_s.size, "cell": self.cell_road.size, "piece": self.piece_road.size}
        lengths |= {axis: len(self.ids(axis)) for axis in ("vehicle", "road", "entry", "outlet", "signal")}
        axes = {name: quantity.axes for name, quantity in QUANTITIES.items()} | {name: (name.partition("_")[0],) for name in _GRID}
        for name, along in (axes | {"times_s": ("time",)}).items():
            held = getattr(self, name)
            expected = tuple(lengths[axis] for axis in along)
            if held is not None and held.shape != expected:
                raise ValueError(f"{name} has the shape {held.shape}, and its axes {expected}")

    def to_csv(self, folder: PathLike) -> None:
        """Writes a folder of tables, one row for each time and place (and class), with units in the heads; and scenario.json."""
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        for axes in dict.fromkeys(quantity.axes for quantity in QUANTITIES.values()):
            names = [name for name, quantity in QUANTITIES.items() if quantity.axes == axes and getattr(self, name) is not None]
            if names:
                _write_table(place / f"{_plural(_place_of(axes))}.csv", self._rows(axes, names))
        _write_table(place / "ledger.csv", self._ledger_rows())
        (place / "scenario.json").write_text(self.scenario.model_dump_json(indent=1) + "\n", "utf-8")

    def _rows(self, axes: tuple[str, ...], names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """The head, then a row for each index along the axes, the last axis running fastest."""
        places = _place_of(axes)
        labels: list[tuple[Any, ...]] = [(name,) for name in self.ids(places)] if places != "cell" else list(self._cells())
        head = ["road", "from_m", "length_m"] if places == "cell" else [places]
        vehicles = [(name,) for name in self.classes] if "vehicle" in axes else [()]
        columns = [_headed(name) for name in names]
        yield ["time_s", *head, *(["vehicle"] if "vehicle" in axes else []), *columns]
        for i, time_s in enumerate(self.times_s):
            # A cell's arrays have the class before the place, so that one class is one row of memory.
            texts = [_texts(getattr(self, name)[i].T if places == "cell" else getattr(self, name)[i]) for name in names]
            heads = (place + vehicle for place in labels for vehicle in vehicles)
            for where, *values in zip(heads, *texts, strict=True):
                yield [f"{time_s:.10g}", *where, *values]

    def _cells(self) -> Iterator[tuple[str, str, str]]:
        for road, start, length in zip(self.cell_road, self.cell_from_m, self.cell_length_m, strict=True):
            yield self.roads[road], f"{start:.6g}", f"{length:.6g}"

    def _ledger_rows(self) -> Iterator[Sequence[Any]]:
        accounts = _parts(self.ledger)
        yield ["vehicle", *accounts]
        for k, vehicle in enumerate(self.classes):
            yield [vehicle, *(repr(held[k].item()) for held in accounts.values())]

    def to_xarray(self) -> "xarray.Dataset":
        """An xarray.Dataset with named axes, units and the scenario in its attributes; needs the extra `xarray`."""
        try:
            import xarray
        except ImportError:
            raise Invalid("to_xarray", "needs xarray, which is not installed", "pip install xarray zarr") from None
        arrays = {
            name: (quantity.axes, getattr(self, name), {"units": quantity.unit, "long_name": quantity.meaning})
            for name, quantity in QUANTITIES.items()
            if getattr(self, name) is not None
        }
        axes = {axis for dims, *_ in arrays.values() for axis in dims}
        named: dict[str, Any] = {
            axis: np.asarray(self.ids(axis), dtype=str) for axis in ("vehicle", "road", "entry", "outlet", "signal") if axis in axes
        }
        along = {"cell_road": np.asarray(self.roads, dtype=str)[self.cell_road], "from_m": self.cell_from_m, "length_m": self.cell_length_m}
        cells: dict[str, Any] = {name: ("cell", held) for name, held in along.items()} if "cell" in axes else {}
        return xarray.Dataset(
            arrays,
            coords={"time": ("time", self.times_s, {"units": "s"}), **named, **cells},
            attrs={
                "scenario": self.scenario.model_dump_json(),
                "complete": int(self.complete),
                "dtype": self.dtype,
                "every_s": self.every_s,
            },
        )

    def to_zarr(self, path: PathLike) -> None:
        """Writes `to_xarray` as a zarr folder; needs the extra `xarray`."""
        dataset = self.to_xarray()
        try:
            import zarr  # noqa: F401 - asked for here, so that the error names the extra
        except ImportError:
            raise Invalid("to_zarr", "needs zarr, which is not installed", "pip install xarray zarr") from None
        dataset.to_zarr(os.fspath(path), mode="w", zarr_format=2)


class _Newer(Exception):
    """A file of a later format."""


def of_one_world(ledger: Ledger) -> Ledger:
    """The first world's part of a ledger: its arrays lose their first axis."""
    return Ledger(**{name: np.asarray(held)[0] for name, held in _parts(ledger).items()})


def _parts(ledger: Ledger) -> dict[str, Any]:
    return {field.name: np.asarray(getattr(ledger, field.name)) for field in dataclasses.fields(ledger)}


def _arrays(path: PathLike) -> dict[str, Array]:
    with open(path, "rb") as file:
        # numpy takes whatever is no archive for a pickle, and advises to load it as one, which may run code.
        if file.read(len(_ARCHIVE)) != _ARCHIVE:
            raise ValueError("no archive of arrays")
        file.seek(0)
        archive = np.load(file, allow_pickle=False)
        return {name: _plain(archive, name) for name in archive.files}


def _plain(archive: Mapping[str, Array], name: str) -> Array:
    try:
        return archive[name]
    except ValueError:
        raise ValueError(f"{name} is no whole array of numbers or text") from None


def _write_whole(place: Path, arrays: Mapping[str, Array]) -> None:
    """The file is there with all its bytes, or as it was before."""
    handle, unfinished = tempfile.mkstemp(prefix=f".{place.stem[:40]}-", suffix=".tmp", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        _as_open_would(unfinished)
        os.replace(unfinished, place)
    except BaseException:
        os.unlink(unfinished)
        raise


def _as_open_would(path: str) -> None:
    """A temporary file is its owner's alone; a result may be read by whoever may read other files of this user."""
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(path, 0o666 & ~mask)


def _write_table(path: Path, rows: Iterator[Sequence[Any]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _texts(values: Array) -> list[str]:
    """Each number by as few digits as give it back."""
    return [str(value) for value in values.ravel()] if values.dtype == np.float32 else [repr(value) for value in values.ravel().tolist()]


def _headed(name: str) -> str:
    """The name of a quantity with its unit, once."""
    unit = QUANTITIES[name].unit
    word = "" if unit == "1" else "_" + unit.replace(" per ", "_per_").replace("/", "_per_").replace(" ", "_")
    return name if name.endswith(word) else name + word


def _place_of(axes: Sequence[str]) -> str:
    return next(axis for axis in axes if axis not in ("time", "vehicle"))


def _plural(word: str) -> str:
    return {"entry": "entries"}.get(word, word + "s")


def _first_line(problem: BaseException) -> str:
    return next(iter(str(problem).splitlines()), type(problem).__name__)
