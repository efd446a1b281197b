"""What commands share: how a scenario is named and changed, how an answer is printed."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from arz.cli.root import Told

if TYPE_CHECKING:
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
        made = Scenario.load(_existing(target))
    else:
        from arz.world.scenarios.registry import scenario

        made = scenario(target, **pairs("--option", options))
    return changed(made, pairs("--set", changes))


def changed(scenario: "Scenario", changes: Mapping[str, Any]) -> "Scenario":
    """The scenario with other values for some fields, checked as a whole."""
    if not changes:
        return scenario
    fields = scenario.model_dump(mode="json")
    for path, value in changes.items():
        _put(fields, path, value)
    return type(scenario)(**fields)


def _existing(target: str) -> str:
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
        except ValueError:
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
                raise Told(f"{where}{'.'.join(steps[:depth])} has {len(holder)} items: give a number from 0 to {len(holder) - 1}")
        elif not isinstance(holder, dict):
            raise Told(f"{where}{'.'.join(steps[:depth])} has no fields: leave out .{step}")
        elif step not in holder:
            raise Told(f"{where}there is no field {step!r}: choose among {', '.join(list(holder)[:_SHOWN])}")
        key: Any = int(step) if isinstance(holder, list) else step
        if depth == len(steps) - 1:
            holder[key] = value
        else:
            holder = holder[key]
