"""What commands share: how a scenario is named and changed, how an answer is printed."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from arz.cli.root import Told
from arz.cli.words import counted
from arz.errors import Invalid

if TYPE_CHECKING:
    from arz.world.record import Record
    from arz.world.scenario import Scenario

_SHOWN = 12

json_option = click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document.")
option_option = click.option(
    "--option", "-o", "options", multiple=True, metavar="NAME=VALUE", help="An option of a ready scenario, as in -o demand=1.2."
)
set_option = click.option(
    "--set", "changes", multiple=True, metavar="PATH=VALUE", help="Another value for a field, as in --set demand.scale=1.2."
)
device_option = click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1 …, or auto: a GPU where there is one.")


def emit(plain: Any, text: Callable[[], Sequence[str]], *, as_json: bool) -> None:
    """Print an answer: as one JSON document, or as lines for a person."""
    if as_json:
        click.echo(json.dumps(plain, indent=2, ensure_ascii=not takes_unicode()))
        return
    for line in text():
        click.echo(line)


def takes_unicode() -> bool:
    return (getattr(sys.stdout, "encoding", "") or "").lower().replace("-", "") == "utf8"


def is_file(target: str) -> bool:
    """Whether a person who writes this means a file."""
    return os.path.exists(target) or os.sep in target or target.endswith((".json", ".npz"))


def scenario_of(target: str, options: Sequence[str], changes: Sequence[str]) -> "Scenario":
    """The scenario of this name or file, with these changes."""
    from arz.world.scenario import Scenario

    if is_file(target):
        if options:
            raise Told("--option is for ready scenarios, and this is a file: use --set")
        made = loaded(Scenario, _with_demand(_existing(target)))
    else:
        from arz.world.scenarios.registry import scenario

        made = scenario(target, **pairs("--option", options))
    return changed(made, pairs("--set", changes))


Kind = TypeVar("Kind", bound="Record")


def loaded(kind: type[Kind], path: str) -> Kind:
    """The record in a file; what is wrong with it is told with the name of the file."""
    try:
        return kind.load(Path(path))
    except Invalid as problem:
        # What concerns the whole file has its name, or that of the record, for a path.
        where = path if problem.path in (kind.__name__, str(Path(path))) else f"{path}: {problem.path}"
        raise Invalid(where, problem.problem, problem.remedy, problem.others) from None


def is_network(target: str) -> bool:
    """Whether this file holds roads at its top: a scenario has them in its network."""
    if not is_file(target) or not os.path.isfile(target):
        return False
    try:
        with open(target, encoding="utf-8") as file:
            held = json.load(file)
    except (OSError, ValueError, RecursionError):
        return False  # what is wrong with it is told where it is read as a scenario
    return isinstance(held, dict) and "roads" in held and "network" not in held


def _with_demand(path: str) -> str:
    """The path, unless the file holds a result, or a network alone."""
    if path.endswith(".npz"):
        raise Told(f"{path}: is a result, no scenario: `python -m arz show {path}` shows it, `python -m arz run --resume {path}` goes on")
    if is_network(path):
        remedy = '{"name": …, "network": …, "demand": {"inflows": […]}, "horizon_s": …}, as docs/how/bring-your-own-network.md shows'
        raise Told(f"{path}: is a road network, and a scenario says also which demand it has: write {remedy}")
    return path


def changed(scenario: "Scenario", changes: Mapping[str, Any]) -> "Scenario":
    """The scenario with other values for some fields, checked as a whole."""
    if not changes:
        return scenario
    fields = scenario.model_dump(mode="json")
    for path, value in changes.items():
        _put(fields, path, value)
    return type(scenario)(**fields)


def _existing(target: str) -> str:
    if os.path.isdir(target):
        raise Told(f"{target}: is a folder: name a file in it")
    if not os.path.isfile(target):
        raise Told(f"{target}: there is no such file: check the path")
    return target


def pairs(option: str, texts: Sequence[str]) -> dict[str, Any]:
    """What NAME=VALUE says; a value is JSON where it can be, else the text itself."""
    given: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise Told(f"{option} {text}: write it as NAME=VALUE")
        try:
            given[name.strip()] = json.loads(value)
        except (ValueError, RecursionError):
            given[name.strip()] = value
    return given


def _put(fields: Any, path: str, value: Any) -> None:
    """Set one field of nested objects and lists: `demand.inflows[0].road`, or `demand.inflows.0.road`."""
    steps = path.replace("[", ".").replace("]", "").split(".")
    holder = fields
    for depth, step in enumerate(steps):
        where = f"--set {path}: "
        if isinstance(holder, list):
            if not step.isdecimal() or int(step) >= len(holder):
                raise Told(f"{where}{'.'.join(steps[:depth])} has {counted(len(holder), 'item')}: count from 0")
        elif not isinstance(holder, dict):
            raise Told(f"{where}{'.'.join(steps[:depth])} has no fields: leave out .{step}")
        elif step not in holder:
            raise Told(f"{where}there is no field {step!r}: choose among {', '.join(list(holder)[:_SHOWN])}")
        key: Any = int(step) if isinstance(holder, list) else step
        if depth == len(steps) - 1:
            holder[key] = value
        else:
            holder = holder[key]
