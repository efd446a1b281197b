"""Several stores looked at together: each by itself, and results of one that contradict those of another."""

from collections.abc import Sequence
from dataclasses import dataclass

from simcache.errors import CacheError, Missing
from simcache.model import Entry, Json, blob_name, key_in_name
from simcache.stores.base import Store
from simcache.upkeep.contents import Contents, contents
from simcache.upkeep.divergences import Divergence, divergences
from simcache.upkeep.report import Progress, Report
from simcache.upkeep.verify import VerifyReport, verify


@dataclass(frozen=True, slots=True)
class AcrossReport(Report):
    """What several stores hold, what is wrong with each, and where they contradict each other."""

    stores: tuple[VerifyReport, ...]
    divergences: tuple[Divergence, ...]
    """Results of one key that differ, in whichever stores they lie; those that lie in one store are told of that one too."""

    @property
    def sound(self) -> bool:
        return not self.divergences and all(report.sound for report in self.stores)

    def to_json(self) -> Json:
        return {
            "sound": self.sound,
            "stores": [report.to_json() for report in self.stores],
            "divergences": Report.to_json(self)["divergences"],
        }


def verify_across(stores: Sequence[Store], *, progress: Progress | None = None) -> AcrossReport:
    """Verify each store as it stands at its place now, then compare what they hold under the same keys."""
    for store in stores:
        store.refresh()
    return AcrossReport(tuple(verify(store, progress=progress) for store in stores), tuple(_contradictions(stores)))


def _contradictions(stores: Sequence[Store]) -> list[Divergence]:
    held = [contents(store) for store in stores]
    where: dict[str, dict[str, Contents]] = {}
    for one in held:
        for names in one.entries():
            for name in names:
                where.setdefault(f"{name.split('/')[1]}/{key_in_name(name)}", {}).setdefault(name, one)
    found: list[Divergence] = []
    for names_of_key in where.values():
        if len(names_of_key) > 1:
            entries = [entry for name, one in names_of_key.items() if (entry := _entry(one, name)) is not None]
            found += divergences(entries, lambda sha: _bytes(held, sha))
    return sorted(found, key=lambda one: (one.function, one.key, one.what))


def _entry(held: Contents, name: str) -> Entry | None:
    try:
        return Entry.from_bytes(name, held.read(name))
    except CacheError:
        return None  # told of its own store


def _bytes(held: Sequence[Contents], sha: str) -> bytes:
    """The bytes of a blob, from the first store that has them."""
    name = blob_name(sha)
    for one in held:
        try:
            return one.read(name)
        except CacheError:
            continue
    raise Missing(name)
