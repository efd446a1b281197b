"""How a law becomes machine code: one function for Python, CPU and CUDA, kinds picked by number, compiled code that is never stale."""

import os
import sys
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import config, types
from numba.extending import overload, register_jitable

Law = TypeVar("Law", bound=Callable[..., object])

PACKAGE = Path(__file__).parent
COMPILED = ("jit.py", "laws", "engine/bodies.py", "engine/waves.py", "engine/backends")
"""The files of this package whose functions end in compiled code."""


def device(law: Law) -> Law:
    """Marks a law as callable from compiled code of either device; it stays an ordinary Python function."""
    return cast("Law", register_jitable(law))


def like(x: float, value: float) -> float:
    """The constant `value` in the type of x: a bare 0.5, and on the CPU a bare 2 as well, would turn float32 into float64."""
    return type(x)(value)


def _like(x: Any, value: Any) -> Callable[[Any, Any], Any]:
    kind = x if isinstance(x, types.Float) else value
    return lambda x, value: kind(value)  # noqa: ARG005 - numba asks for the names of `like`


# Not strict, or numba would compare the annotations as well as the names.
overload(like, strict=False)(_like)


def switch(*cases: Callable[..., Any]) -> Callable[[int, tuple[Any, ...]], Any]:
    """Gives pick(code, numbers), which calls case number `code` with those numbers; a code beyond the list picks the last case.

    The cases take and return the same types. Where the code is a constant, the choice costs nothing: it is made by the compiler.
    """
    head, others = cases[0], cases[1:]
    if not others:

        @device
        def last(code: int, numbers: tuple[Any, ...]) -> Any:  # noqa: ARG001 - one signature for all that pick
            return head(*numbers)

        return last
    rest = switch(*others)

    # The numbers come as one tuple because compiled CUDA code takes no `*numbers` in a signature.
    @device
    def pick(code: int, numbers: tuple[Any, ...]) -> Any:
        if code == 0:
            return head(*numbers)
        return rest(code - 1, numbers)

    return pick


def compiled(kernel: Law, **options: Any) -> Law:
    """Gives the kernel as machine code for the CPU, kept for the next process in a folder that belongs to these very sources.

    Where no such folder can be written the kernel is compiled anew in each process.
    """
    folder = code_folder()
    before = config.CACHE_DIR
    # numba settles the folder when it decorates, so its setting is put back and other users of numba see nothing of this.
    config.CACHE_DIR = folder or before
    try:
        return cast("Law", numba.njit(cache=bool(folder), error_model="numpy", **options)(kernel))
    finally:
        config.CACHE_DIR = before


@cache
def code_folder() -> str:
    """The folder for compiled code of these sources, made; or "" if it cannot be written.

    numba alone recompiles a kernel when the kernel's own file changes, and would serve the old answer after an edit of a law elsewhere.
    """
    folder = Path(config.CACHE_DIR or _user_folder()) / f"arz-{digest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return ""
    return str(folder) if os.access(folder, os.W_OK | os.X_OK) else ""


def digest() -> str:
    """Names the sources that compiled code is made of: 16 hexadecimal digits that change with any of them."""
    files = [file for name in COMPILED for file in ([PACKAGE / name] if name.endswith(".py") else (PACKAGE / name).rglob("*.py"))]
    total = sha256()
    for file in sorted(files):
        total.update(sha256(file.relative_to(PACKAGE).as_posix().encode()).digest())
        total.update(sha256(file.read_bytes()).digest())
    return total.hexdigest()[:16]


def _user_folder() -> str:
    if sys.platform == "win32":
        return os.environ.get("LOCALAPPDATA") or os.path.expanduser("~")
    return os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
