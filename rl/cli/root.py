"""`rl`: its commands, each loaded when it is asked for, and how mistakes are told."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

import simcache.cli.root
from simcache.cli.words import counted

# Which file holds each command, and after a colon under which name if it is another; the order is that of `rl --help`.
COMMANDS: Final = {
    "list": "look:list_presets",
    "show": "look",
    "check": "look",
    "plan": "training",
    "train": "training",
    "watch": "training",
    "evaluate": "results",
    "compare": "results",
    "run": "results:run_all",
    "export": "models",
}
RESUMABLE: Final = 75
"""The exit code of work that was ended before its end, and that the same command goes on with (EX_TEMPFAIL)."""


class Told(simcache.cli.root.Told):
    """What is told in one line; the exit code is 1 where work failed, 2 where it could not be asked for, 75 where it can be gone on with."""

    program = "rl"


class Commands(simcache.cli.root.Commands):
    """The commands, in their order; errors become one line."""

    known = COMMANDS
    package = "rl.cli"
    told = Told

    @contextmanager
    def failures(self) -> Iterator[None]:
        from arz import ArzError, Invalid
        from rl.errors import RlError
        from simcache import CacheError

        try:
            yield
        except click.UsageError as problem:
            raise _wrong_use(problem) from None
        except Invalid as problem:
            more = f" (and {counted(len(problem.others), 'more fault')})" if problem.others else ""
            raise Told(f"{problem.path}: {problem.problem}; {problem.remedy}{more}") from None
        except (ArzError, RlError, CacheError) as problem:
            raise Told(str(problem)) from None
        except KeyboardInterrupt:
            raise Told("stopped; the same command goes on from the last checkpoint", 130) from None
        except ModuleNotFoundError as problem:
            raise Told(
                f"{problem.name} is not installed: pip install -c constraints.txt '.[rl,plot]' in the folder of the source"
            ) from None
        except BrokenPipeError:
            raise
        except OSError as problem:
            raise Told(f"{problem.filename or 'a file'}: {problem.strerror or problem}: check the path, and who may write there") from None


def _wrong_use(problem: click.UsageError) -> Told:
    asked = problem.ctx.command_path if problem.ctx else "rl"
    return Told(f"{problem.format_message().removesuffix('.')}: see `{asked} --help`")


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: rl train quick, then rl compare quick --picture comparison.png",
)
@click.version_option(package_name="simcache", prog_name="rl", message="%(prog)s %(version)s")
def main() -> None:
    """Learn to control traffic, and compare what was learned with the best rules.

    An EXPERIMENT is the name of a preset (`rl list`) or a JSON or TOML file; `rl show quick` prints one to begin with. Everything computed
    is kept in the store: SIMCACHE_STORE, else `store` of the nearest simcache.toml above this folder, else the user cache. The same command
    again computes nothing, with more steps it computes the rest.

    Exit codes: 0 done, 1 failed, 2 wrong use or bad input, 75 ended before its end (the same command goes on), 130 stopped by Ctrl-C.
    """
