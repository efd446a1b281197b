"""`simcache`: its commands, each loaded when it is asked for, and how mistakes are told."""

import json
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from difflib import get_close_matches
from importlib import import_module
from io import TextIOWrapper
from typing import Any, ClassVar, Final

import click

from simcache.cli.words import printable
from simcache.errors import CacheError, Missing
from simcache.provenance import VERSION

# Which file holds each command, and after a colon under which name if it is another; the order is that of `simcache --help`.
COMMANDS: Final = {
    "init": "project",
    "call": "calling",
    "ls": "look",
    "show": "look",
    "stats": "look",
    "why": "reasons",
    "diff": "reasons",
    "sync": "share",
    "doctor": "share",
    "kaggle": "kaggle",
    "verify": "care",
    "prune": "care",
    "forget": "care",
    "withdraw": "care",
    "remote": "project",
}


STOPPED: Final = 130
"""The exit code of a command that Ctrl-C has stopped, as of a shell."""


class Told(click.ClickException):
    """A mistake that is told in one line; the exit code is 1 where the answer is no, 2 where the question cannot be asked."""

    program = "simcache"

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # click reads it, and gives a class attribute of its own
        return self.code

    def show(self, file: Any = None) -> None:
        click.echo(printable(f"{self.program}: {' '.join(self.format_message().split())}"), file=file or sys.stderr)


@contextmanager
def answering(told: type[Told] = Told) -> Iterator[None]:
    """Of what fails within, the writing of the answer is told as that. A reader that has gone is no mistake."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as problem:
        if not _in_writing(problem):
            raise
        _let_go_of_output()
        raise told(f"standard output cannot be written ({problem.strerror}): give it a place with room") from None


def _in_writing(problem: OSError) -> bool:
    """Whether it was raised where answers are written, and not by a file or a store."""
    *_, (frame, _) = traceback.walk_tb(problem.__traceback__)
    return frame.f_code is click.echo.__code__


def _let_go_of_output() -> None:
    """What is still to be written goes nowhere, or Python would try it once more at its end, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


_AS_JSON: Final = "simcache.json"


@contextmanager
def errors_as_json(ctx: click.Context, told: type[Told], args: Sequence[str] | None = None) -> Iterator[None]:
    """Whoever asks for a JSON document gets one of a failure too; the line for people goes to stderr all the same.

    The command line is looked at where it is given: a mistake is told before the command itself could say what it was asked for.
    """
    if args is not None:
        ctx.meta[_AS_JSON] = "--json" in args[: args.index("--") if "--" in args else len(args)]
    try:
        yield
    except click.ClickException as problem:
        if ctx.meta[_AS_JSON]:
            with answering(told):
                click.echo(json.dumps({"error": " ".join(problem.format_message().split())}))
        raise


class Commands(click.Group):
    """The commands, in their order; errors of the cache become one line, and so do its warnings."""

    known: ClassVar[Mapping[str, str]] = COMMANDS
    package: ClassVar[str] = "simcache.cli"
    told: ClassVar[type[Told]] = Told

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.known)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self.known and not name.startswith("-") and (near := get_close_matches(name, self.known, 1)):
            raise click.UsageError(f"No such command {name!r}. Did you mean {near[0]!r}?", ctx)
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in self.known:
            return None
        module, _, function = self.known[cmd_name].partition(":")
        command = getattr(import_module(f"{self.package}.{module}"), function or cmd_name)
        return command if isinstance(command, click.Command) else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        telling = self.failures() if args else nullcontext()  # without any, click shows the help
        with errors_as_json(ctx, self.told, args), telling, answering(self.told):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a terminal or a file of few letters gets the others escaped
        with errors_as_json(ctx, self.told), warnings.catch_warnings(), self.failures(), answering(self.told):
            warnings.showwarning = self._warn
            return super().invoke(ctx)

    @contextmanager
    def failures(self) -> Iterator[None]:
        """What went wrong, as one line."""
        try:
            yield
        except click.NoSuchOption as problem:
            if problem.option_name == "--json" and problem.ctx is not None and isinstance(problem.ctx.command, click.Group):
                raise self.told(f"put --json after the command, as in `{problem.ctx.command_path} COMMAND --json`") from None
            raise
        except Missing as problem:
            raise self.told(str(problem), 1) from None
        except CacheError as problem:
            raise self.told(str(problem)) from None
        except KeyboardInterrupt:
            raise self.told("stopped", STOPPED) from None
        except BrokenPipeError:
            raise
        except OSError as problem:
            raise self.told(f"{problem.filename or 'the store'}: {problem.strerror or problem}") from None

    def _warn(
        self, message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
    ) -> None:
        del filename, lineno, file, line
        if not issubclass(category, DeprecationWarning):
            click.echo(printable(f"{self.told.program}: {message}"), err=True)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: simcache ls --sort size --limit 10",
)
@click.version_option(VERSION, prog_name="simcache", message="%(prog)s %(version)s")
def main() -> None:
    """Results of simulations, kept by code and arguments: computed once, never stale, never wrong.

    Commands that look into a store take --store PATH|URL; without it the store is SIMCACHE_STORE, else `store` of the nearest simcache.toml
    above this folder, else the user cache. Exit codes: 0 done and well, 1 problems found or nothing there, 2 wrong use, 130 stopped by Ctrl-C.
    """
