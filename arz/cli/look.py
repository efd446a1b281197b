"""`show`: a scenario, a network or a result."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from arz.cli.options import emit, is_network, json_option, loaded, option_option, scenario_of, set_option
from arz.cli.root import Told

if TYPE_CHECKING:
    from arz.result import Result

_ROWS = 20


@click.command(epilog="Example: python -m arz show island.npz --plot pictures/")
@click.argument("target", metavar="SCENARIO|FILE")
@option_option
@set_option
@click.option("--limit", type=click.IntRange(min=0), default=_ROWS, show_default=True, help="At most so many roads; 0 for all.")
@click.option("--plot", "folder", metavar="FOLDER", help="Of a result: also draw it, as PNG files in this folder.")
@json_option
def show(target: str, options: Sequence[str], changes: Sequence[str], limit: int, folder: str | None, *, as_json: bool) -> None:
    """Show a scenario, a network or a result.

    --json gives a scenario or a network whole, ready for `run` and --set; of a result it gives the sums.
    """
    if target.endswith(".npz"):
        if options or changes:
            raise Told("a result is what it is: --option and --set are for scenarios")
        _show_result(target, limit, folder, as_json=as_json)
        return
    if folder is not None:
        raise Told("--plot draws results: run the scenario with --out NAME.npz first")

    from arz.cli.tables import network_lines, scenario_lines

    if is_network(target):
        if options or changes:
            raise Told("a road network is what it is: --option and --set are for scenarios")
        from arz.world.network import Network

        network = loaded(Network, target)
        emit(network.model_dump(mode="json"), lambda: network_lines(network, limit), as_json=as_json)
        return
    scenario = scenario_of(target, options, changes)
    emit(scenario.model_dump(mode="json"), lambda: scenario_lines(scenario, limit), as_json=as_json)


def _show_result(path: str, limit: int, folder: str | None, *, as_json: bool) -> None:
    from arz.cli.tables import result_lines, summary
    from arz.result import Result

    result = Result.load(path)
    pictures = _draw(result, folder) if folder is not None else {}
    said = [f"drawn: {picture}" for picture in pictures.values() if picture is not None]
    emit(summary(result) | {"pictures": pictures}, lambda: [*result_lines(result, limit), *said], as_json=as_json)


def _draw(result: "Result", folder: str) -> dict[str, str | None]:
    """Every picture that can be made of this result, and where it is; None where the result does not hold what it shows."""
    from arz.errors import Invalid
    from arz.plots import PICTURES

    os.makedirs(folder, exist_ok=True)
    pictures: dict[str, str | None] = {}
    for name, draw in PICTURES.items():
        pictures[name] = path = os.path.join(folder, f"{name}.png")
        try:
            draw(result, path)
        except Invalid as problem:
            if problem.path == "plots":
                raise
            pictures[name] = None
            click.echo(f"arz: {name} is not drawn: {problem}", err=True)
    return pictures
