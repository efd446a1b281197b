"""The harness of the benchmarks: several ways of doing one thing timed in turns, kept with machine and commit, shown as Markdown."""

import argparse
import contextlib
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "benchmarks.md"
PEERS = ("numpy", "numba", "xxhash", "pydantic", "joblib", "diskcache", "cachier", "s3fs", "boto3", "moto")
QUESTIONS = (
    "hit",
    "store",
    "key",
    "start",
    "many",
    "race",
    "sync",
    "remotes",
    "solver",
    "realtime",
    "solver_start",
    "scale",
    "env",
    "train",
)
"""In the order of the page."""

_PERCENTS = (10, 50, 90, 99)
_QUICK_FILE = 0.06
_LONGEST_WAIT = 400.0


@dataclass(frozen=True)
class Row:
    """How long one way took in one case (or how often something happened, by `unit`)."""

    case: str
    way: str
    unit: str
    samples: int
    p10: float
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True)
class Limit:
    """What the median of a way must reach: a number, so many times another way, so much beyond another way, or both of these."""

    way: str
    at_most: float
    times: str = ""
    beyond: str = ""


@dataclass(frozen=True)
class Least(Limit):
    """What the median of a way must not fall below, where more is better."""


@dataclass(frozen=True)
class Verdict:
    """A limit, and what was measured; `least` says that the limit is one from below."""

    case: str
    what: str
    measured: float
    at_most: float
    met: bool
    least: bool = False


