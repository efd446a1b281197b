"""The table as a page of Markdown."""

import math

from arz.validate.base import Figure, Group, Row, Table

HEAD = """# Is it right?

`python -m arz validate --out docs/validation.md` measures this page on the engine itself; no figure in it is written by hand.
Every run is float64 unless it says otherwise, with the default 0.9 of the longest sound time step.
Beside a figure stands its bound, where something is promised; what is not kept is **bold**.
A figure of which only rounding is left stands as "rounding": it is below its bound of at most 1e-11.
An unsound state (not a number, negative, beyond the jam) is never repaired: it stops the run, and would be a row without figures.
"""
ROUNDING = 1e-11
NOTHING = 1e-13
"""What is less is rounding, whose digits differ from machine to machine."""


def page(table: Table) -> str:
    """The same rows give the same text."""
    kept = table.bounds - len(table.misses)
    parts = [HEAD, f"{len(table.rows)} cases, {table.bounds} bounds: {kept} kept, {len(table.misses)} missed.\n"]
    if table.misses:
        parts.append("\n".join(f"- {miss}" for miss in table.misses) + "\n")
    parts += [_section(group, [row for row in table.rows if row.group == group.title]) for group in table.groups]
    return "\n".join(parts)


def _section(group: Group, rows: list[Row]) -> str:
    names = list(dict.fromkeys(figure.name for row in rows for figure in row.figures))
    lines = [f"| {' | '.join(['case', '', *names])} |", f"| {' | '.join(['---'] * (len(names) + 2))} |"]
    for row in rows:
        held = {figure.name: _cell(figure) for figure in row.figures}
        lines.append(f"| {' | '.join([row.case, row.fault or row.about, *(held.get(name, '') for name in names)])} |")
    return f"## {group.title}\n\n{group.about}\n\n" + "\n".join(lines) + "\n"


def _cell(figure: Figure) -> str:
    if figure.at_most is not None and 0 < figure.at_most <= ROUNDING and figure.met:
        return "rounding"
    said = _number(figure.value)
    if not figure.bounded or (figure.at_most == 0 and figure.met):
        return said
    bound = f"≤ {_number(figure.at_most)}" if figure.at_most is not None else f"≥ {_number(figure.at_least or 0.0)}"
    return f"{said} ({bound})" if figure.met else f"**{said}** ({bound})"


def _number(value: float) -> str:
    if abs(value) < NOTHING:
        return "0"
    if math.isfinite(value) and value == int(value) and abs(value) < 1e6:  # noqa: PLR2004 - counts are written out
        return str(int(value))
    return f"{value:.3g}" if 1e-2 <= abs(value) < 1e4 else f"{value:.2e}"  # noqa: PLR2004 - three digits either way
