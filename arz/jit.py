"""How a law becomes machine code: one function for Python, CPU and CUDA, kinds picked by number, compiled code that is never stale."""

import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import numba
from numba import config, types
from numba.extending import overload, register_jitable

Law = TypeVar("Law", bound=Callable[..., object])

PACKAGE = Path(__file__).parent
COMPILED = ("jit.py", "laws", "engine/bodies.py", "engine/waves.py", "engine/backends")
"""The files of this package whose functions end in compiled code."""
WITHIN = {"no_cfunc_wrapper": True}
"""How numba compiles what is only called by compiled code: by default it makes of each law a second function for callers in C."""


def device(law: Law) -> Law:
    """Marks a law as callable from compiled code of either device; it stays an ordinary Python function.

    A number that the caller writes as a constant stays a constant within: so a `switch` compiles the one case that is asked for.
    """

    # A wrapper, because numba looks for the names of what it is given, and asks it for types only.
    def implementation(*_: object) -> Law:
        return law

    overload(law, jit_options=WITHIN, strict=False, prefer_literal=True)(implementation)
    return law


def like(x: float, value: float) -> float:
    """The constant `value` in the type of x: a bare 0.5, and on the CPU a bare 2 as well, would turn float32 into float64."""
    return type(x)(value)


def _like(x: Any, value: Any) -> Callable[[Any, Any], Any]:
    kind = x if isinstance(x, types.Float) else value
    return lambda x, value: kind(value)  # noqa: ARG005 - numba asks for the names of `like`


# Not strict, or numba would compare the annotations as well as the names.
overload(like, jit_options=WITHIN, strict=False)(_like)


def index(i: int) -> int:
    """An index that is not negative: compiled code need not ask whether it counts from the end of the array."""
    return i


overload(index, jit_options=WITHIN, strict=False)(lambda i: lambda i: types.uintp(i))  # noqa: ARG005, PLW0108 - numba asks for a function and its names


def switch(*cases: Callable[..., Any]) -> Callable[[int, tuple[Any, ...]], Any]:
    """Gives pick(code, numbers), which calls case number `code` with those numbers; a code beyond the list picks the last case.

    The cases take and return the same types. Where the code is a constant, the choice costs nothing: it is made by the compiler.
    """

    def pick(code: int, numbers: tuple[Any, ...]) -> Any:
        return cases[min(code, len(cases) - 1)](*numbers)

    def chosen(code: Any, numbers: Any) -> Callable[[int, tuple[Any, ...]], Any]:  # noqa: ARG001 - numba asks for the names of `pick`
        if isinstance(code, types.IntegerLiteral):
            case = cases[min(code.literal_value, len(cases) - 1)]
            return named(lambda code, numbers: case(*numbers), "case", case)  # noqa: ARG005 - as above
        return _chain(cases)

    overload(pick, jit_options=WITHIN, strict=False, prefer_literal=True)(chosen)
    return pick


def _chain(cases: Sequence[Callable[..., Any]]) -> Callable[[int, tuple[Any, ...]], Any]:
    """The choice made as the program runs: the first one, or one of the others."""
    head, others = cases[0], cases[1:]
    if not others:
        return named(lambda code, numbers: head(*numbers), "last", head)  # noqa: ARG005 - one signature for all that pick
    rest = register_jitable(**WITHIN)(_chain(others))
    return named(lambda code, numbers: head(*numbers) if code == 0 else rest(code - 1, numbers), "choice", *cases)


def named(made: Law, what: str, *of: Any) -> Law:
    """A function that was made from others, by a name that says which: kept machine code is told apart by names alone.

    numba names machine code by module, function and types, and numbers it within a process. Code that two processes kept, of two functions
    that a factory made, can so bear one name, and a third process that loads both runs the one for the other.
    """
    made.__qualname__ = " ".join([what, *(f"{each.__module__}.{each.__qualname__}" if callable(each) else str(each) for each in of)])
    return made


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


def ready(kernel: Any, *arguments: object) -> None:
    """Has a compiled kernel ready for arguments of these types: one process compiles, others that ask for it wait and load what it made."""
    signature = tuple(numba.typeof(argument) for argument in arguments)
    if signature in kernel.overloads:
        return
    folder = code_folder()
    if not folder:
        kernel.compile(signature)
        return
    # A lock for each kernel, because numba keeps one index for each: two processes that added to it at once would lose one entry.
    with open(os.path.join(folder, f"{kernel.py_func.__qualname__}.lock"), "a") as lock, _alone(lock):
        kernel.compile(signature)


@contextmanager
def _alone(lock: IO[str]) -> Iterator[None]:
    """As long as this lasts no other process has the lock; a process that dies gives it back."""
    if sys.platform == "win32":
        import msvcrt

        held = False
        while not held:
            try:
                msvcrt.locking(lock.fileno(), msvcrt.LK_LOCK, 1)
                held = True
            except OSError as problem:  # it gives up after 10 s, and a kernel may take longer to compile
                if problem.errno != errno.EDEADLK:
                    raise
        try:
            yield
        finally:
            msvcrt.locking(lock.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX)
        yield  # closing the file gives it back


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
