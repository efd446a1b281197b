"""`list`: what there is to choose from."""

from collections.abc import Callable
from typing import Final

import click

from arz.cli.options import emit, json_option
from arz.cli.words import table


def _scenarios() -> dict[str, str]:
    from arz.world.scenarios.registry import SCENARIOS

    return {kind.name: kind.about for kind in SCENARIOS}


def _closures() -> dict[str, str]:
    from arz.laws.pressure.registry import CLOSURES

    return {closure.name: _first_sentence(closure.velocity) for closure in CLOSURES}


def _equilibria() -> dict[str, str]:
    from arz.laws.equilibrium.registry import EQUILIBRIA

    return {law.name: _first_sentence(law.share) for law in EQUILIBRIA}


def _importers() -> dict[str, str]:
    from arz.world.importers.registry import IMPORTERS

    return {importer.name: importer.says for importer in IMPORTERS}


def _junctions() -> dict[str, str]:
    from arz.laws.junctions.registry import JUNCTIONS

    return {junction.name: _first_sentence(junction.share) for junction in JUNCTIONS}


def _ends() -> dict[str, str]:
    from arz.laws.boundary.registry import ENDS

    return {end.name: _first_sentence(end.flux) for end in ENDS}


def _actuators() -> dict[str, str]:
    from arz.world.actuators.registry import ACTUATORS

    return {kind.model_fields["kind"].default: (kind.__doc__ or "").splitlines()[0] for kind in ACTUATORS}


def _first_sentence(made_by: Callable[..., object]) -> str:
    """What the file says it is for that a kind is made in."""
    import inspect

    module = inspect.getmodule(inspect.unwrap(made_by))
    return ((module.__doc__ if module else "") or "").splitlines()[0]


KINDS: Final[dict[str, Callable[[], dict[str, str]]]] = {
    "scenarios": _scenarios,
    "closures": _closures,
    "equilibria": _equilibria,
    "junctions": _junctions,
    "ends": _ends,
    "actuators": _actuators,
    "importers": _importers,
}


@click.command(name="list", epilog="Example: python -m arz list scenarios")
@click.argument("what", required=False, type=click.Choice(list(KINDS)))
@json_option
def list_kinds(what: str | None, *, as_json: bool) -> None:
    """List what there is to choose from: ready scenarios, laws, actuators, importers."""
    chosen = {what: KINDS[what]()} if what else {name: kinds() for name, kinds in KINDS.items()}
    emit(chosen, lambda: _lines(chosen), as_json=as_json)


def _lines(chosen: dict[str, dict[str, str]]) -> list[str]:
    lines: list[str] = []
    for name, kinds in chosen.items():
        lines += ["", *table((name, ""), list(kinds.items()))]
    return lines[1:]
