"""`python -m arz`: its commands, each loaded when it is asked for, and how mistakes are told."""

import json
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

import click

from arz.cli.words import counted
from arz.errors import ArzError, Invalid, Unstable

# Which file and function hold each command; the order is that of `python -m arz --help`.
COMMANDS: Final = {
    "run": ("running", "run_scenario"),
    "show": ("look", "show"),
    "list": ("kinds", "list_kinds"),
    "import": ("networks", "import_network"),
    "validate": ("proof", "validate_solver"),
    "bench": ("proof", "bench_solver"),
}


RESUMABLE: Final = 75
"""The exit code of a run that a time limit ended before its end, and that --resume goes on with (EX_TEMPFAIL)."""
_AS_JSON: Final = "arz.json"


class Told(click.ClickException):
    """A mistake that is told in one line; the exit code is 1 where a run failed, 2 where it could not be asked for."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # click reads it, and gives a class attribute of its own
        return self.code

    def show(self, file: Any = None) -> None:
        click.echo(f"arz: {' '.join(self.format_message().split())}", file=file or sys.stderr)


class Commands(click.Group):
    """The commands, in their order; errors of the solver become one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and (near := get_close_matches(name, COMMANDS, 1)):
            raise click.UsageError(f"No such command {name!r}. Did you mean {near[0]!r}?", ctx)
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        command = getattr(import_module(f"arz.cli.{module}"), name)
        return command if isinstance(command, click.Command) else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with _errors_as_json(ctx, args), _answering():
            if not args:  # then click shows the help
                return super().parse_args(ctx, args)
            try:
                return super().parse_args(ctx, args)
            except click.UsageError as problem:
                raise _wrong_use(problem) from None

    def invoke(self, ctx: click.Context) -> Any:
        with _errors_as_json(ctx):
            try:
                with _answering():
                    return super().invoke(ctx)
            except click.UsageError as problem:
                raise _wrong_use(problem) from None
            except Invalid as problem:
                raise Told(in_short(problem)) from None
            except Unstable as problem:
                raise Told(str(problem), 1) from None
            except ArzError as problem:
                raise Told(str(problem)) from None
            except KeyboardInterrupt:
                raise Told("stopped", 130) from None
            except BrokenPipeError:
                raise
            except OSError as problem:
                raise Told(
                    f"{problem.filename or 'a file'}: {problem.strerror or problem}: check the path, and who may write there"
                ) from None


@contextmanager
def _errors_as_json(ctx: click.Context, args: Sequence[str] | None = None) -> Iterator[None]:
    """Whoever asks for a JSON document gets one of a failure too; the line for people goes to stderr all the same.

    The command line is looked at where it is given: a mistake is told before the command itself could say what it was asked for.
    """
    if args is not None:
        ctx.meta[_AS_JSON] = "--json" in args[: args.index("--") if "--" in args else len(args)]
    try:
        yield
    except click.ClickException as problem:
        if ctx.meta[_AS_JSON]:
            with _answering():
                click.echo(json.dumps({"error": " ".join(problem.format_message().split())}))
        raise


@contextmanager
def _answering() -> Iterator[None]:
    """Of what fails within, the writing of the answer is told as that. A reader that has gone is no mistake."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as problem:
        if not _in_writing(problem):
            raise
        _let_go_of_output()
        raise Told(f"standard output cannot be written ({problem.strerror}): give it a place with room") from None


def _in_writing(problem: OSError) -> bool:
    """Whether it was raised where answers are written, and not by a file or a store."""
    *_, (frame, _) = traceback.walk_tb(problem.__traceback__)
    return frame.f_code is click.echo.__code__


def _let_go_of_output() -> None:
    """What is still to be written goes nowhere, or Python would try it once more at its end, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _wrong_use(problem: click.UsageError) -> Told:
    asked = problem.ctx.command_path if problem.ctx else "python -m arz"
    return Told(f"{problem.format_message().removesuffix('.')}: see `{asked} --help`")


def in_short(problem: Invalid) -> str:
    """The first fault of an input, and how many more there are."""
    more = f" (and {counted(len(problem.others), 'more fault')})" if problem.others else ""
    return f"{problem.path}: {problem.problem}; {problem.remedy}{more}"


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: python -m arz run victoria_island --out island.npz",
)
@click.version_option(package_name="simcache", prog_name="arz", message="%(prog)s %(version)s")
def main() -> None:
    """Traffic on road networks by the Aw-Rascle-Zhang equations.

    A scenario is the name of a ready one (`python -m arz list scenarios`) or a JSON file; a result is the npz file of a run.
    Exit codes: 0 done, 1 the run failed, 2 wrong use or bad input, 75 a time limit came before the end (--resume goes on), 130 and 143
    stopped by SIGINT and SIGTERM.
    """
