"""Runs the cases on the engine and gives the table."""

from collections.abc import Callable, Collection, Sequence

from arz.errors import Invalid, Unknown, Unstable
from arz.validate import registry
from arz.validate.base import Case, Figure, Row, Table

Progress = Callable[[float, float], None]

UNSOUND = "unsound states"


def validate(progress: Progress | None = None, cases: Collection[str] | None = None) -> Table:
    """Measures all cases, or those of these names or beginnings of one name, and holds them against their bounds; `ok` says whether all are kept.

    For the command line: `table = validate(Bar("validate", …))`; `table.plain()` is what `--json` prints, `page(table)` of
    `arz.validate.page` is the text of docs/validation.md and what `--out FILE` writes, `table.misses` is what to tell;
    exit with 1 unless `table.ok`. `progress(done, total)` counts cases. All of them take some minutes, a case at most one.
    """
    known = registry.cases()
    names = [case.name for case in known]
    asked = names if cases is None else [_named(name, names) for name in cases]
    chosen = [case for case in known if case.name in asked]
    rows = []
    for done, case in enumerate(chosen):
        if progress is not None:
            progress(done, len(chosen))
        rows.append(_measured(case))
    if progress is not None:
        progress(len(chosen), len(chosen))
    return Table(tuple(rows), tuple(dict.fromkeys(case.group for case in chosen)))


def _named(given: str, names: Sequence[str]) -> str:
    """The name that is given, or the only one that begins so."""
    found = [given] if given in names else [name for name in names if name.startswith(given)]
    if not found:
        raise Unknown("case", given, names)
    if len(found) > 1:
        raise Invalid("case", f"{given!r} is how {len(found)} names begin", f"choose among {'; '.join(found)}")
    return found[0]


def _measured(case: Case) -> Row:
    try:
        figures = [*case.measure(), Figure(UNSOUND, 0.0, at_most=0.0)]
    except Unstable as error:
        # The engine repairs nothing: it stops at the first state that is not sound.
        return Row(case.name, case.group.title, case.about, (Figure(UNSOUND, 1.0, at_most=0.0),), str(error))
    return Row(case.name, case.group.title, case.about, tuple(figures))