class Question:
    """One question, and the answers as they are measured; leaving it prints them, and keeps them unless they are quick ones."""

    def __init__(self, name: str, sentence: str) -> None:
        """Read the command line: `--quick` for a small variant that is not kept, `--table` to show what is kept and measure nothing."""
        face = argparse.ArgumentParser(f"bench_{name}.py", description=sentence)
        face.add_argument("--quick", action="store_true", help="a small variant: few repetitions, nothing is kept")
        face.add_argument("--table", action="store_true", help=f"measure nothing; make {PAGE.name} anew from the kept results")
        options = face.parse_args()
        if options.table:
            write_page()
            print(_answer(_kept(name)))
            sys.exit()
        self.name = name
        self.sentence = sentence
        self.quick: bool = options.quick
        self._rows: list[Row] = []
        self._verdicts: list[Verdict] = []
        self._load = _load()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            return
        record = {
            "question": self.sentence,
            "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "commit": _commit(),
            "machine": {**_machine(), "load": self._load},
            "versions": _versions(),
            "rows": [asdict(row) for row in self._rows],
            "limits": [asdict(verdict) for verdict in self._verdicts],
        }
        print(_answer(record))
        if not self.quick:
            RESULTS.mkdir(exist_ok=True)
            (RESULTS / f"{self.name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            write_page()

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """A new folder on the disk of this checkout, removed at the end."""
        with tempfile.TemporaryDirectory(prefix=".bench-", dir=HERE, ignore_cleanup_errors=True) as made:
            if not self.quick:
                _wait_for_disk(Path(made, "probe"))
            yield Path(made)

    def compare(
        self,
        case: str,
        ways: Mapping[str, Callable[[], object]],
        *,
        rounds: int,
        burst: int = 1,
        between: Callable[[], object] | None = None,
        limits: Sequence[Limit] = (),
    ) -> None:
        """Time the ways in turns: in each round every way makes a burst of calls; `between` clears up, untimed, after each way.

        The first round is not counted. The way that begins moves on from round to round, so that none always follows the same one.
        """
        rounds = max(3, rounds // 10) if self.quick else rounds
        order = list(ways)
        times: dict[str, list[float]] = {way: [] for way in order}
        gc.collect()
        for number in range(rounds + 1):
            for way in order[number % len(order) :] + order[: number % len(order)]:
                spent = [_timed(ways[way]) for _ in range(burst)]
                if number:
                    times[way] += spent
                if between is not None:
                    between()
        for way, spent in times.items():
            self.add(case, way, spent, "ms")
        for limit in limits:
            self.judge(case, limit)

    def rates(self, case: str, ways: Mapping[str, Callable[[], float]], unit: str, *, rounds: int) -> None:
        """Like `compare`, for ways that tell themselves what they measured."""
        rounds = max(3, rounds // 10) if self.quick else rounds
        order = list(ways)
        samples: dict[str, list[float]] = {way: [] for way in order}
        for number in range(rounds + 1):
            for way in order[number % len(order) :] + order[: number % len(order)]:
                measured = ways[way]()
                if number:
                    samples[way].append(measured)
        for way, measured_by_it in samples.items():
            self.add(case, way, measured_by_it, unit)

    def add(self, case: str, way: str, samples: Sequence[float], unit: str) -> None:
        """Note what was measured elsewhere."""
        ordered = sorted(samples)
        spread = (round(ordered[round(percent / 100 * (len(ordered) - 1))], 5) for percent in _PERCENTS)
        self._rows.append(Row(case, way, unit, len(ordered), *spread))

    def judge(self, case: str, limit: Limit) -> None:
        """Hold a way against what it must reach."""
        medians = {row.way: row.p50 for row in self._rows if row.case == case}
        unit = next(row.unit for row in self._rows if row.case == case)
        measured = medians[limit.way]
        base = medians[limit.beyond] if limit.beyond else 0.0
        measured, kind = measured - base, unit
        if limit.times:
            measured, kind = measured / (medians[limit.times] - base), f"times {limit.times}"
        what = f"{limit.way}: {kind}" + (f" beyond {limit.beyond}" if limit.beyond else "")
        least = isinstance(limit, Least)
        met = measured >= limit.at_most if least else measured <= limit.at_most
        self._verdicts.append(Verdict(case, what, round(measured, 6), limit.at_most, met, least))


def _wait_for_disk(probe: Path) -> None:
    """Wait until making a file is quick again: ext4 searches its way past files that were removed a while ago, for some minutes."""
    numbers = count()

    def make() -> None:
        os.close(os.open(f"{probe}{next(numbers)}", os.O_CREAT | os.O_EXCL))

    deadline = time.monotonic() + _LONGEST_WAIT
    while (took := median(_timed(make) for _ in range(31))) > _QUICK_FILE and time.monotonic() < deadline:
        print(f"a new file takes {took:.3f} ms here, as files were removed lately; waiting a little", file=sys.stderr)
        time.sleep(30)


def _timed(call: Callable[[], object]) -> float:
    """Milliseconds of one call, its result given back to the system included."""
    began = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - began)


def write_page() -> None:
    """Make docs/benchmarks.md anew from what is kept."""
    kept = [_answer(_kept(name)) for name in QUESTIONS if (RESULTS / f"{name}.json").is_file()]
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("\n\n".join([_OPENING.strip(), *kept]) + "\n", encoding="utf-8")


_OPENING = """
# How fast is it?

`python3 dev.py bench` measures this page, and `python3 dev.py bench --table` makes it anew from `benchmarks/results/`; nothing in it is written by hand.
In each question all ways take turns in one run, so that what else the machine does meets all of them alike.
Times are milliseconds; beside the median stand the percentiles.
A limit in milliseconds was set on another machine, together with what a peer took there: where both are known, the limit stands as a share of that peer, too, and that is the one to compare machines by.

- *raw* is the system alone: the calls that move the bytes, with XXH3-128 over a map where bytes are checked.
- *raw, two files* is what a store of blobs and entries cannot do without: the bytes, their SHA-256, and a second file of 750 bytes.
- *floor* is `benchmarks/floor.py`: about fifty lines of Python with the same duties (one file a result, checked on every load, mapped, renamed, locked), and none of the rest: no code version, no record of who made it, no SHA-256.
- joblib, diskcache and cachier are the peers. None of them checks what it loads; none of them notices a changed helper.
- redun is not here: it brings 45 packages and 145 MB, among them a client of a cloud.

A blob is named by its SHA-256, which alone takes longer than writing a large file; the floor and the peers have no such name.
A miss may take 1.5 times the floor, and a durable one 1.3 times *raw*.
The same limits are shown for *raw, two files*: where that misses, no store of two files a result can keep them, whatever its language.
A value of up to 1,024 bytes stands in its entry and is one file.
"""


def _kept(name: str) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        sys.exit(f"nothing is kept for {name} yet: run `python3 dev.py bench {name}`")
    return record


def _answer(record: Mapping[str, Any]) -> str:
    """One question in Markdown: the times, what was to be reached, and where it was measured."""
    lines = [
        f"## {record['question']}",
        "",
        "| case | way | 10 % | median | 90 % | 99 % | calls |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    case = ""
    for row in record["rows"]:
        unit = "" if row["unit"] == "ms" else f" {row['unit']}"
        numbers = " | ".join(f"{_shown(row[name])}{unit}" for name in ("p10", "p50", "p90", "p99"))
        lines.append(f"| {row['case'] if row['case'] != case else ''} | {row['way']} | {numbers} | {row['samples']} |")
        case = row["case"]
    if record["limits"]:
        lines += ["", "| to reach | measured | limit | |", "| --- | --- | --- | --- |"]
        for limit in record["limits"]:
            met = "met" if limit["met"] else "**missed**"
            side = "at least" if limit.get("least") else "at most"
            lines.append(f"| {limit['case']}, {limit['what']} | {_shown(limit['measured'])} | {side} {_shown(limit['at_most'])} | {met} |")
    machine, versions = record["machine"], ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, load {machine['load']}"
    lines += ["", f"Measured {record['at']} at commit {record['commit']} on {where}; {versions}."]
    return "\n".join(lines)


def _shown(number: float) -> str:
    """Three digits that count."""
    if number == 0 or abs(number) >= 100:
        return f"{number:.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}" if abs(number) >= 1 else f"{number:.3f}"


def _machine() -> dict[str, Any]:
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    return {"cpu": model, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}"}


def _load() -> float | None:
    """How busy the machine was before: the average number of running programs in the last minute."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for name in PEERS:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _commit() -> str:
    """The commit of this checkout, with a `+` if anything beside the measurements differs from it."""
    commit, changed = _git("rev-parse", "--short=12", "HEAD"), _git("status", "--porcelain", "--", "simcache", "arz", "benchmarks/*.py")
    return f"{commit or 'unknown'}{'+' if changed else ''}"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=HERE.parent, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
