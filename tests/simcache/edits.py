"""The table of edits that prove the code version: each a small package, one edit of it, and whether the key must change.

A case is one text. `== path` starts a file (`pkg/mod.py` where none is named), and `<<before=>after>>` is the edit, in the
text of a file or in its path (an empty path: the file is not there). A file that uses `@cached` without importing it gets
the import as its first line, and `pkg/__init__.py` is there even if it is not named. The runner is test_fingerprint.py.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from textwrap import dedent

_EDIT = re.compile(r"<<(.*?)=>(.*?)>>", re.DOTALL)
_HEADER = re.compile(r"^== ?(.*)\n", re.MULTILINE)
_IMPORT = "from simcache import cached\n"

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Case:
    """One edit of one package, and what it does to the key and the result of the entry function."""

    name: str
    key: str
    """What the edit must do to the key: "changes" or "same"."""
    result: str
    """What it does to the result, checked by running both sides, so that the table cannot lie: "changes" or "same"."""
    before: Files
    after: Files
    entry: str
    args: str
    """The arguments, as source that is evaluated in the entry's module."""
    needs: tuple[str, ...]
    python: tuple[int, int]

    @property
    def script(self) -> bool:
        """The entry is a script that reports by itself, not a function to import."""
        return self.entry.endswith(".py")


CASES: list[Case] = []


def changes(
    name: str,
    text: str,
    *,
    entry: str = "pkg.mod:f",
    args: str = "3",
    result: str = "changes",
    needs: tuple[str, ...] = (),
    python: tuple[int, int] = (3, 11),
) -> None:
    """A row for an edit that must give another key; `result="same"` where the edit cannot be seen in this one result."""
    _add(Case(name, "changes", result, _files(text, 1), _files(text, 2), entry, args, needs, python))


def same(
    name: str,
    text: str,
    *,
    entry: str = "pkg.mod:f",
    args: str = "3",
    rewrite: Callable[[bytes], bytes] = bytes,
    needs: tuple[str, ...] = (),
    python: tuple[int, int] = (3, 11),
) -> None:
    """A row for an edit that must keep the key; `rewrite` is an edit of every file's bytes."""
    after = {path: rewrite(content) for path, content in _files(text, 2).items()}
    _add(Case(name, "same", "same", _files(text, 1), after, entry, args, needs, python))


def _add(case: Case) -> None:
    if case.before == case.after:
        raise ValueError(f"{case.name}: nothing is edited")
    if any(case.name == other.name for other in CASES):
        raise ValueError(f"{case.name}: named twice")
    CASES.append(case)


def _files(text: str, side: int) -> dict[str, bytes]:
    """The files of one side of the edit (1: before, 2: after)."""
    text = _EDIT.sub(lambda edit: edit[side], dedent(text).lstrip("\n"))
    first, *rest = _HEADER.split(text)
    found = {"pkg/__init__.py": "", **dict(zip(rest[::2], rest[1::2], strict=True))}
    if first:
        found["pkg/mod.py"] = first
    return {path: _with_import(content).encode() for path, content in found.items() if path}


def _with_import(content: str) -> str:
    return _IMPORT + content if "cached" in content and "simcache" not in content else content


# A case reads best as one text right under its name.
# fmt: off

# ---------------------------------------------------------------- where a callee lives

changes("the function itself", """
    @cached
    def f(x):
        return x + <<1=>2>>
""")
changes("a callee in the same module", """
    def g(x):
        return x + <<1=>2>>
    @cached
    def f(x):
        return g(x)
""")
changes("a callee's callee's callee", """
    def i(x): return x + <<1=>2>>
    def h(x): return i(x)
    def g(x): return h(x)
    @cached
    def f(x): return g(x)
""")
changes("a callee defined after the function", """
    @cached
    def f(x): return g(x)
    def g(x): return x + <<1=>2>>
""")
changes("a callee two modules away", """
    from pkg.near import g
    @cached
    def f(x): return g(x)
    == pkg/near.py
    from pkg.far import h
    def g(x): return h(x)
    == pkg/far.py
    def h(x): return x * <<2=>3>>
""")
changes("a class that types.new_class() makes of an abstract one, put into a registry by another module", """
    from pkg.laws import LAWS
    import pkg.more
    @cached
    def f(x): return LAWS["fast"]().speed(x)
    == pkg/laws.py
    from abc import ABC
    LAWS = {}
    class Law(ABC):
        def speed(self, x): return x
    def register(name, law):
        LAWS[name] = law
    == pkg/more.py
    from types import new_class
    from pkg.laws import LAWS, Law, register
    def fill(body): body["speed"] = lambda self, x: x * <<2=>3>>
    register("fast", new_class("Fast", (Law,), {}, fill))
""")
changes("a callee by import pkg.other", """
    import pkg.other
    @cached
    def f(x): return pkg.other.g(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a callee by import pkg.other as o", """
    import pkg.other as o
    @cached
    def f(x): return o.g(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a callee by from import as", """
    from pkg.other import g as h
    @cached
    def f(x): return h(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a callee by relative import of a name", """
    from .other import g
    @cached
    def f(x): return g(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a callee by relative import of a module", """
    from . import other
    @cached
    def f(x): return other.g(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a callee by relative import from the parent package", """
    == pkg/sub/__init__.py
    == pkg/sub/mod.py
    from ..other import g
    @cached
    def f(x): return g(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""", entry="pkg.sub.mod:f")
changes("a callee by star import", """
    from pkg.other import *
    @cached
    def f(x): return g(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("__all__ of a star import lets another callee in", """
    from pkg.a import *
    from pkg.b import *
    @cached
    def f(x): return g(x)
    == pkg/a.py
    def g(x): return x + 1
    == pkg/b.py
    __all__ = [<<=>"g">>]
    def g(x): return x + 2
""")
changes("a callee added to the star exports of __init__ hides another", """
    from pkg import *
    @cached
    def f(x): return g(x)
    == pkg/__init__.py
    from pkg.a import *
    <<=>from pkg.b import *>>
    == pkg/a.py
    def g(x): return x + 1
    == pkg/b.py
    def g(x): return x + 2
""")
changes("a callee re-exported by __init__", """
    from pkg import g
    @cached
    def f(x): return g(x)
    == pkg/__init__.py
    from .impl import g as g
    == pkg/impl.py
    def g(x): return x + <<1=>2>>
""")
changes("__init__ re-exports the callee of another module", """
    import pkg
    @cached
    def f(x): return pkg.g(x)
    == pkg/__init__.py
    from .<<a=>b>> import g as g
    == pkg/a.py
    def g(x): return x + 1
    == pkg/b.py
    def g(x): return x + 2
""")
changes("a lazily exported callee, read as an attribute", """
    import pkg
    @cached
    def f(x): return pkg.g(x)
    == pkg/__init__.py
    def __getattr__(name):
        if name == "g":
            from pkg.impl import g
            return g
        raise AttributeError(name)
    == pkg/impl.py
    def g(x): return x + <<1=>2>>
""")
changes("a lazily exported callee, imported at the top", """
    from pkg import g
    @cached
    def f(x): return g(x)
    == pkg/__init__.py
    import importlib
    _WHERE = {"g": "pkg.impl"}
    def __getattr__(name):
        if name in _WHERE:
            return getattr(importlib.import_module(_WHERE[name]), name)
        raise AttributeError(name)
    == pkg/impl.py
    def g(x): return x + <<1=>2>>
""")
changes("a lazily exported callee, imported in the function", """
    @cached
    def f(x):
        from pkg import g
        return g(x)
    == pkg/__init__.py
    import importlib
    _WHERE = {"g": "pkg.impl"}
    def __getattr__(name):
        if name in _WHERE:
            return getattr(importlib.import_module(_WHERE[name]), name)
        raise AttributeError(name)
    == pkg/impl.py
    def g(x): return x + <<1=>2>>
""")
changes("the table of a lazy face names another module", """
    import pkg
    @cached
    def f(x): return pkg.g(x)
    == pkg/__init__.py
    import importlib
    _WHERE = {"g": "pkg.<<a=>b>>"}
    def __getattr__(name):
        if name in _WHERE:
            return getattr(importlib.import_module(_WHERE[name]), name)
        raise AttributeError(name)
    == pkg/a.py
    def g(x): return x + 1
    == pkg/b.py
    def g(x): return x + 2
""")
changes("a lazy attribute of __init__ that is no import", """
    import pkg
    @cached
    def f(x): return pkg.LIMIT + x
    == pkg/__init__.py
    def __getattr__(name):
        if name == "LIMIT":
            return <<10=>20>>
        raise AttributeError(name)
""")
changes("a callee imported inside the function", """
    @cached
    def f(x):
        from pkg.other import g
        return g(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a callee imported inside the function under another name", """
    @cached
    def f(x):
        from pkg.other import g as inner
        return inner(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a module imported inside the function", """
    @cached
    def f(x):
        import pkg.other
        return pkg.other.g(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a module imported inside the function under another name", """
    @cached
    def f(x):
        import pkg.other as o
        return o.g(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a relative import inside a callee", """
    from pkg.sub.near import g
    @cached
    def f(x): return g(x)
    == pkg/sub/__init__.py
    == pkg/sub/near.py
    def g(x):
        from .far import h
        return h(x)
    == pkg/sub/far.py
    def h(x): return x + <<1=>2>>
""")
changes("another module imported inside the function", """
    @cached
    def f(x):
        from pkg.<<a=>b>> import g
        return g(x)
    == pkg/a.py
    def g(x): return x + 1
    == pkg/b.py
    def g(x): return x + 2
""")
changes("the fallback of a conditional import", """
    try:
        from pkg.fast import g
    except ImportError:
        from pkg.slow import g
    @cached
    def f(x): return g(x)
    == pkg/slow.py
    def g(x): return x + <<1=>2>>
""")
changes("the preferred module of a conditional import appears", """
    try:
        from pkg.fast import g
    except ImportError:
        from pkg.slow import g
    @cached
    def f(x): return g(x)
    == pkg/slow.py
    def g(x): return x + 1
    == <<=>pkg/fast.py>>
    def g(x): return x + 2
""")
changes("the preferred module of a conditional import in the function appears", """
    @cached
    def f(x):
        try:
            from pkg.fast import g
        except ImportError:
            from pkg.slow import g
        return g(x)
    == pkg/slow.py
    def g(x): return x + 1
    == <<=>pkg/fast.py>>
    def g(x): return x + 2
""")
changes("the condition of an import", """
    import sys
    if sys.version_info >= (3, <<99=>0>>):
        from pkg.b import g
    else:
        from pkg.a import g
    @cached
    def f(x): return g(x)
    == pkg/a.py
    def g(x): return x + 1
    == pkg/b.py
    def g(x): return x + 2
""")
changes("a callee by a chain of attributes", """
    import pkg.sub.deep
    @cached
    def f(x): return pkg.sub.deep.g(x)
    == pkg/sub/__init__.py
    == pkg/sub/deep.py
    def g(x): return x + <<1=>2>>
""")
changes("a constant by a chain of attributes", """
    import pkg
    import pkg.sub.deep
    @cached
    def f(x): return pkg.sub.deep.K + x
    == pkg/sub/__init__.py
    == pkg/sub/deep.py
    K = <<1=>2>>
""")
changes("a callee by getattr with a literal name", """
    from pkg import other
    @cached
    def f(x): return getattr(other, "g")(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a callee of a module imported by importlib at the top", """
    import importlib
    other = importlib.import_module("pkg.other")
    @cached
    def f(x): return other.g(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a callee of a module imported by importlib in the function, by a literal name", """
    import importlib
    @cached
    def f(x): return importlib.import_module("pkg.other").g(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a callee of a module in a local variable", """
    from pkg import other
    @cached
    def f(x):
        m = other
        return m.g(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a callee of a module passed to another callee", """
    from pkg import other
    def ask(module, x): return module.g(x)
    @cached
    def f(x): return ask(other, x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a callee of a module in a dict", """
    from pkg import other
    KINDS = {"other": other}
    @cached
    def f(x): return KINDS["other"].g(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("one of two modules, chosen by an expression", """
    from pkg import a, b
    @cached
    def f(x): return (a if x < 0 else b).g(x)
    == pkg/a.py
    def g(x): return x + 1
    == pkg/b.py
    def g(x): return x + <<1=>2>>
""")
changes("a later import hides a helper", """
    def g(x): return x + 1
    <<=>from pkg.other import g>>
    @cached
    def f(x): return g(x)
    == pkg/other.py
    def g(x): return x + 2
""")
changes("a later import below the function hides a helper", """
    def g(x): return x + 1
    @cached
    def f(x): return g(x)
    <<=>from pkg.other import g>>
    == pkg/other.py
    def g(x): return x + 2
""")
changes("the second definition wins", """
    def g(x): return x + 1
    def g(x): return x + <<2=>3>>
    @cached
    def f(x): return g(x)
""")
changes("a second definition is added", """
    def g(x): return x + 1
    <<=>def g(x): return x + 2>>
    @cached
    def f(x): return g(x)
""")
changes("a conditional definition, its condition", """
    FAST = <<True=>False>>
    if FAST:
        def g(x): return x + 1
    else:
        def g(x): return x + 2
    @cached
    def f(x): return g(x)
""")
changes("a conditional definition, its live branch", """
    if len("abc") == 3:
        def g(x): return x + <<1=>3>>
    else:
        def g(x): return x + 2
    @cached
    def f(x): return g(x)
""")
changes("deleted and defined again", """
    def g(x): return x + 1
    del g
    def g(x): return x + <<2=>3>>
    @cached
    def f(x): return g(x)
""")
changes("an alias of a function, its body", """
    def h(x): return x + <<1=>2>>
    g = h
    @cached
    def f(x): return g(x)
""")
changes("an alias is bound to another function", """
    def h(x): return x + 1
    def k(x): return x + 2
    g = <<h=>k>>
    @cached
    def f(x): return g(x)
""")
changes("a name is bound again to the decorated function", """
    def double(function):
        def inner(x): return <<2=>3>> * function(x)
        return inner
    def g(x): return x + 1
    g = double(g)
    @cached
    def f(x): return g(x)
""")
changes("a decorated function bound again: the function", """
    def double(function):
        def inner(x): return 2 * function(x)
        return inner
    def g(x): return x + <<1=>2>>
    g = double(g)
    @cached
    def f(x): return g(x)
""")
changes("a builtin is hidden by a function of the module", """
    <<=>def abs(x): return -x>>
    @cached
    def f(x): return abs(x)
""")
changes("a builtin is hidden by an import", """
    <<=>from pkg.other import sum>>
    @cached
    def f(x): return sum([x, x])
    == pkg/other.py
    def sum(values): return "hidden"
""")
changes("a builtin is hidden by a star import", """
    from pkg.other import *
    @cached
    def f(x): return sum([x, x])
    == pkg/other.py
    <<=>def sum(values): return "hidden">>
""")
changes("an imported alias of the standard library", """
    from math import <<sin=>cos>> as s
    @cached
    def f(x): return s(x)
""")
changes("an imported alias of a standard module", """
    import <<math=>cmath>> as m
    @cached
    def f(x): return m.sqrt(x)
""")
changes("an imported function of another standard module", """
    from <<bisect=>operator>> import <<bisect_left=>contains>> as look
    @cached
    def f(x): return look([1, 2, 3], x)
""")
changes("swapped aliases of functions", """
    from pkg.other import <<a as g, b as h=>b as g, a as h>>
    @cached
    def f(x): return g(x) + 10 * h(x)
    == pkg/other.py
    def a(x): return x + 1
    def b(x): return x + 2
""")
changes("swapped aliases of constants", """
    from pkg.other import <<A as P, B as Q=>B as P, A as Q>>
    @cached
    def f(x): return P + 10 * Q
    == pkg/other.py
    A = 1
    B = 2
""")
changes("a submodule becomes an attribute set by __init__", """
    import pkg
    @cached
    def f(x): return pkg.tool(x)
    == pkg/__init__.py
    from pkg.tool import <<slow=>fast>> as tool
    == pkg/tool.py
    def slow(x): return x + 1
    def fast(x): return x + 2
""")
changes("a callee of a module that __init__ gives another name", """
    import pkg
    @cached
    def f(x): return pkg.api.g(x)
    == pkg/__init__.py
    from . import impl as api
    == pkg/impl.py
    def g(x): return x + <<1=>2>>
""")
changes("a callee of a module that a subpackage imports", """
    import pkg.sub as s
    @cached
    def f(x): return s.deep.g(x)
    == pkg/sub/__init__.py
    from pkg.sub import deep
    == pkg/sub/deep.py
    def g(x): return x + <<1=>2>>
""")
changes("a constant by vars() of a module", """
    from pkg import other
    @cached
    def f(x): return vars(other)["K"] + x
    == pkg/other.py
    K = <<1=>2>>
""")
changes("a callee in a module that imports this one", """
    import pkg.other
    def low(x): return x * 2
    @cached
    def f(x): return pkg.other.g(x)
    == pkg/other.py
    import pkg.mod
    def g(x): return pkg.mod.low(x) + <<1=>2>>
""")
changes("a callee in a namespace package", """
    from space.other import g
    @cached
    def f(x): return g(x)
    == space/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a callee in another top-level module", """
    import beside
    @cached
    def f(x): return beside.g(x)
    == beside.py
    def g(x): return x + <<1=>2>>
""")

changes("a callee imported in a class body", """
    class C:
        from pkg.other import g
        g = staticmethod(g)
    @cached
    def f(x): return C.g(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a callee by __import__", """
    @cached
    def f(x): return __import__("pkg.other", fromlist=["g"]).g(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("__all__ is put together", """
    from pkg.a import *
    from pkg.b import *
    @cached
    def f(x): return g(x)
    == pkg/a.py
    def g(x): return x + 1
    == pkg/b.py
    __all__ = ["h"] + <<[]=>["g"]>>
    def g(x): return x + 2
    h = g
""")
changes("a callee chosen at import by a condition", """
    from pkg.settings import FAST
    def a(x): return x + 1
    def b(x): return x + 2
    g = a if FAST else b
    @cached
    def f(x): return g(x)
    == pkg/settings.py
    FAST = <<True=>False>>
""")
changes("a callee chosen at import from a dict", """
    from pkg import settings
    def a(x): return x + 1
    def b(x): return x + 2
    g = {"a": a, "b": b}[settings.MODE]
    @cached
    def f(x): return g(x)
    == pkg/settings.py
    MODE = "<<a=>b>>"
""")
changes("a callee chosen at import by a computed name", """
    from pkg import other
    g = getattr(other, "law_" + "a")
    @cached
    def f(x): return g(x)
    == pkg/other.py
    def law_a(x): return x + <<1=>2>>
""")
changes("a callee by the name that a constant holds", """
    from pkg import other
    KIND = "g"
    @cached
    def f(x): return getattr(other, KIND)(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("the constant that names a callee", """
    from pkg import other
    KIND = "<<g=>h>>"
    @cached
    def f(x): return getattr(other, KIND)(x)
    == pkg/other.py
    def g(x): return x + 1
    def h(x): return x + 2
""")
changes("a callee bound by a function at import: which", """
    def h(x): return x + 1
    def k(x): return x + 2
    def install():
        global g
        g = <<h=>k>>
    install()
    @cached
    def f(x): return g(x)
""")
changes("a callee bound by a function at import: its body", """
    def h(x): return x + <<1=>2>>
    def install():
        global g
        g = h
    install()
    @cached
    def f(x): return g(x)
""")
changes("names bound in a loop through globals()", """
    for name, value in {"A": 1, "B": <<2=>3>>}.items():
        globals()[name] = value
    @cached
    def f(x): return B + x
""")
changes("a name bound by exec at import", """
    exec("K = <<1=>2>>")
    @cached
    def f(x): return K + x
""")
changes("a function defined by exec at import", """
    exec("def g(x): return x + <<1=>2>>")
    @cached
    def f(x): return g(x)
""")
changes("a name bound through sys.modules", """
    import sys
    setattr(sys.modules[__name__], "K", <<1=>2>>)
    @cached
    def f(x): return K + x
""")
changes("functions composed at import", """
    from functools import reduce
    def compose(g, h): return lambda x: h(g(x))
    def add(x): return x + 1
    def double(x): return x * <<2=>3>>
    g = reduce(compose, [add, double, add])
    @cached
    def f(x): return g(x)
""")
changes("the order of functions composed at import", """
    from functools import reduce
    def compose(g, h): return lambda x: h(g(x))
    def add(x): return x + 1
    def double(x): return x * 2
    g = reduce(compose, [<<add, double=>double, add>>])
    @cached
    def f(x): return g(x)
""")
changes("a lambda of a comprehension", """
    LAWS = [lambda x, n=n: x * n + <<1=>2>> for n in (1, 2)]
    @cached
    def f(x): return [law(x) for law in LAWS]
""")
changes("a mangled name of a class", """
    class C:
        __limit = <<1=>2>>
        def run(self, x): return self.__limit + x
    @cached
    def f(x): return C().run(x)
""")
changes("a mangled name of the module", """
    _C__limit = <<1=>2>>
    class C:
        def run(self, x): return __limit + x
    @cached
    def f(x): return C().run(x)
""")
changes("a name that is no ASCII", """
    größe = <<1=>2>>
    @cached
    def f(x): return größe + x
""")
changes("a name in a form that Python makes plain", """
    fi = <<1=>2>>
    @cached
    def f(x): return \ufb01 + x
""")

# ---------------------------------------------------------------- what stands in a body

changes("a string in the code", """
    @cached
    def f(x): return "<<a=>b>>" * x
""")
changes("a string that looks like a comment", """
    @cached
    def f(x):
        return "# <<one=>two>>"
""")
changes("the space inside a triple-quoted string", '''
    @cached
    def f(x):
        return """a
      <<=>  >>b"""
''')
changes("a string in the code that looks like a docstring of a nested function", '''
    @cached
    def f(x):
        text = """
        def g():
            "<<one=>two>>"
        """
        return text
''')
changes("bytes in the code", """
    @cached
    def f(x): return b"<<a=>b>>" * x
""")
changes("a raw string becomes a plain one", """
    @cached
    def f(x): return <<r=>>>"a\\tb"
""")
changes("the text of an f-string", """
    @cached
    def f(x): return f"<<at=>to>> {x}"
""")
changes("the format of an f-string", """
    @cached
    def f(x): return f"{x:.<<1=>2>>f}"
""")
changes("the space in an f-string that shows its expression", """
    @cached
    def f(x): return f"{x<<=> >>=}"
""")

changes("the conversion of an f-string", """
    @cached
    def f(x): return f"{str(x)<<!r=>!s>>}"
""")
changes("an expression in an f-string", """
    def g(x): return x + <<1=>2>>
    @cached
    def f(x): return f"{g(x)}"
""")
changes("an f-string loses its prefix", """
    @cached
    def f(x): return <<f=>>>"{x}"
""")
changes("an int becomes a float", """
    @cached
    def f(x): return x + <<2=>2.0>>
""")
changes("an int becomes a bool", """
    @cached
    def f(x): return <<1=>True>>
""")
changes("the sign of zero", """
    @cached
    def f(x): return <<0.0=>-0.0>>
""")
changes("the last digit of a float", """
    @cached
    def f(x): return 0.1000000000000000<<1=>2>>
""")
changes("a big int", """
    @cached
    def f(x): return x + 1000000000000000000000000000<<1=>2>>
""")
changes("a comparison operator", """
    @cached
    def f(x): return x <<<= 3=>< 3>>
""")
changes("an arithmetic operator", """
    @cached
    def f(x): return x <<+=>->> 1
""")
changes("an augmented operator", """
    @cached
    def f(x):
        x <<+=>->>= 1
        return x
""")
changes("is becomes equals", """
    @cached
    def f(x): return [x] <<is=>==>> [x]
""")
changes("and becomes or", """
    @cached
    def f(x): return x <<and=>or>> 7
""")
changes("the constant of a conditional expression", """
    @cached
    def f(x): return 1 if x < 0 else <<2=>3>>
""")
changes("a match pattern", """
    @cached
    def f(x):
        match x:
            case <<3=>4>>: return "hit"
            case _: return "other"
""")
changes("a match guard", """
    @cached
    def f(x):
        match x:
            case n if n > <<2=>5>>: return "hit"
            case _: return "other"
""")
changes("a match class pattern", """
    @cached
    def f(x):
        match x:
            case <<int=>str>>(): return "hit"
            case _: return "other"
""")
changes("a match pattern by a constant's name", """
    class Kind:
        OPEN = <<3=>4>>
    @cached
    def f(x):
        match x:
            case Kind.OPEN: return "hit"
            case _: return "other"
""")
changes("the type of a caught exception", """
    @cached
    def f(x):
        try:
            return {}[x]
        except <<KeyError=>IndexError>>:
            return "caught"
        except Exception:
            return "other"
""")
changes("the condition of a comprehension", """
    @cached
    def f(x): return [i for i in range(9) if i > <<x=>5>>]
""")
changes("a callee called in a comprehension", """
    def g(i): return i * <<2=>3>>
    @cached
    def f(x): return [g(i) for i in range(x)]
""")
changes("a callee called in a nested comprehension and lambda", """
    def g(i): return i * <<2=>3>>
    @cached
    def f(x): return [(lambda n: {k: g(k) for k in range(n)})(i) for i in range(x)]
""")
changes("a walrus in the body", """
    @cached
    def f(x): return [y := x + <<1=>2>>, y]
""")
changes("a slice", """
    @cached
    def f(x): return [0, 1, 2, 3][<<:=>1:>>]
""")
changes("a keyword of a call", """
    def g(a=0, b=0): return a - b
    @cached
    def f(x): return g(<<a=>b>>=x)
""")
changes("the order of two statements", """
    @cached
    def f(x):
        <<x += 1=>x *= 2>>
        <<x *= 2=>x += 1>>
        return x
""")
changes("a statement moves out of the loop by its indentation", """
    @cached
    def f(x):
        n = 0
        for i in range(x):
            n += 1
        <<    =>>>n += 10
        return n
""")
changes("else moves from if to for by its indentation", """
    @cached
    def f(x):
        out = []
        for i in range(x):
            if i == 5:
                out.append(i)
    <<        =>    >>else:
    <<        =>    >>    out.append(9)
        return out
""")
changes("parentheses that order the arithmetic", """
    @cached
    def f(x): return <<(x + 1) * 2=>x + 1 * 2>>
""")
changes("parentheses that order a comparison", """
    @cached
    def f(x): return <<1 < x < 2=>(1 < x) < 2>>
""")
changes("parentheses that order a negation", """
    @cached
    def f(x): return <<not (x and 0)=>not x and 0>>
""")
changes("parentheses between is and not", """
    @cached
    def f(x): return None <<is not True=>is (not True)>>
""")
changes("parentheses around a power", """
    @cached
    def f(x): return <<-x ** 2=>(-x) ** 2>>
""")
changes("parentheses that end a lambda", """
    @cached
    def f(x): return (lambda n: <<(n, 1)=>n, 1>>)<<(x)=>[0](x)>>
""")
changes("the comma that makes a tuple", """
    @cached
    def f(x): return (x<<=>,>>)
""")
changes("the comma between two strings", """
    @cached
    def f(x): return ["a"<<,=>>> "b"]
""")
changes("a starred argument", """
    def g(*values): return len(values)
    @cached
    def f(x): return g(<<=>*>>[x, x])
""")
changes("a nested function's body", """
    @cached
    def f(x):
        def inner(y): return y + <<1=>2>>
        return inner(x)
""")
changes("a callee of a nested function", """
    def g(x): return x + <<1=>2>>
    @cached
    def f(x):
        def inner(y):
            def innermost(z): return g(z)
            return innermost(y)
        return inner(x)
""")
changes("the default of a nested function", """
    @cached
    def f(x):
        def inner(y=<<1=>2>>): return y
        return inner() + x
""")
changes("a class in the function", """
    @cached
    def f(x):
        class Local:
            def get(self): return x + <<1=>2>>
        return Local().get()
""")
changes("a callee of a class in the function", """
    def g(x): return x + <<1=>2>>
    @cached
    def f(x):
        class Local:
            K = g(1)
        return Local.K + x
""")
changes("a decorator of a nested function", """
    def deco(function): return lambda y: function(y) * <<2=>3>>
    @cached
    def f(x):
        @deco
        def inner(y): return y
        return inner(x)
""")
changes("an annotation makes a global name local", """
    K = 5
    @cached
    def f(x):
        <<pass=>K: int>>
        return K + x
""")
changes("global in the body", """
    K = 5
    def g():
        <<pass=>global K>>
        K = 7
    @cached
    def f(x):
        g()
        return K
""")
changes("a recursive function", """
    @cached
    def f(x): return 1 if x <= 0 else x <<*=>+>> f.compute(x - 1)
""")
changes("a recursive callee", """
    def g(x): return <<1=>2>> if x <= 0 else x * g(x - 1)
    @cached
    def f(x): return g(x)
""")
changes("mutual recursion, the other one", """
    def even(n): return True if n == 0 else odd(n - 1)
    def odd(n): return <<False=>None>> if n == 0 else even(n - 1)
    @cached
    def f(x): return even(x)
""")
changes("mutual recursion between two modules", """
    from pkg.other import odd
    def even(n): return "even" if n == 0 else odd(n - 1)
    @cached
    def f(x): return even(x)
    == pkg/other.py
    def odd(n):
        from pkg.mod import even
        return "<<odd=>uneven>>" if n == 0 else even(n - 1)
""")
changes("a generator function, which is a series", """
    @cached
    def f(x):
        for i in range(x):
            yield i + <<1=>2>>
""")
changes("a callee of a series", """
    def step(i): return i * <<2=>3>>
    @cached
    def f(x):
        i = 1
        while True:
            i = step(i)
            yield i
""")
changes("a generator that a callee yields from", """
    def parts(x):
        yield x + <<1=>2>>
    @cached
    def f(x):
        yield from parts(x)
""")
changes("an async function", """
    @cached
    async def f(x): return x + <<1=>2>>
""")
changes("a callee awaited by an async function", """
    async def g(x): return x + <<1=>2>>
    @cached
    async def f(x): return await g(x)
""")
changes("a lambda", """
    g = lambda x: x + <<1=>2>>
    @cached
    def f(x): return g(x)
""")
changes("the first of two lambdas on one line", """
    g, h = lambda x: x + <<1=>2>>, lambda x: x + 5
    @cached
    def f(x): return g(x)
""")
changes("the second of two lambdas on one line", """
    g, h = lambda x: x + 5, lambda x: x + <<1=>2>>
    @cached
    def f(x): return h(x)
""")
changes("two lambdas on one line are swapped", """
    g, h = <<lambda x: x + 1, lambda x: x + 2=>lambda x: x + 2, lambda x: x + 1>>
    @cached
    def f(x): return h(x)
""")
changes("a cached lambda", """
    f = cached(lambda x: x + <<1=>2>>)
""")
changes("a callee given to map, sorted and reduce", """
    from functools import reduce
    def g(x): return x * <<2=>-2>>
    def join(a, b): return a - b
    @cached
    def f(x): return reduce(join, sorted(map(g, range(x)), key=abs))
""")

# ---------------------------------------------------------------- values of a module

for what, old, new in (
    ("an int", "1", "2"),
    ("a float", "0.1", "0.2"),
    ("a string", '"a"', '"b"'),
    ("a long string", f'"{"a" * 9000}"', f'"{"a" * 8999}b"'),
    ("bytes", 'b"a"', 'b"b"'),
    ("a complex number", "1j", "2j"),
    ("a tuple", "(1, (2, 3))", "(1, (2, 4))"),
    ("the type of a number", "1", "1.0"),
    ("a bool", "True", "1"),
    ("None", "None", "0"),
    ("the sign of zero, as a constant", "0.0", "-0.0"),
    ("NaN", 'float("nan")', 'float("inf")'),
    ("a list or a tuple", "[1, 2]", "(1, 2)"),
    ("a list", "[1, 2, [3]]", "[1, 2, [4]]"),
    ("a set", '{"a", "b"}', '{"a", "c"}'),
    ("a frozenset", 'frozenset({"a"})', 'frozenset({"b"})'),
    ("a dict", '{"a": 1}', '{"a": 2}'),
    ("a dict's key", '{"a": 1}', '{"b": 1}'),
    ("a nested dict", '{"a": {"b": [1, {"c": 2}]}}', '{"a": {"b": [1, {"c": 3}]}}'),
    ("the order of a dict", '{"a": 1, "b": 2}', '{"b": 2, "a": 1}'),
    ("an expression", "2 ** 3", "2 ** 4"),
    ("a call of a builtin", "list(range(3))", "list(range(4))"),
    ("a range", "range(3)", "range(4)"),
    ("a slice", "slice(1, 2)", "slice(1, 3)"),
    ("a list by a comprehension", "[i * 2 for i in range(4)]", "[i * 3 for i in range(4)]"),
    ("a dict by a comprehension", "{i: i * 2 for i in range(4)}", "{i: i * 3 for i in range(4)}"),
    ("a decimal", '__import__("decimal").Decimal("1.0")', '__import__("decimal").Decimal("1.00")'),
    ("a fraction", '__import__("fractions").Fraction(1, 3)', '__import__("fractions").Fraction(2, 3)'),
    ("a date", '__import__("datetime").date(2020, 1, 1)', '__import__("datetime").date(2020, 1, 2)'),
    ("a path", '__import__("pathlib").PurePosixPath("a")', '__import__("pathlib").PurePosixPath("b")'),
    ("a compiled pattern", '__import__("re").compile("a+")', '__import__("re").compile("a*")'),
    ("a read-only mapping", '__import__("types").MappingProxyType({"a": 1})', '__import__("types").MappingProxyType({"a": 2})'),
    ("a simple namespace", '__import__("types").SimpleNamespace(a=1)', '__import__("types").SimpleNamespace(a=2)'),
    ("an ordered dict", '__import__("collections").OrderedDict(a=1)', '__import__("collections").OrderedDict(a=2)'),
    ("a default dict", '__import__("collections").defaultdict(int, a=1)', '__import__("collections").defaultdict(int, a=2)'),
    ("a deque", '__import__("collections").deque([1, 2])', '__import__("collections").deque([1, 3])'),
    ("an item getter", '__import__("operator").itemgetter("a")', '__import__("operator").itemgetter("b")'),
    ("a bytearray", 'bytearray(b"a")', 'bytearray(b"b")'),
    ("an array of the standard library", '__import__("array").array("d", [1.0])', '__import__("array").array("d", [2.0])'),
):
    changes(f"a module constant: {what}", f"""
        K = <<{old}=>{new}>>
        @cached
        def f(x): return K
    """)

changes("a module constant: a numpy array", """
    import numpy as np
    K = np.array([1, 2, <<3=>4>>])
    @cached
    def f(x): return float(K.sum()) + x
""", needs=("numpy",))
changes("a module constant: one number inside a large numpy array", """
    import numpy as np
    K = np.zeros(100_000)
    K[50_000] = <<1=>2>>
    @cached
    def f(x): return float(K.sum()) + x
""", needs=("numpy",))
changes("a module constant: the type of a numpy number", """
    import numpy as np
    K = np.float<<32=>64>>(0.1)
    @cached
    def f(x): return float(K) + x
""", needs=("numpy",))
changes("a constant that other constants make", """
    A = <<1=>2>>
    B = A * 10
    C = (A, B)
    @cached
    def f(x): return C
""")
changes("a constant that a function makes at import", """
    def make(): return <<1=>2>>
    K = make()
    @cached
    def f(x): return K + x
""")
changes("a constant of another module, by name", """
    from pkg.other import K
    @cached
    def f(x): return K + x
    == pkg/other.py
    K = <<1=>2>>
""")
changes("a constant of another module, by attribute", """
    from pkg import other
    @cached
    def f(x): return other.K + x
    == pkg/other.py
    K = <<1=>2>>
""")
changes("a constant of another module, by another name", """
    from pkg.other import K as LIMIT
    @cached
    def f(x): return LIMIT + x
    == pkg/other.py
    K = <<1=>2>>
""")
changes("a constant three modules away", """
    from pkg.a import K
    @cached
    def f(x): return K + x
    == pkg/a.py
    from pkg.b import K
    == pkg/b.py
    from pkg.c import BASE
    K = BASE + 1
    == pkg/c.py
    BASE = <<1=>2>>
""")
changes("a constant only a callee reads", """
    K = <<1=>2>>
    def g(x): return K + x
    @cached
    def f(x): return g(x)
""")
changes("a constant only a nested function reads", """
    K = <<1=>2>>
    @cached
    def f(x):
        def inner(): return K
        return inner() + x
""")
changes("a constant only a lambda in a comprehension reads", """
    K = <<1=>2>>
    @cached
    def f(x): return [(lambda: K)() for _ in range(x)]
""")
changes("a constant only a class body reads", """
    K = <<1=>2>>
    class C:
        LIMIT = K
    @cached
    def f(x): return C.LIMIT + x
""")
changes("a constant only a method reads", """
    K = <<1=>2>>
    class C:
        def get(self): return K
    @cached
    def f(x): return C().get() + x
""")
changes("a constant with a type hint", """
    from typing import Final
    K: Final[int] = <<1=>2>>
    @cached
    def f(x): return K + x
""")
changes("a local variable with a type hint", """
    @cached
    def f(x):
        k: int = <<1=>2>>
        return k + x
""")
changes("a class attribute that hides and uses a constant", """
    K = 1
    class C:
        K = K + <<1=>2>>
    @cached
    def f(x): return C.K + x
""")
changes("a constant used by a comprehension in a class body", """
    K = <<1=>2>>
    class C:
        table = [K * i for i in range(4)]
    @cached
    def f(x): return C.table[x]
""")

changes("a dict filled by a loop", """
    TABLE = {}
    for i in range(5):
        TABLE[i] = i * <<2=>3>>
    @cached
    def f(x): return TABLE[x]
""")
changes("a dict filled by subscript assignment", """
    TABLE = {}
    TABLE[3] = <<1=>2>>
    @cached
    def f(x): return TABLE[x]
""")
changes("a dict filled by update", """
    TABLE = {3: 0}
    TABLE.update({3: <<1=>2>>})
    @cached
    def f(x): return TABLE[x]
""")
changes("a dict filled by a union in place", """
    TABLE = {3: 0}
    TABLE |= {3: <<1=>2>>}
    @cached
    def f(x): return TABLE[x]
""")
changes("a list filled by append", """
    STEPS = []
    STEPS.append(<<1=>2>>)
    @cached
    def f(x): return STEPS
""")
changes("a list filled by another module", """
    from pkg.other import STEPS
    import pkg.fill
    @cached
    def f(x): return STEPS
    == pkg/other.py
    STEPS = []
    == pkg/fill.py
    from pkg.other import STEPS
    STEPS.append(<<1=>2>>)
""")
changes("a nested dict filled below the function", """
    TABLE = {"a": {}}
    @cached
    def f(x): return TABLE["a"]
    TABLE["a"]["b"] = <<1=>2>>
""")
changes("a constant changed by augmented assignment", """
    K = 1
    K += <<1=>2>>
    @cached
    def f(x): return K + x
""")
changes("a constant by if and else", """
    if len("abc") > <<1=>5>>:
        K = 1
    else:
        K = 2
    @cached
    def f(x): return K + x
""")
changes("a constant by try and except", """
    try:
        K = {}["missing"]
    except KeyError:
        K = <<1=>2>>
    @cached
    def f(x): return K + x
""")
changes("a constant by with", """
    from contextlib import nullcontext
    with nullcontext(<<1=>2>>) as K:
        pass
    @cached
    def f(x): return K + x
""")
changes("a constant by for", """
    for K in range(<<4=>5>>):
        pass
    @cached
    def f(x): return K + x
""")
changes("constants by unpacking a tuple", """
    A, B = 1, <<2=>3>>
    @cached
    def f(x): return B + x
""")
changes("constants by unpacking in another order", """
    <<A, B=>B, A>> = 1, 2
    @cached
    def f(x): return B + x
""")
changes("constants by starred unpacking", """
    A, *REST = 1, 2, <<3=>4>>
    @cached
    def f(x): return REST
""")
changes("a constant by chained assignment", """
    A = B = <<1=>2>>
    @cached
    def f(x): return B + x
""")
changes("a constant by a walrus", """
    if (K := <<1=>2>>) > 0:
        pass
    @cached
    def f(x): return K + x
""")
changes("a constant set by global in a function called at import", """
    K = 1
    def configure():
        global K
        K = <<2=>3>>
    configure()
    @cached
    def f(x): return K + x
""")
changes("a constant set through globals()", """
    globals()["K"] = <<1=>2>>
    @cached
    def f(x): return K + x
""")
changes("a constant of a module set by another module", """
    from pkg import other, patch
    @cached
    def f(x): return other.K + x
    == pkg/other.py
    K = 1
    == pkg/patch.py
    from pkg import other
    other.K = <<2=>3>>
""")
changes("a function of a module replaced by another module", """
    from pkg import other, patch
    @cached
    def f(x): return other.g(x)
    == pkg/other.py
    def g(x): return x
    == pkg/patch.py
    from pkg import other
    def better(x): return x + <<2=>3>>
    other.g = better
""")
changes("a constant assigned again further down", """
    K = 1
    @cached
    def f(x): return K + x
    <<=>K = 2>>
""")
changes("a context variable's default", """
    from contextvars import ContextVar
    K = ContextVar("K", default=<<1=>2>>)
    @cached
    def f(x): return K.get() + x
""")
changes("the seed of a generator of the module", """
    import random
    RNG = random.Random(<<1=>2>>)
    @cached
    def f(x): return RNG.random() + x
""")
changes("the seed of a numpy generator of the module", """
    import numpy as np
    RNG = np.random.default_rng(<<1=>2>>)
    @cached
    def f(x): return float(RNG.random()) + x
""", needs=("numpy",))
changes("a constant read from a data file at import", """
    import json
    from pathlib import Path
    TABLE = json.loads(Path(__file__).with_name("table.json").read_text())
    @cached
    def f(x): return TABLE["k"] + x
    == pkg/table.json
    {"k": <<1=>2>>}
""")
changes("a constant read from a data file by a helper of another module", """
    from pkg.helpers import load_demand
    DEMAND = load_demand("demand.csv")
    @cached
    def f(x): return sum(DEMAND) + x
    == pkg/helpers.py
    from pkg.files import rows
    def load_demand(name): return [float(row) for row in rows(name)]
    == pkg/files.py
    from pathlib import Path
    def rows(name): return Path(__file__).with_name(name).read_text().split()
    == pkg/demand.csv
    1 <<2=>3>>
""")
changes("a constant read from a data file by a helper's helper", """
    from pathlib import Path
    def rows(name): return Path(__file__).with_name(name).read_text().split()
    def demand(name): return [float(row) for row in rows(name)]
    DEMAND = demand("demand.csv")
    @cached
    def f(x): return sum(DEMAND) + x
    == pkg/demand.csv
    1 <<2=>3>>
""")
changes("a constant read from a data file, in a module that is imported late", """
    @cached
    def f(x):
        from pkg.data import DEMAND
        return sum(DEMAND) + x
    == pkg/data.py
    from pkg.helpers import Rows
    DEMAND = Rows("demand.csv").numbers()
    == pkg/helpers.py
    from pathlib import Path
    class Rows:
        def __init__(self, name): self.text = Path(__file__).with_name(name).read_text()
        def numbers(self): return [float(row) for row in self.text.split()]
    == pkg/demand.csv
    1 <<2=>3>>
""")
for _name, _text in (
    ("a default value", "def g(x, data=rows('demand.csv')): return sum(data) + x"),
    ("a default of the function itself", "@cached\ndef f(x, *, data=rows('demand.csv')): return sum(data) + x"),
    ("a default of a method", "class G:\n    def run(self, x, data=rows('demand.csv')): return sum(data) + x\ndef g(x): return G().run(x)"),
    ("a default of a method of the file that reads", "class G:\n    def run(self, x, data=open(__file__.replace('mod.py', 'demand.csv')).read()): return len(data.split()[1]) + float(data.split()[1]) + x\ndef g(x): return G().run(x)"),
    ("an attribute of a class", "class G:\n    DATA = tuple(rows('demand.csv'))\ndef g(x): return sum(G.DATA) + x"),
    ("a field's default", "from dataclasses import dataclass\n@dataclass\nclass G:\n    n: float = rows('demand.csv')[1]\ndef g(x): return G().n + x"),
    ("what a decorator is given", "def scale(by):\n    def wrap(function): return lambda x: function(x) * by\n    return wrap\n@scale(rows('demand.csv')[1])\ndef g(x): return x"),
    ("what a decorator of a class is given", "def put(v):\n    def wrap(cls):\n        cls.v = v\n        return cls\n    return wrap\n@put(rows('demand.csv')[1])\nclass G: pass\ndef g(x): return x * G.v"),
    ("a base that is made of it", "def make(v):\n    class Base:\n        dt = v\n    return Base\nclass G(make(rows('demand.csv')[1])): pass\ndef g(x): return x * G.dt"),
    ("a keyword of a class", "class Base:\n    def __init_subclass__(cls, dt): cls.dt = dt\nclass G(Base, dt=rows('demand.csv')[1]): pass\ndef g(x): return x * G.dt"),
    ("a class that a call makes", "G = type('G', (), {'dt': rows('demand.csv')[1]})\ndef g(x): return x * G.dt"),
    ("an enumeration that a call makes", "from enum import Enum\nG = Enum('G', [(f'v{v}', v) for v in rows('demand.csv')])\ndef g(x): return x * [*G][1].value"),
    ("a descriptor", "class D:\n    def __init__(self, v): self.v = v\n    def __get__(self, one, of=None): return self.v\nclass G:\n    dt = D(rows('demand.csv')[1])\ndef g(x): return x * G.dt"),
    ("a class in a class", "class G:\n    class In:\n        dt = rows('demand.csv')[1]\ndef g(x): return x * G.In.dt"),
    ("a default, in a module that is imported late", "def g(x):\n    from pkg.late import h\n    return h(x)\n== pkg/late.py\nfrom pkg.helpers import rows\ndef h(x, data=rows('demand.csv')): return sum(data) + x\n"),
):
    _head, *_others = _text.split("== ")
    changes(f"read from a data file by a helper of another module: {_name}", f"""from pkg.helpers import rows
{_head}
{'' if '@cached' in _head else '@cached' + chr(10) + 'def f(x): return g(x)'}
{''.join('== ' + other for other in _others)}== pkg/helpers.py
from pathlib import Path
def rows(name): return [float(row) for row in Path(__file__).with_name(name).read_text().split()]
== pkg/demand.csv
1 <<2=>3>>
""")
changes("an array read from a data file by a reader of an installed package", """
    import numpy as np
    from pkg.helpers import table
    T = table()
    @cached
    def f(x): return float(T.sum()) + x
    == pkg/helpers.py
    from pathlib import Path
    import numpy as np
    def table(): return np.loadtxt(Path(__file__).with_name("t.txt"))
    == pkg/t.txt
    1 <<2=>3>>
""", needs=("numpy",))
changes("a data frame read from a file at import", """
    from pathlib import Path
    import pandas
    TABLE = pandas.read_csv(Path(__file__).with_name("t.csv"))
    @cached
    def f(x): return float(TABLE["a"].sum()) + x
    == pkg/t.csv
    a,b
    1,x
    <<2=>3>>,y
""", needs=("pandas",))
changes("what is taken from a data frame that is read from a file", """
    from pathlib import Path
    import pandas
    TABLE = pandas.read_table(Path(__file__).with_name("t.csv"))
    A = TABLE["a"].to_numpy() * 2
    @cached
    def f(x): return float(A.sum()) + x
    == pkg/t.csv
    a
    1
    <<2=>3>>
""", needs=("pandas",))
for _held, _asked in (("CONFIG", 'CONFIG.getfloat("m", "alpha")'), ('CONFIG.getfloat("m", "alpha")', "HELD")):
    changes(f"a configuration file: {_asked}", f"""
from configparser import ConfigParser
from pathlib import Path
CONFIG = ConfigParser()
CONFIG.read(Path(__file__).with_name("c.ini"))
HELD = {_held}
@cached
def f(x): return {_asked} * x
== pkg/c.ini
[m]
alpha = <<1=>2>>
""")
same("all of the environment under another name", """
    import os
    ENVIRONMENT = os.environ
    def wanted(name): return ENVIRONMENT.get(name, "")
    @cached
    def f(x): return wanted("NO_SUCH_NAME") * x<<=>  # a comment>>
""")
changes("an object that changes as it is used, filled from a file at import", """
    from pkg.data import Data
    DATA = Data("d.txt")
    @cached
    def f(x): return DATA.ask() + x
    == pkg/data.py
    from pathlib import Path
    class Data:
        def __init__(self, name):
            self.number = int(Path(__file__).with_name(name).read_text())
            self.asked = 0
        def ask(self):
            self.asked += 1
            return self.number
    == pkg/d.txt
    <<1=>2>>
""")
same("a record that holds a path of the checkout", """
    from pathlib import Path
    from types import SimpleNamespace
    from functools import partial
    ROOT = Path(__file__).resolve().parents[1]
    CONFIG = SimpleNamespace(k=2, data=ROOT / "data", text=str(ROOT), inside=[ROOT / "a"])
    def named(where): return lambda x: x + len(where.name[:0])
    def times(where, x): return x * 2 + len(where.name[:0])
    within = named(ROOT / "data")
    bound = partial(times, ROOT)
    @cached
    def f(x): return CONFIG.k * within(x) + bound(x)<<=>  # a comment>>
""")
changes("a record that holds another path of the checkout", """
    from pathlib import Path
    from types import SimpleNamespace
    from pkg.places import data
    CONFIG = SimpleNamespace(data=data(Path(__file__).parent))
    @cached
    def f(x): return CONFIG.data.name
    == pkg/places.py
    NAME = "<<a=>b>>"
    def data(root): return root / NAME
""")
changes("an attribute of a function", """
    def g(x): return x + g.offset
    g.offset = <<1=>2>>
    @cached
    def f(x): return g(x)
""")
changes("an instance of the module: how it is made", """
    class Model:
        def __init__(self, a): self.a = a
        def run(self, x): return self.a * x
    MODEL = Model(<<1=>2>>)
    @cached
    def f(x): return MODEL.run(x)
""")
changes("an instance of the module: its method", """
    class Model:
        def run(self, x): return x * <<1=>2>>
    MODEL = Model()
    @cached
    def f(x): return MODEL.run(x)
""")
changes("an instance of the module: an attribute set later", """
    class Model:
        a = 1
        def run(self, x): return self.a * x
    MODEL = Model()
    MODEL.a = <<2=>3>>
    @cached
    def f(x): return MODEL.run(x)
""")
changes("an instance of the module: slots", """
    class Model:
        __slots__ = ("a",)
        def __init__(self, a): self.a = a
    MODEL = Model(<<1=>2>>)
    @cached
    def f(x): return MODEL.a + x
""")
changes("an instance of the module: of a class of another module, in a dict", """
    from pkg.models import Model
    MODELS = {"a": [Model()]}
    @cached
    def f(x): return MODELS["a"][0].run(x)
    == pkg/models.py
    class Model:
        def run(self, x): return x * <<1=>2>>
""")
changes("a bound method of the module", """
    class Model:
        def __init__(self, a): self.a = a
        def run(self, x): return self.a * x
    run = Model(<<1=>2>>).run
    @cached
    def f(x): return run(x)
""")

# ---------------------------------------------------------------- functions in values

changes("a dict of functions", """
    def add(x): return x + <<1=>2>>
    def double(x): return x * 2
    LAWS = {"add": add, "double": double}
    @cached
    def f(x): return LAWS["add"](x)
""")
changes("a dict of functions names another one", """
    def add(x): return x + 1
    def double(x): return x * 2
    LAWS = {"law": <<add=>double>>}
    @cached
    def f(x): return LAWS["law"](x)
""")
changes("a dict of lambdas", """
    LAWS = {
        "add": lambda x: x + <<1=>2>>,
        "double": lambda x: x * 2,
    }
    @cached
    def f(x): return LAWS["add"](x)
""")
changes("a dict of lambdas, two swapped", """
    LAWS = {
        "a": lambda x: x + <<1=>2>>,
        "b": lambda x: x + <<2=>1>>,
    }
    @cached
    def f(x): return LAWS["a"](x)
""")
changes("a list of functions of another module", """
    from pkg.laws import LAWS
    @cached
    def f(x): return [law(x) for law in LAWS]
    == pkg/laws.py
    from pkg.add import add
    LAWS = [add]
    == pkg/add.py
    def add(x): return x + <<1=>2>>
""")
changes("a nested dict of classes", """
    class Add:
        def run(self, x): return x + <<1=>2>>
    KINDS = {"sums": ({"add": Add},)}
    @cached
    def f(x): return KINDS["sums"][0]["add"]().run(x)
""")
changes("a registry filled by a decorator in the same module", """
    LAWS = {}
    def law(function):
        LAWS[function.__name__] = function
        return function
    @law
    def add(x): return x + <<1=>2>>
    @cached
    def f(x): return LAWS["add"](x)
""")
changes("a registry filled by a decorator in another module", """
    from pkg.registry import LAWS
    import pkg.laws
    @cached
    def f(x): return LAWS["add"](x)
    == pkg/registry.py
    LAWS = {}
    def law(name):
        def keep(function):
            LAWS[name] = function
            return function
        return keep
    == pkg/laws.py
    from pkg.registry import law
    @law("add")
    def add_numbers(x): return x + <<1=>2>>
""")
changes("one more kind in a registry", """
    from pkg.registry import LAWS
    import pkg.laws
    @cached
    def f(x): return [LAWS[name](x) for name in sorted(LAWS)]
    == pkg/registry.py
    LAWS = {}
    def law(function):
        LAWS[function.__name__] = function
        return function
    == pkg/laws.py
    from pkg.registry import law
    @law
    def add(x): return x + 1
    <<=>@law
    def double(x): return x * 2>>
""")
for _name, _law, _asked in (
    ("by __init_subclass__", "class Law:\n    kinds = {}\n    def __init_subclass__(cls, **k): Law.kinds[cls.__name__] = cls", "Law.kinds['A']().run(x)"),
    ("a list", "class Law:\n    kinds = []\n    def __init_subclass__(cls, **k): cls.kinds.append(cls)", "Law.kinds[0]().run(x)"),
    ("that classes tell", "class Law: pass", "Law.__subclasses__()[0]().run(x)"),
    ("that a method asks for", "class Law:\n    @classmethod\n    def first(cls): return cls.__subclasses__()[0]", "Law.first()().run(x)"),
):
    changes(f"a registry of a class: {_name}", f"""
{_law}
class A(Law):
    def run(self, x): return x * <<2=>3>>
@cached
def f(x): return {_asked}
""")
    changes(f"a registry of a class, filled by another module: {_name}", f"""
from pkg.law import Law
import pkg.laws
@cached
def f(x): return {_asked}
== pkg/law.py
{_law}
== pkg/laws.py
from pkg.law import Law
class A(Law):
    def run(self, x): return x * <<2=>3>>
""")
changes("a registry that is an instance", """
    class Registry:
        def __init__(self): self.kinds = {}
        def register(self, name):
            def put(kind):
                self.kinds[name] = kind
                return kind
            return put
    REG = Registry()
    @REG.register("a")
    def law(x): return x * <<2=>3>>
    @cached
    def f(x): return REG.kinds["a"](x)
""")
changes("a registry that is an instance of another module", """
    from pkg.registry import REG
    import pkg.laws
    @cached
    def f(x): return REG.kinds["a"](x)
    == pkg/registry.py
    class Registry:
        def __init__(self): self.kinds = {}
        def register(self, name):
            def put(kind):
                self.kinds[name] = kind
                return kind
            return put
    REG = Registry()
    == pkg/laws.py
    from pkg.registry import REG
    @REG.register("a")
    def law(x): return x * <<2=>3>>
""")
for _name, _text in (
    ("a part that leads back to it", "class Net:\n    def __init__(self, rows): self.roads = [Road(self, v) for v in rows]\nclass Road:\n    def __init__(self, net, v): self.net, self.v = net, v\nN = Net(rows())\ndef g(): return N.roads[0].v"),
    ("a random generator in it", "import random\nclass Net:\n    def __init__(self, rows): self.v, self.rng = rows[0], random.Random(1)\nN = Net(rows())\ndef g(): return N.v"),
    ("a lock and a function in it", "import threading\nN = {'v': rows()[0], 'lock': threading.Lock(), 'fn': lambda x: x}\ndef g(): return N['v']"),
    ("itself in it", "N = {'v': rows()[0]}\nN['me'] = N\ndef g(): return N['v']"),
):
    changes(f"what was read from a file, with {_name}", f"""
from pathlib import Path
def rows(): return [int(row) for row in Path(__file__).with_name("n.txt").read_text().split()]
{_text}
@cached
def f(x): return x * g()
== pkg/n.txt
<<2=>3>>
""")
same("a dict that contains itself", """
    D = {"n": 5}
    D["me"] = D
    @cached
    def f(x): return x + D["me"]["n"] <<=># why>>
""")
same("a long sum", """
    K = 1
    def g(x): return """ + " + ".join(["K"] * 500) + """
    T = """ + " + ".join(["1.5"] * 500) + """
    @cached
    def f(x): return g(x) + T <<=># why>>
""")
for _name, _default in (("given", "rows()[0]"), ("of a field", "pydantic.Field(default=rows()[0])")):
    changes(f"read from a data file by a helper of another module: a model's default, {_name}", f"""
import pydantic
from pkg.helpers import rows
class G(pydantic.BaseModel):
    dt: float = {_default}
@cached
def f(x): return x * G().dt
== pkg/helpers.py
from pathlib import Path
def rows(): return [float(row) for row in Path(__file__).with_name("n.txt").read_text().split()]
== pkg/n.txt
<<2=>3>>
""", needs=("pydantic",))
for _name, _text in (
    ("how many files there are", "import os\nN = len(os.listdir(HERE))"),
    ("which files there are", "N = len([*HERE.glob('*.txt')])"),
    ("an array that is mapped", "import numpy as np\nN = float(np.memmap(HERE / 'n.txt', np.uint8, 'r')[0])"),
    ("an array by another name of its reader", "from numpy import fromfile as ff\nimport numpy as np\nN = float(ff(HERE / 'n.txt', np.uint8)[0])"),
    ("what a program prints", "import subprocess\nN = float(subprocess.check_output(['cat', HERE / 'n.txt']).split()[0])"),
):
    changes(f"a constant that is read: {_name}", f"""
from pathlib import Path
HERE = Path(__file__).parent / "data"
{_text}
@cached
def f(x): return x * N
== pkg/data/n.txt
<<2=>3>>
== <<pkg/data/a.txt=>>>
""")
changes("a registry filled by __init_subclass__", """
    KINDS = {}
    class Kind:
        def __init_subclass__(cls): KINDS[cls.__name__] = cls
    class Add(Kind):
        def run(self, x): return x + <<1=>2>>
    @cached
    def f(x): return KINDS["Add"]().run(x)
""")
changes("functools.partial at the top: its argument", """
    from functools import partial
    def g(a, x): return a + x
    h = partial(g, <<1=>2>>)
    @cached
    def f(x): return h(x)
""")
changes("functools.partial at the top: its keyword", """
    from functools import partial
    def g(x, a): return a + x
    h = partial(g, a=<<1=>2>>)
    @cached
    def f(x): return h(x)
""")
changes("functools.partial at the top: its function", """
    from functools import partial
    def g(a, x): return a + x + <<1=>2>>
    h = partial(g, 1)
    @cached
    def f(x): return h(x)
""")
changes("functools.partial of an imported function", """
    from functools import partial
    from pkg.other import g
    h = partial(partial(g, 1), 2)
    @cached
    def f(x): return h(x)
    == pkg/other.py
    def g(a, b, x): return a + b + x + <<1=>2>>
""")
changes("functools.partial made in the function", """
    from functools import partial
    from pkg import other
    @cached
    def f(x): return partial(other.g, 1)(x)
    == pkg/other.py
    def g(a, x): return a + x + <<1=>2>>
""")
changes("functools.partialmethod", """
    from functools import partialmethod
    class C:
        def g(self, a, x): return a + x
        h = partialmethod(g, <<1=>2>>)
    @cached
    def f(x): return C().h(x)
""")
changes("functools.lru_cache over a callee", """
    from functools import lru_cache
    @lru_cache
    def g(x): return x + <<1=>2>>
    @cached
    def f(x): return g(x)
""")
changes("functools.cache over a callee's callee", """
    from functools import cache
    def h(x): return x + <<1=>2>>
    @cache
    def g(x): return h(x)
    @cached
    def f(x): return g(x)
""")
changes("functools.cached_property", """
    from functools import cached_property
    class C:
        @cached_property
        def a(self): return <<1=>2>>
    @cached
    def f(x): return C().a + x
""")
changes("functools.singledispatch: a registered implementation", """
    from functools import singledispatch
    @singledispatch
    def g(x): return 0
    @g.register
    def _(x: int): return x + <<1=>2>>
    @cached
    def f(x): return g(x)
""")
changes("functools.singledispatch: an implementation of another module", """
    from pkg.general import g
    import pkg.special
    @cached
    def f(x): return g(x)
    == pkg/general.py
    from functools import singledispatch
    @singledispatch
    def g(x): return 0
    == pkg/special.py
    from pkg.general import g
    @g.register(int)
    def whole(x): return x + <<1=>2>>
""")
changes("functools.singledispatch: the type an implementation is registered for", """
    from functools import singledispatch
    @singledispatch
    def g(x): return 0
    @g.register(<<int=>str>>)
    def _(x): return 1
    @cached
    def f(x): return g(x)
""")
changes("functools.singledispatchmethod", """
    from functools import singledispatchmethod
    class C:
        @singledispatchmethod
        def g(self, x): return 0
        @g.register
        def _(self, x: int): return x + <<1=>2>>
    @cached
    def f(x): return C().g(x)
""")
changes("functools.total_ordering", """
    from functools import total_ordering
    @total_ordering
    class C:
        def __init__(self, a): self.a = a
        def __eq__(self, other): return self.a == other.a
        def __lt__(self, other): return self.a <<<=>> >> other.a
    @cached
    def f(x): return C(x) >= C(5)
""")
changes("a closure's captured value", """
    def make(a):
        def g(x): return a + x
        return g
    g = make(<<1=>2>>)
    @cached
    def f(x): return g(x)
""")
changes("a closure's captured dict", """
    def make(table):
        def g(x): return table["a"] + x
        return g
    g = make({"a": <<1=>2>>})
    @cached
    def f(x): return g(x)
""")
changes("a closure over a function", """
    def make(inner):
        def g(x): return inner(x)
        return g
    def add(x): return x + <<1=>2>>
    g = make(add)
    @cached
    def f(x): return g(x)
""")
changes("a closure over an instance", """
    class Model:
        def run(self, x): return x + <<1=>2>>
    def make(model): return lambda x: model.run(x)
    g = make(Model())
    @cached
    def f(x): return g(x)
""")
changes("the body of a factory-made function", """
    def make(a):
        def g(x): return a + x * <<1=>2>>
        return g
    g = make(1)
    @cached
    def f(x): return g(x)
""")
changes("a factory's own work before it captures", """
    def make(a):
        a = a * <<2=>3>>
        def g(x): return a + x
        return g
    g = make(1)
    @cached
    def f(x): return g(x)
""")
changes("a cached function made by a factory: its captured value", """
    def make(a):
        @cached
        def g(x): return a + x
        return g
    f = make(<<1=>2>>)
""")
changes("a closure with state by nonlocal", """
    def counter():
        n = <<0=>10>>
        def count():
            nonlocal n
            n += 1
            return n
        return count
    @cached
    def f(x):
        count = counter()
        count()
        return count()
""")
changes("a class made by a factory: its captured value", """
    def make(a):
        class C:
            def run(self, x): return a + x
        return C
    C = make(<<1=>2>>)
    @cached
    def f(x): return C().run(x)
""")
changes("a callee that is cached itself", """
    @cached
    def g(x): return x + <<1=>2>>
    @cached
    def f(x): return g.compute(x)
""")
changes("a callee of a callee that is cached itself", """
    def h(x): return x + <<1=>2>>
    @cached
    def g(x): return h(x)
    @cached
    def f(x): return g.compute(x)
""")

changes("an instance inside an instance of the module", """
    from pkg.other import Inner
    class Outer:
        def __init__(self, inner): self.inner = inner
    OUTER = Outer(Inner())
    @cached
    def f(x): return OUTER.inner.run(x)
    == pkg/other.py
    class Inner:
        def run(self, x): return x + <<1=>2>>
""")
changes("an instance that a function makes at import", """
    from pkg.other import make
    MODEL = make()
    @cached
    def f(x): return MODEL.run(x)
    == pkg/other.py
    from pkg.model import Model
    def make(): return Model()
    == pkg/model.py
    class Model:
        def run(self, x): return x + <<1=>2>>
""")
changes("a closure in a closure in a closure", """
    def h(x): return x + <<1=>2>>
    def wrap(function): return lambda x: function(x)
    g = wrap(wrap(wrap(h)))
    @cached
    def f(x): return g(x)
""")
changes("a class in a closure", """
    class C:
        def run(self, x): return x + <<1=>2>>
    def wrap(cls): return lambda x: cls().run(x)
    g = wrap(C)
    @cached
    def f(x): return g(x)
""")
changes("an attribute getter", """
    from operator import attrgetter
    class C:
        limit = <<1=>2>>
    get = attrgetter("limit")
    @cached
    def f(x): return get(C) + x
""")

# ---------------------------------------------------------------- decorators and defaults

changes("a decorator with functools.wraps: its wrapper", """
    from functools import wraps
    def deco(function):
        @wraps(function)
        def inner(x): return function(x) * <<2=>3>>
        return inner
    @deco
    def g(x): return x + 1
    @cached
    def f(x): return g(x)
""")
changes("a decorator with functools.wraps: the decorated function", """
    from functools import wraps
    def deco(function):
        @wraps(function)
        def inner(x): return function(x) * 2
        return inner
    @deco
    def g(x): return x + <<1=>2>>
    @cached
    def f(x): return g(x)
""")
changes("a decorator without functools.wraps: its wrapper", """
    def deco(function):
        def inner(x): return function(x) * <<2=>3>>
        return inner
    @deco
    def g(x): return x + 1
    @cached
    def f(x): return g(x)
""")
changes("a decorator without functools.wraps: the decorated function", """
    def deco(function):
        def inner(x): return function(x) * 2
        return inner
    @deco
    def g(x): return x + <<1=>2>>
    @cached
    def f(x): return g(x)
""")
changes("a decorator is added", """
    def deco(function): return lambda x: function(x) * 2
    <<=>@deco>>
    def g(x): return x + 1
    @cached
    def f(x): return g(x)
""")
changes("two decorators are swapped", """
    def double(function): return lambda x: function(x) * 2
    def add(function): return lambda x: function(x) + 1
    <<@double=>@add>>
    <<@add=>@double>>
    def g(x): return x
    @cached
    def f(x): return g(x)
""")
changes("the argument of a decorator factory", """
    from functools import wraps
    def times(n):
        def deco(function):
            @wraps(function)
            def inner(x): return function(x) * n
            return inner
        return deco
    @times(<<2=>3>>)
    def g(x): return x + 1
    @cached
    def f(x): return g(x)
""")
changes("a decorator's own callee in another module", """
    from pkg.decorators import deco
    @deco
    def g(x): return x + 1
    @cached
    def f(x): return g(x)
    == pkg/decorators.py
    from functools import wraps
    from pkg.amount import amount
    def deco(function):
        @wraps(function)
        def inner(x): return function(x) * amount()
        return inner
    == pkg/amount.py
    def amount(): return <<2=>3>>
""")
changes("a decorator that works at decoration and returns the same function", """
    def deco(function):
        function.offset = <<1=>2>>
        return function
    @deco
    def g(x): return x + g.offset
    @cached
    def f(x): return g(x)
""")
changes("a decorator that is a class", """
    class Times:
        def __init__(self, function): self.function = function
        def __call__(self, x): return self.function(x) * <<2=>3>>
    @Times
    def g(x): return x + 1
    @cached
    def f(x): return g(x)
""")
changes("a decorator below @cached", """
    from functools import wraps
    def deco(function):
        @wraps(function)
        def inner(x): return function(x) * <<2=>3>>
        return inner
    @cached
    @deco
    def f(x): return x + 1
""")
changes("the function below a decorator below @cached", """
    from functools import wraps
    def deco(function):
        @wraps(function)
        def inner(x): return function(x) * 2
        return inner
    @cached
    @deco
    def f(x): return x + <<1=>2>>
""")
changes("a decorator below @cached without functools.wraps", """
    def deco(function):
        def f(x): return function(x) * 2
        return f
    @cached
    @deco
    def f(x): return x + <<1=>2>>
""")
changes("a decorator above @cached: the function", """
    from functools import wraps
    def deco(cached_function):
        @wraps(cached_function)
        def inner(x): return cached_function(x)
        inner.key, inner.compute = cached_function.key, cached_function.compute
        return inner
    @deco
    @cached
    def f(x): return x + <<1=>2>>
""")
changes("contextlib.contextmanager", """
    from contextlib import contextmanager
    @contextmanager
    def scaled(x):
        yield x * <<2=>3>>
    @cached
    def f(x):
        with scaled(x) as y:
            return y
""")
changes("a default value: a literal", """
    @cached
    def f(x, a=<<1=>2>>): return x + a
""")
changes("a default value of a callee", """
    def g(x, a=<<1=>2>>): return x + a
    @cached
    def f(x): return g(x)
""")
changes("a default value: an expression", """
    def g(x, a=[n * <<1=>2>> for n in range(3)]): return a[x - 1]
    @cached
    def f(x): return g(x)
""")
changes("a default value: a module constant", """
    K = <<1=>2>>
    def g(x, a=K): return x + a
    @cached
    def f(x): return g(x)
""")
changes("a default value: a constant of another module", """
    from pkg import other
    def g(x, a=other.K): return x + a
    @cached
    def f(x): return g(x)
    == pkg/other.py
    K = <<1=>2>>
""")
changes("a default value: a call of another module's function", """
    from pkg import other
    def g(x, a=other.make()): return x + a
    @cached
    def f(x): return g(x)
    == pkg/other.py
    def make(): return <<1=>2>>
""")
changes("the constant in a decorator's argument", """
    from pkg import other
    @other.times(other.K)
    def g(x): return x + 1
    @cached
    def f(x): return g(x)
    == pkg/other.py
    K = <<2=>3>>
    def times(n): return lambda function: lambda x: function(x) * n
""")

changes("a default value: by keyword only", """
    def g(x, *, a=<<1=>2>>): return x + a
    @cached
    def f(x): return g(x)
""")
changes("a default value: a lambda", """
    def g(x, a=lambda n: n + <<1=>2>>): return a(x)
    @cached
    def f(x): return g(x)
""")
changes("a default value: a function", """
    def h(n): return n + <<1=>2>>
    def g(x, a=h): return a(x)
    @cached
    def f(x): return g(x)
""")
changes("a default value: an instance", """
    class Model:
        def __init__(self, a): self.a = a
    def g(x, model=Model(<<1=>2>>)): return x + model.a
    @cached
    def f(x): return g(x)
""")
changes("a default value: bound before the constant is bound again", """
    K = <<1=>2>>
    def g(x, a=K): return x + a
    K = 9
    @cached
    def f(x): return g(x)
""")
changes("a loop binds each function's default", """
    LAWS = []
    for n in (1, <<2=>3>>):
        def law(x, n=n): return x * n
        LAWS.append(law)
    @cached
    def f(x): return [law(x) for law in LAWS]
""")
changes("a parameter becomes keyword-only with another meaning of its order", """
    def g(<<a, b=>b, a>>): return a - b
    @cached
    def f(x): return g(x, 1)
""")

# ---------------------------------------------------------------- classes

changes("a method of a class made inside", """
    class C:
        def run(self, x): return x + <<1=>2>>
    @cached
    def f(x): return C().run(x)
""")
changes("a method of a class of another module", """
    from pkg import models
    @cached
    def f(x): return models.C().run(x)
    == pkg/models.py
    class C:
        def run(self, x): return x + <<1=>2>>
""")
changes("__init__ of a class made inside", """
    class C:
        def __init__(self, x): self.x = x + <<1=>2>>
    @cached
    def f(x): return C(x).x
""")
changes("__new__ of a class made inside", """
    class C:
        def __new__(cls, x): return x + <<1=>2>>
    @cached
    def f(x): return C(x)
""")
changes("a callee of a method", """
    def g(x): return x + <<1=>2>>
    class C:
        def run(self, x): return g(x)
    @cached
    def f(x): return C().run(x)
""")
changes("a class returned by a callee", """
    class C:
        def run(self, x): return x + <<1=>2>>
    def make(): return C()
    @cached
    def f(x): return make().run(x)
""")
changes("a method of a base class", """
    class Base:
        def run(self, x): return x + <<1=>2>>
    class C(Base):
        pass
    @cached
    def f(x): return C().run(x)
""")
changes("a method of a base class's base class in another module", """
    from pkg.base import Middle
    class C(Middle):
        pass
    @cached
    def f(x): return C().run(x)
    == pkg/base.py
    from pkg.ground import Ground
    class Middle(Ground):
        pass
    == pkg/ground.py
    class Ground:
        def run(self, x): return self.step(x)
        def step(self, x): return x + <<1=>2>>
""")
changes("another base class", """
    class A:
        def run(self, x): return x + 1
    class B:
        def run(self, x): return x + 2
    class C(<<A=>B>>):
        pass
    @cached
    def f(x): return C().run(x)
""")
changes("the order of the base classes", """
    class A:
        def run(self, x): return x + 1
    class B:
        def run(self, x): return x + 2
    class C(<<A, B=>B, A>>):
        pass
    @cached
    def f(x): return C().run(x)
""")
changes("a mixin", """
    class Mixin:
        def run(self, x): return self.amount() + x
    class Base:
        def amount(self): return <<1=>2>>
    class C(Mixin, Base):
        pass
    @cached
    def f(x): return C().run(x)
""")
changes("an override is added in a subclass", """
    class Base:
        def run(self, x): return self.step(x)
        def step(self, x): return x + 1
    class C(Base):
        name = "c"
        <<=>def step(self, x): return x + 2>>
    @cached
    def f(x): return C().run(x)
""")
changes("super()", """
    class Base:
        def run(self, x): return x + <<1=>2>>
    class C(Base):
        def run(self, x): return super().run(x) * 2
    @cached
    def f(x): return C().run(x)
""")
changes("an abstract base class", """
    from abc import ABC, abstractmethod
    class Base(ABC):
        def run(self, x): return self.step(x) * <<2=>3>>
        @abstractmethod
        def step(self, x): ...
    class C(Base):
        def step(self, x): return x
    @cached
    def f(x): return C().run(x)
""")
changes("a generic class", """
    from typing import Generic, TypeVar
    T = TypeVar("T")
    class C(Generic[T]):
        def run(self, x): return x + <<1=>2>>
    @cached
    def f(x): return C[int]().run(x)
""")
changes("a metaclass", """
    class Meta(type):
        def __call__(cls, x):
            made = super().__call__(x)
            made.x += <<1=>2>>
            return made
    class C(metaclass=Meta):
        def __init__(self, x): self.x = x
    @cached
    def f(x): return C(x).x
""")
changes("a method of a metaclass in another module", """
    from pkg.meta import Meta
    class C(metaclass=Meta):
        pass
    @cached
    def f(x): return C.amount() + x
    == pkg/meta.py
    class Meta(type):
        def amount(cls): return <<1=>2>>
""")
changes("another metaclass", """
    class A(type):
        def amount(cls): return 1
    class B(type):
        def amount(cls): return 2
    class C(metaclass=<<A=>B>>):
        pass
    @cached
    def f(x): return C.amount() + x
""")
changes("a class attribute", """
    class C:
        limit = <<1=>2>>
    @cached
    def f(x): return C.limit + x
""")
changes("a class attribute of a base class, read by an instance", """
    class Base:
        limit = <<1=>2>>
    class C(Base):
        def run(self, x): return self.limit + x
    @cached
    def f(x): return C().run(x)
""")
changes("a class attribute made from a constant of another module", """
    from pkg.other import K
    class C:
        limit = K * 2
    @cached
    def f(x): return C.limit + x
    == pkg/other.py
    K = <<1=>2>>
""")
changes("a class attribute filled by a loop in the class body", """
    class C:
        table = {}
        for i in range(4):
            table[i] = i * <<2=>3>>
    @cached
    def f(x): return C.table[x]
""")
changes("a class attribute set below the class", """
    class C:
        limit = 1
    C.limit = <<2=>3>>
    @cached
    def f(x): return C.limit + x
""")
changes("a class attribute set by setattr in another module", """
    from pkg.models import C
    import pkg.patch
    @cached
    def f(x): return C.limit + x
    == pkg/models.py
    class C:
        limit = 1
    == pkg/patch.py
    from pkg import models
    setattr(models.C, "limit", <<2=>3>>)
""")
for _name, _class, _patch, _asked in [
    ("a dataclass is given an attribute by another module", """
    from dataclasses import dataclass
    @dataclass
    class C:
        n: int = 1
    """, "C.limit = <<2=>3>>", "C().limit"),
    ("a generic class is given an attribute by another module", """
    from typing import Generic, TypeVar
    T = TypeVar("T")
    class C(Generic[T]):
        n = 1
    """, "C.limit = <<2=>3>>", "C().limit"),
    ("a protocol's class is given an attribute by another module", """
    from typing import Protocol
    class P(Protocol):
        n: int
    class C(P):
        n = 1
    """, "C.limit = <<2=>3>>", "C().limit"),
    ("a class is given an attribute by another module that its instances may have, too", """
    class C:
        def set(self, limit): self.limit = limit
    """, "C.limit = <<2=>3>>", "C().limit"),
    ("a method wrapped by another module", """
    class C:
        def run(self): return 1
    """, """
    import functools
    def scaled(method, k):
        @functools.wraps(method)
        def run(self): return method(self) * k
        return run
    C.run = scaled(C.run, <<2=>3>>)
    """, "C().run()"),
    ("a function is given an attribute by another module", """
    def C(): return C.limit
    """, "C.limit = <<2=>3>>", "C()"),
    ("a decorated function replaced by another module", """
    import functools
    def logged(function):
        @functools.wraps(function)
        def run(): return function()
        return run
    @logged
    def C(): return 1
    """, """
    from pkg import models
    def fast(): return <<2=>3>>
    models.C = fast
    """, "models.C()"),
    ("a decorated function replaced by a lambda of another module", """
    def logged(function):
        def run(): return function()
        return run
    @logged
    def C(): return 1
    """, "from pkg import models\nmodels.C = lambda: <<2=>3>>", "models.C()"),
]:
    changes(_name, "from pkg import models, patch\nfrom pkg.models import C\n@cached\n"
            f"def f(x): return {_asked} + x\n== pkg/models.py\n{dedent(_class)}\n== pkg/patch.py\nfrom pkg.models import C\n{dedent(_patch)}")
for _name, _import in [
    ("a module imported in a function for what it registers", "import pkg.plugins"),
    ("a module imported in a function for what it registers, by name", "from pkg import plugins"),
    ("a module imported in a function for what it registers, by importlib", "import importlib; importlib.import_module('pkg.plugins')"),
]:
    changes(_name, f"""
    from pkg.kinds import get
    @cached
    def f(x): return get("a")(x)
    == pkg/kinds.py
    KINDS = {{}}
    def register(law):
        KINDS[law.__name__] = law
        return law
    def get(name):
        {_import}
        return KINDS[name]
    == pkg/plugins.py
    from pkg.kinds import register
    @register
    def a(x): return x * <<2=>3>>
    """)
for _name, _registry, _entry, _asked in [
    ("a module imported in a function registers something elsewhere", """
    KINDS = {}
    def register(law):
        KINDS[law.__name__] = law
        return law
    """, """
    from pkg.kinds import KINDS, register
    @register
    def a(x): return x * <<2=>3>>
    """, "KINDS['a'](x)"),
    ("a module imported in a function registers something in an object", """
    class Registry:
        def __init__(self): self.held = {}
        def add(self, law):
            self.held[law.__name__] = law
            return law
        def get(self, name): return self.held[name]
    KINDS = Registry()
    """, """
    from pkg import kinds
    @kinds.KINDS.add
    def a(x): return x * <<2=>3>>
    """, "kinds.KINDS.get('a')(x)"),
    ("a module imported in a function registers something by a base class", """
    class Law:
        kinds = {}
        def __init_subclass__(cls): Law.kinds[cls.__name__] = cls
    """, """
    from pkg.kinds import Law
    class A(Law):
        def flow(self, x): return x * <<2=>3>>
    """, "Law.kinds['A']().flow(x)"),
    ("a module imported in a function has a class of which its base class is asked", """
    class Law:
        @classmethod
        def all(cls): return cls.__subclasses__()
    """, """
    from pkg.kinds import Law
    class A(Law):
        def flow(self, x): return x * <<2=>3>>
    """, "Law.all()[0]().flow(x)"),
]:
    changes(_name, "@cached\ndef f(x):\n    from pkg import laws\n    return laws.flow(x)\n"
            f"== pkg/kinds.py\n{dedent(_registry)}\n== pkg/laws.py\n{dedent(_entry)}\ndef flow(x): return {_asked}\n")
changes("a method set below the class", """
    class C:
        pass
    def run(self, x): return x + <<1=>2>>
    C.run = run
    @cached
    def f(x): return C().run(x)
""")
changes("a method that is a lambda", """
    class C:
        run = lambda self, x: x + <<1=>2>>
    @cached
    def f(x): return C().run(x)
""")
changes("a property", """
    class C:
        @property
        def limit(self): return <<1=>2>>
    @cached
    def f(x): return C().limit + x
""")
changes("the setter of a property", """
    class C:
        @property
        def limit(self): return self._limit
        @limit.setter
        def limit(self, value): self._limit = value * <<2=>3>>
    @cached
    def f(x):
        c = C()
        c.limit = x
        return c.limit
""")
changes("a static method", """
    class C:
        @staticmethod
        def run(x): return x + <<1=>2>>
    @cached
    def f(x): return C.run(x)
""")
changes("a class method", """
    class C:
        @classmethod
        def run(cls, x): return x + <<1=>2>>
    @cached
    def f(x): return C.run(x)
""")
changes("a callee of a class method", """
    def g(x): return x + <<1=>2>>
    class C:
        @classmethod
        def run(cls, x): return g(x)
    @cached
    def f(x): return C.run(x)
""")
changes("__call__", """
    class C:
        def __call__(self, x): return x + <<1=>2>>
    @cached
    def f(x): return C()(x)
""")
changes("__call__ of an instance of the module", """
    class C:
        def __call__(self, x): return x + <<1=>2>>
    g = C()
    @cached
    def f(x): return g(x)
""")
changes("__getitem__", """
    class C:
        def __getitem__(self, x): return x + <<1=>2>>
    @cached
    def f(x): return C()[x]
""")
changes("__getattr__", """
    class C:
        def __getattr__(self, name): return len(name) + <<1=>2>>
    @cached
    def f(x): return C().anything + x
""")
changes("__iter__ and __len__", """
    class C:
        def __iter__(self): return iter(range(<<3=>4>>))
        def __len__(self): return 3
    @cached
    def f(x): return [*C(), len(C())]
""")
changes("__contains__", """
    class C:
        def __contains__(self, x): return x > <<1=>5>>
    @cached
    def f(x): return x in C()
""")
changes("__add__", """
    class C:
        def __init__(self, a): self.a = a
        def __add__(self, other): return self.a + other.a + <<0=>1>>
    @cached
    def f(x): return C(x) + C(1)
""")
changes("__eq__ and __hash__", """
    class C:
        def __init__(self, a): self.a = a
        def __eq__(self, other): return <<True=>False>>
        def __hash__(self): return 1
    @cached
    def f(x): return len({C(1), C(2)})
""")
changes("__lt__, called by sorted", """
    class C:
        def __init__(self, a): self.a = a
        def __lt__(self, other): return self.a <<<=>> >> other.a
    @cached
    def f(x): return [c.a for c in sorted([C(1), C(3), C(2)])]
""")
changes("__enter__ and __exit__", """
    class C:
        def __enter__(self): return <<1=>2>>
        def __exit__(self, *problem): return True
    @cached
    def f(x):
        with C() as y:
            return x + y
""")
changes("__set_name__ and __get__ of a descriptor", """
    class Field:
        def __set_name__(self, owner, name): self.name = name * <<2=>3>>
        def __get__(self, instance, owner): return self.name
    class C:
        a = Field()
    @cached
    def f(x): return C().a
""")
changes("the argument of a descriptor", """
    class Field:
        def __init__(self, value): self.value = value
        def __get__(self, instance, owner): return self.value
    class C:
        a = Field(<<1=>2>>)
    @cached
    def f(x): return C().a + x
""")
changes("__init_subclass__", """
    class Base:
        def __init_subclass__(cls, scale=1): cls.limit = scale * 2
    class C(Base, scale=<<1=>2>>):
        pass
    @cached
    def f(x): return C.limit + x
""")
changes("__class_getitem__", """
    class C:
        def __class_getitem__(cls, item): return item + <<1=>2>>
    @cached
    def f(x): return C[x]
""")
changes("__slots__", """
    class C:
        __slots__ = ("a", <<"b"=>"c">>)
    @cached
    def f(x): return hasattr(C, "b")
""")
changes("__repr__", """
    class C:
        def __repr__(self): return "<<a=>b>>"
    @cached
    def f(x): return f"{C()} {x}"
""")
changes("an exception's method", """
    class Odd(Exception):
        def __str__(self): return "<<odd=>uneven>>"
    @cached
    def f(x):
        try:
            raise Odd
        except Odd as problem:
            return str(problem)
""")
changes("the base class of an exception that is caught", """
    class Problem(<<KeyError=>OSError>>):
        pass
    @cached
    def f(x):
        try:
            raise Problem
        except LookupError:
            return "lookup"
        except Exception:
            return "other"
""")
changes("a nested class", """
    class Outer:
        class Inner:
            limit = <<1=>2>>
    @cached
    def f(x): return Outer.Inner.limit + x
""")
changes("a default in a method of a nested class", """
    class Outer:
        class Inner:
            def run(self, x, a=<<1=>2>>): return x + a
    @cached
    def f(x): return Outer.Inner().run(x)
""")
changes("a class decorator", """
    def deco(cls):
        cls.limit = <<1=>2>>
        return cls
    @deco
    class C:
        pass
    @cached
    def f(x): return C.limit + x
""")
changes("a class decorator is added", """
    def deco(cls):
        cls.limit = 2
        return cls
    <<=>@deco>>
    class C:
        limit = 1
    @cached
    def f(x): return C.limit + x
""")
changes("a method's decorator", """
    def double(method):
        def inner(self, x): return method(self, x) * <<2=>3>>
        return inner
    class C:
        @double
        def run(self, x): return x
    @cached
    def f(x): return C().run(x)
""")
changes("a base class made by a call", """
    def base(limit): return type("Base", (), {"limit": limit})
    class C(base(<<1=>2>>)):
        pass
    @cached
    def f(x): return C.limit + x
""")
changes("a base class named by an alias of another module", """
    from pkg.other import Base
    class C(Base):
        pass
    @cached
    def f(x): return C().run(x)
    == pkg/other.py
    class A:
        def run(self, x): return x + 1
    class B:
        def run(self, x): return x + 2
    Base = <<A=>B>>
""")
changes("a dict's __missing__", """
    class Table(dict):
        def __missing__(self, key): return key + <<1=>2>>
    TABLE = Table()
    @cached
    def f(x): return TABLE[x]
""")
changes("a method that is another module's function", """
    from pkg import other
    class C:
        run = other.g
    @cached
    def f(x): return C().run(x)
    == pkg/other.py
    def g(self, x): return x + <<1=>2>>
""")
changes("a property made by a call", """
    def get(self): return <<1=>2>>
    class C:
        limit = property(get)
    @cached
    def f(x): return C().limit + x
""")
changes("a partial as a class attribute", """
    from functools import partial
    def g(a, x): return a + x
    class C:
        run = partial(g, <<1=>2>>)
    @cached
    def f(x): return C.run(x)
""")
changes("a diamond of base classes in two modules", """
    from pkg.other import Left, Right
    class C(Left, Right):
        def run(self, x): return super().run(x)
    @cached
    def f(x): return C().run(x)
    == pkg/other.py
    class Top:
        def run(self, x): return x
    class Left(Top):
        def run(self, x): return super().run(x) * 2
    class Right(Top):
        def run(self, x): return super().run(x) + <<1=>2>>
""")

changes("a class made by type()", """
    C = type("C", (), {"limit": <<1=>2>>, "run": lambda self, x: self.limit + x})
    @cached
    def f(x): return C().run(x)
""")
changes("a cached method", """
    class C:
        @cached
        def run(self, x): return x + <<1=>2>>
""", entry="pkg.mod:C.run", args="C(), 3")
changes("a helper of a cached method", """
    class C:
        def helper(self, x): return x + <<1=>2>>
        @cached
        def run(self, x): return self.helper(x)
""", entry="pkg.mod:C.run", args="C(), 3")
changes("a base class's helper of a cached method", """
    class Base:
        def helper(self, x): return x + <<1=>2>>
    class C(Base):
        @cached
        def run(self, x): return self.helper(x)
""", entry="pkg.mod:C.run", args="C(), 3")
changes("a subclass's helper of a cached method", """
    class Base:
        def helper(self, x): return x
        @cached
        def run(self, x): return self.helper(x)
    class C(Base):
        def helper(self, x): return x + <<1=>2>>
""", entry="pkg.mod:Base.run", args="C(), 3")
changes("super() in a cached method", """
    class Base:
        def run(self, x): return x + <<1=>2>>
    class C(Base):
        @cached
        def run(self, x): return super().run(x)
""", entry="pkg.mod:C.run", args="C(), 3")
changes("a cached static method's helper", """
    class C:
        @staticmethod
        def helper(x): return x + <<1=>2>>
        @staticmethod
        @cached
        def run(x): return C.helper(x)
""", entry="pkg.mod:C.run")

# ---------------------------------------------------------------- declared classes

changes("a dataclass field's default", """
    from dataclasses import dataclass
    @dataclass
    class P:
        a: int = <<1=>2>>
    @cached
    def f(x): return P().a + x
""")
changes("a dataclass field's default factory", """
    from dataclasses import dataclass, field
    @dataclass
    class P:
        a: list = field(default_factory=lambda: [<<1=>2>>])
    @cached
    def f(x): return P().a
""")
changes("a dataclass field's type", """
    from dataclasses import dataclass, fields
    @dataclass
    class P:
        a: <<int=>float>>
    @cached
    def f(x): return fields(P)[0].type.__name__
""")
changes("the order of dataclass fields", """
    from dataclasses import dataclass
    @dataclass
    class P:
        <<a=>b>>: int
        <<b=>a>>: int
    @cached
    def f(x): return P(1, 2).a
""")
changes("a dataclass option", """
    from dataclasses import dataclass
    @dataclass(order=True, eq=<<True=>True, frozen=True>>)
    class P:
        a: int
    @cached
    def f(x): return P.__dataclass_params__.frozen
""")
changes("__post_init__", """
    from dataclasses import dataclass
    @dataclass
    class P:
        a: int
        def __post_init__(self): self.a += <<1=>2>>
    @cached
    def f(x): return P(x).a
""")
changes("a dataclass's inherited field", """
    from dataclasses import dataclass
    @dataclass
    class Base:
        a: int = <<1=>2>>
    @dataclass
    class P(Base):
        b: int = 0
    @cached
    def f(x): return P().a + x
""")
changes("a dataclass field becomes a class variable", """
    from dataclasses import dataclass, fields
    from typing import ClassVar
    @dataclass
    class P:
        a: <<int=>ClassVar[int]>> = 1
    @cached
    def f(x): return len(fields(P))
""")
changes("a dataclass field's default factory of another module", """
    from dataclasses import dataclass, field
    from pkg import other
    @dataclass
    class P:
        a: list = field(default_factory=other.make)
    @cached
    def f(x): return P().a
    == pkg/other.py
    def make(): return [<<1=>2>>]
""")
changes("a dataclass made by a call", """
    from dataclasses import field, make_dataclass
    P = make_dataclass("P", [("a", int, field(default=<<1=>2>>))])
    @cached
    def f(x): return P().a + x
""")
changes("an enum made by a call", """
    from enum import Enum
    Kind = Enum("Kind", {"A": <<1=>2>>})
    @cached
    def f(x): return Kind.A.value + x
""")

changes("an enum member's value", """
    from enum import Enum
    class Kind(Enum):
        A = <<1=>2>>
    @cached
    def f(x): return Kind.A.value + x
""")
changes("the order of enum members", """
    from enum import Enum, auto
    class Kind(Enum):
        <<A=>B>> = auto()
        <<B=>A>> = auto()
    @cached
    def f(x): return Kind.A.value
""")
changes("an enum's method", """
    from enum import IntEnum
    class Kind(IntEnum):
        A = 1
        def double(self): return self * <<2=>3>>
    @cached
    def f(x): return Kind.A.double() + x
""")
changes("a named tuple's default", """
    from typing import NamedTuple
    class P(NamedTuple):
        a: int = <<1=>2>>
    @cached
    def f(x): return P().a + x
""")
changes("the order of a named tuple's fields", """
    from typing import NamedTuple
    class P(NamedTuple):
        <<a=>b>>: int
        <<b=>a>>: int
    @cached
    def f(x): return P(1, 2).a
""")
changes("a named tuple's method", """
    from typing import NamedTuple
    class P(NamedTuple):
        a: int
        def double(self): return self.a * <<2=>3>>
    @cached
    def f(x): return P(x).double()
""")
changes("collections.namedtuple's fields", """
    from collections import namedtuple
    P = namedtuple("P", "<<a b=>b a>>")
    @cached
    def f(x): return P(1, 2).a
""")
changes("a pydantic field's default", """
    from pydantic import BaseModel
    class P(BaseModel):
        a: int = <<1=>2>>
    @cached
    def f(x): return P().a + x
""", needs=("pydantic",))
changes("a pydantic field's type", """
    from pydantic import BaseModel
    class P(BaseModel):
        a: <<int=>float>>
    @cached
    def f(x): return P(a=x).a
""", needs=("pydantic",))
changes("a pydantic field's type by an alias", """
    from pydantic import BaseModel
    from pkg.other import Number
    class P(BaseModel):
        a: Number
    @cached
    def f(x): return P(a=x).a
    == pkg/other.py
    Number = <<int=>float>>
""", needs=("pydantic",))
changes("a pydantic field's type with postponed annotations", """
    from __future__ import annotations
    from simcache import cached
    from pydantic import BaseModel
    class P(BaseModel):
        a: <<int=>float>>
    @cached
    def f(x): return P(a=x).a
""", needs=("pydantic",))
changes("a pydantic field's limit", """
    from pydantic import BaseModel, Field, ValidationError
    class P(BaseModel):
        a: int = Field(gt=<<1=>5>>)
    @cached
    def f(x):
        try:
            return P(a=x).a
        except ValidationError:
            return "refused"
""", needs=("pydantic",))
changes("a pydantic validator", """
    from pydantic import BaseModel, field_validator
    class P(BaseModel):
        a: int
        @field_validator("a")
        @classmethod
        def more(cls, value): return value + <<1=>2>>
    @cached
    def f(x): return P(a=x).a
""", needs=("pydantic",))
changes("a callee of an annotated pydantic validator", """
    from typing import Annotated
    from pydantic import AfterValidator, BaseModel
    def more(value): return value + <<1=>2>>
    class P(BaseModel):
        a: Annotated[int, AfterValidator(more)]
    @cached
    def f(x): return P(a=x).a
""", needs=("pydantic",))
changes("a pydantic computed field", """
    from pydantic import BaseModel, computed_field
    class P(BaseModel):
        a: int
        @computed_field
        @property
        def double(self) -> int: return self.a * <<2=>3>>
    @cached
    def f(x): return P(a=x).model_dump()
""", needs=("pydantic",))
changes("a pydantic setting", """
    from pydantic import BaseModel, ConfigDict
    class P(BaseModel):
        model_config = ConfigDict(coerce_numbers_to_str=<<True=>False>>)
        a: str
    @cached
    def f(x):
        try:
            return P(a=x).a
        except ValueError:
            return "refused"
""", needs=("pydantic",))
changes("a pydantic model validator and a default factory", """
    from pydantic import BaseModel, Field, model_validator
    def make(): return <<1=>2>>
    class P(BaseModel):
        a: int = Field(default_factory=make)
        @model_validator(mode="after")
        def check(self): return self
    @cached
    def f(x): return P().a + x
""", needs=("pydantic",))
changes("a pydantic model made by a call", """
    from pydantic import create_model
    P = create_model("P", a=(int, <<1=>2>>))
    @cached
    def f(x): return P().a + x
""", needs=("pydantic",))
changes("the type given to a generic pydantic model", """
    from typing import Generic, TypeVar
    from pydantic import BaseModel
    T = TypeVar("T")
    class P(BaseModel, Generic[T]):
        a: T
    Q = P[<<int=>float>>]
    @cached
    def f(x): return Q(a=x).a
""", needs=("pydantic",))
changes("the classes of a union, taken from its type", """
    from typing import get_args
    class A:
        limit = 1
    class B:
        limit = <<2=>3>>
    AnyKind = A | B
    KINDS = get_args(AnyKind)
    @cached
    def f(x): return [kind.limit for kind in KINDS]
""")

changes("a pydantic base model's field in another module", """
    from pkg.base import Base
    class P(Base):
        b: int = 0
    @cached
    def f(x): return P().a + x
    == pkg/base.py
    from pydantic import BaseModel
    class Base(BaseModel):
        a: int = <<1=>2>>
""", needs=("pydantic",))
changes("a nested pydantic model that only a field's type names", """
    from pkg.other import Inner
    from pydantic import BaseModel
    class P(BaseModel):
        inner: list[Inner] | None
    @cached
    def f(x): return P.model_validate({"inner": [{}]}).inner[0].a + x
    == pkg/other.py
    from pydantic import BaseModel
    class Inner(BaseModel):
        a: int = <<1=>2>>
""", needs=("pydantic",))
changes("a nested pydantic model that only a quoted type names", """
    from pydantic import BaseModel
    class P(BaseModel):
        inner: "Inner"
    class Inner(BaseModel):
        a: int = <<1=>2>>
    @cached
    def f(x): return P.model_validate({"inner": {}}).inner.a + x
""", needs=("pydantic",))
changes("a kind of a discriminated union", """
    from typing import Annotated, Literal
    from pydantic import BaseModel, Field
    class A(BaseModel):
        kind: Literal["a"] = "a"
    class B(BaseModel):
        kind: Literal["b"] = "b"
        limit: int = <<1=>2>>
    AnyKind = Annotated[A | B, Field(discriminator="kind")]
    class P(BaseModel):
        law: AnyKind
    @cached
    def f(x): return P.model_validate({"law": {"kind": "b"}}).law.limit + x
""", needs=("pydantic",))
changes("a nested pydantic model's default", """
    from pydantic import BaseModel
    class Inner(BaseModel):
        a: int = <<1=>2>>
    class P(BaseModel):
        inner: Inner = Inner()
    @cached
    def f(x): return P.model_validate({"inner": {}}).inner.a + x
""", needs=("pydantic",))

# ---------------------------------------------------------------- what one name hides, and what is handed on whole

for _attribute in ("dt: float = dt", "dt = dt + 1", "dt = float(dt)", "rates = (dt, dt)\n    dt = 5"):
    changes(f"a class attribute that reads the module's name: {_attribute.splitlines()[0]}", f"""
from pkg.other import dt
class C:
    {_attribute}
@cached
def f(x): return [v for k, v in sorted(vars(C).items()) if k[0] != "_"]
== pkg/other.py
dt = <<0.1=>0.2>>
""")
changes("a method that a class wraps under its name", """
    def flux(x): return x + <<1=>2>>
    class C:
        flux = staticmethod(flux)
    @cached
    def f(x): return C.flux(x)
""")
same("a class attribute that only its class knows", """
    class C:
        dt = 1
        wide = dt + 1
    @cached
    def f(x): return C.wide
    def dt_(): return <<1=>2>>
""")
for _generic in ('list["Road"]', 'dict[str, "Road"]', 'tuple["Road", ...]', 'list[list["Road"]]', 'Annotated["Road", 1]', '"list[\'Road\']"'):
    changes(f"a model named within {_generic}", f"""
import pydantic
from typing import Annotated
class Road(pydantic.BaseModel):
    speed: float = <<1.0=>2.0>>
class Net(pydantic.BaseModel):
    roads: {_generic}
@cached
def f(x):
    for given in ([{{}}], {{"a": {{}}}}, [[{{}}]], {{}}):
        try: return Net.model_validate({{"roads": given}}).model_dump()
        except ValueError: continue
""", needs=("pydantic",))
changes("an argument by keyword that need no longer be given", """
    def g(x, *, a<<=>=None>>, b=1): return b
    @cached
    def f(x):
        try: return g(x, b=7)
        except TypeError: return -1
""")
changes("a dict that is spread, or stands under None", """
    D = {"a": 1}
    def g(): return {<<**D=>None: D>>}
    @cached
    def f(x): return g()
""")
changes("an own module with the name of one of Python's", """
    from profile import h
    @cached
    def f(x): return h(x)
    == profile.py
    def h(x): return x + <<1=>2>>
""")
changes("a package handed on: what its face takes by a star", """
    from pkg import law
    @cached
    def f(x): return getattr(law, "godunov")(x)
    == pkg/law/__init__.py
    from .a import *
    == pkg/law/a.py
    def godunov(x): return x + <<1=>2>>
""")
changes("a package handed on: a module in it", """
    import pkg.phys.flux
    from pkg import phys
    def run(p, x): return p.flux.g(x)
    @cached
    def f(x): return run(phys, x)
    == pkg/phys/__init__.py
    == pkg/phys/flux.py
    def g(x): return x + <<1=>2>>
""")
changes("a package handed on: its face finds names when asked", """
    from pkg import law
    @cached
    def f(x):
        m = law
        return m.godunov(x)
    == pkg/law/__init__.py
    import importlib
    def __getattr__(name): return getattr(importlib.import_module("pkg.law.a"), name)
    == pkg/law/a.py
    def godunov(x): return x + <<1=>2>>
""")
changes("a face that finds names when asked: what lies outside its folder", """
    from core import box
    @cached
    def f(x): return box.g(x)
    == core/__init__.py
    == core/box/__init__.py
    import importlib
    _W = {"g": "core.box.impl"}
    def __getattr__(name):
        if name in _W: return getattr(importlib.import_module(_W[name]), name)
        raise AttributeError(name)
    == core/box/impl.py
    from core.flux import h
    import core.deep
    def g(x): return h(x) + core.deep.i(x)
    == core/flux.py
    def h(x): return x + <<1=>2>>
    == core/deep.py
    def i(x): return x
""")
changes("code= names a package: what its modules take from outside it", """
    @cached(code=("lib",))
    def f(x):
        from lib.a import g
        return g(x)
    == lib/__init__.py
    == lib/a.py
    import beyond
    def g(x): return beyond.h(x)
    == beyond.py
    def h(x): return x + <<1=>2>>
""")
for _call in (
    'importlib.import_module(".other", __package__)', 'importlib.import_module(".other", "pkg")',
    'importlib.import_module(".other", package="pkg")', 'importlib.import_module(name="pkg.other")',
):
    changes(f"a module by {_call}", f"""
import importlib
@cached
def f(x): return {_call}.g(x)
== pkg/other.py
def g(x): return x + <<1=>2>>
""")
changes("hints that an installed package reads through a decorator of one's own", """
    from pydantic import validate_call
    def strict(h): return validate_call(h)
    @strict
    def g(x: <<int=>float>>): return [x]
    @cached
    def f(x): return repr(g(x))
""", needs=("pydantic",))
changes("a module by sys.modules", """
    import sys
    import pkg.other
    @cached
    def f(x): return sys.modules["pkg.other"].g(x)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
changes("a name by globals()", """
    def g(x): return x + <<1=>2>>
    @cached
    def f(x): return globals()["g"](x)
""")
for _field in ("k: int = <<1=>2>>", "k: int = pydantic.Field(default_factory=lambda: <<1=>2>>)", "@property\n        def k(self): return <<1=>2>>"):
    changes(f"a model made in a function: {_EDIT.sub('1', _field)}", f"""
import pydantic
def make():
    class M(pydantic.BaseModel):
        {_field}
    @cached
    def f(x): return M().k
    return f
f = make()
""", needs=("pydantic",))
changes("a dataclass made in a function: its options", """
    import dataclasses
    def make():
        @dataclasses.dataclass(order=<<True=>False>>)
        class M:
            k: int = 1
        @cached
        def f(x): return hasattr(M, "__gt__") and M.__gt__(M(2), M(1))
        return f
    f = make()
""")
for _fixed in ("speed: ClassVar[float] = <<1.0=>2.0>>", "speed: float = dataclasses.field(default=<<1.0=>2.0>>, init=False)"):
    changes(f"__cache_key__: an attribute that is no field, {_EDIT.sub('1', _fixed)}", f"""
import dataclasses
from typing import ClassVar
@dataclasses.dataclass
class C:
    n: int = 1
    {_fixed}
    def __cache_key__(self): return self.n
@cached
def f(c): return c.speed
""", args="C()")
same("a star import of names that have no canonical form", """
    from typing import *
    from math import *
    def g(x: Optional[int]): return cast(int, floor(x)) + len(get_args(Optional[int])) <<=># why>>
    @cached
    def f(x): return g(x)
""")
changes("modules that import everything from each other", """
    from pkg.a import *
    @cached
    def f(x): return g(x) + h(x)
    == pkg/a.py
    from pkg.b import *
    def g(x): return x + <<1=>2>>
    == pkg/b.py
    from pkg.a import *
    def h(x): return x
""")

# ---------------------------------------------------------------- what changes an object as its module is loaded

for _name, _setup, _shown in (
    ("numbers drawn before", "import numpy as np\nRNG = np.random.default_rng(0)\nW = RNG.normal(size=<<3=>4>>)\nB = RNG.normal(size=2)", "B.tolist()"),
    ("who counts first", "import itertools\nids = itertools.count()\n<<A = next(ids)\nB = next(ids)=>B = next(ids)\nA = next(ids)>>", "[A, B]"),
    ("a loop over what it holds", "T = {k: {} for k in 'ab'}\nfor row in T.values():\n    row['scale'] = <<5=>6>>", "T"),
    ("a function of the module, in a loop", "H = list(range(3))\ndef fill(t, v): t[0] = v\nfor i in range(<<5=>6>>): fill(H, i)", "H"),
    ("a function of the module, by keyword", "H = list(range(3))\ndef fill(v, t): t[0] = v\nfill(1, t=H)\n_ = fill(<<5=>6>>, t=H)", "H"),
    ("a function of another module", "from pkg.other import fill\nH = list(range(3))\nfill(H, <<5=>6>>)\n== pkg/other.py\ndef fill(t, v): t[0] = v\n", "H"),
    ("a function of another module, its body", "from pkg.other import fill\nH = list(range(3))\nfill(H)\n== pkg/other.py\ndef fill(t): t[0] = <<5=>6>>\n", "H"),
    ("a function of a library", "import heapq\nH = [i for i in (3, 5)]\nheapq.heappush(H, <<1=>2>>)", "H"),
    ("a function of numpy", "import numpy as np\nM = np.zeros((2, 2))\nnp.fill_diagonal(M, <<5=>6>>)", "M.tolist()"),
    ("out= of numpy", "import numpy as np\nM = np.zeros(2)\nnp.add(<<5=>6>>, 1, out=M)", "M.tolist()"),
    ("the place of out= of numpy", "import numpy as np\nM = np.zeros(2)\nnp.add(M, <<5=>6>>, M)", "M.tolist()"),
    ("a shuffle", "from random import Random\nH = list(range(9))\nRandom(<<5=>6>>).shuffle(H)", "H"),
    ("a method of a container", "from collections import deque\nD = deque([1, 2, 3])\nD.rotate(<<1=>2>>)", "list(D)"),
    ("another name", "L = list('ab')\nA = L\nA.append(<<5=>6>>)", "L"),
    ("two names at once", "A = L = []\nA.append(<<5=>6>>)", "L"),
    ("a view", "import numpy as np\nM = np.zeros((2, 2))\nrow = M[0]\nrow[1] = <<5=>6>>", "M.tolist()"),
    ("a view that numpy makes", "import numpy as np\nM = np.zeros((2, 2))\nrow = np.ravel(M)\nrow[1] = <<5=>6>>", "M.tolist()"),
    ("what is made of an array, then changed", "import numpy as np\nB = np.ones((2, 2))\nM = abs(B)\nnp.fill_diagonal(M, <<5=>6>>)", "M.tolist()"),
    ("an iterator that is used up before", "ids = iter((1, 2, 3))\n<<S = max(ids)\n=>>>B = list(ids)", "B"),
    ("what a method with the name of a type gives", "class V:\n    def float(self): return [1, 2]\ndef fill(t, v): t[0] = v\nv = V()\nT = v.float()\n_ = fill(T, <<5=>6>>)", "T"),
    ("an own class with the name of pathlib's", "from pkg.other import Path\ndef fill(t, v): t.k = v\nT = Path()\n_ = fill(T, <<5=>6>>)", "T.k\n== pkg/other.py\nclass Path: k = 1"),
    ("what a method gives", "D = dict(a=list())\nrow = D.get('a')\nrow.append(<<5=>6>>)", "D"),
    ("a bound method", "L = list('ab')\nadd = L.append\nadd(<<5=>6>>)", "L"),
    ("setattr", "class P: pass\nsetattr(P, 'k', <<5=>6>>)", "P.k"),
    ("an imported table", "from pkg.other import T\nT['x'] = <<5=>6>>\n== pkg/other.py\nT = dict.fromkeys('ab')\n", "T"),
    ("a name that is bound twice", "A = [1]\n<<B = [A]\n=>>>A = [2]\n<<=>B = [A]\n>>", "B"),
    ("a default before its name is bound anew", "A = 1\n<<def g(x, a=A): return a\n=>>>A = 2\n<<=>def g(x, a=A): return a\n>>", "g(x)"),
):
    _text, _header, _other = _setup.partition("== ")
    changes(f"at import: {_name}", f"{_text}\n@cached\ndef f(x): return {_shown}\n{_header}{_other}")
for _name, _setup in (
    ("a number made of it by a function that asks", "import numpy as np\nX = np.linspace(0, 1, 3)\nY = np.sin(X) * <<2=>3>>\nN = len(X) + <<1=>2>>\nS = X.sum() + <<1=>2>>"),
    ("what a constant is handed to", "X = 0.5\nclass C:\n    def __init__(self, x): self.x = x\nc = C(X)\nd = C(X <<=>+ 1>>)"),
    ("what numbers and paths are handed to", "import numpy as np\nfrom pathlib import Path\nN, M = 2, 3\nX = 2 * np.pi\nHERE = Path('a') / 'b'\ndef make(*given): return list(given)\nG = make(N, M, X, HERE<<=>, 1>>)\nX = X + N * len(HERE.parts)"),
    ("what runs after the first call", "X = [i for i in range(3)]\n@cached\ndef g(x): return X\ng(1)\nrows = list(map(str, X)) <<=>+ [1]>>"),
    ("what a script does", "X = [i for i in range(3)]\ndef show(x): return x\nif __name__ == '__main__':\n    show(X<<=>[1:]>>)"),
):
    same(f"at import: {_name}", f"{_setup}\n@cached\ndef f(x): return list(X) if isinstance(X, list) else float(sum([X])) if isinstance(X, float) else X.tolist()\n")
changes("a module handed on: a name that it takes from outside", """
    from pkg import law
    @cached
    def f(x): return getattr(law, "near")(x / 2)
    == pkg/law.py
    from math import <<floor=>ceil>> as near
""")

changes("code= names a package: two statements of one name change places", """
    @cached(code=("lib",))
    def f(x):
        import lib
        return x + lib.K
    == lib/__init__.py
    <<K = 1=>K = 2>>
    <<K = 2=>K = 1>>
""")
same("code= names a package: two constants change places", """
    @cached(code=("lib",))
    def f(x):
        import lib
        return x + lib.K
    == lib/__init__.py
    <<K = 1=>L = 2>>
    <<L = 2=>K = 1>>
""")
changes("a lambda: an argument by keyword that need no longer be given", """
    g = lambda x, *, a<<=>=None>>, b=1: b
    @cached
    def f(x):
        try: return g(x, b=7)
        except TypeError: return -1
""")
changes("a global of a function in a function, whose own name it also is", """
    K = <<1=>2>>
    def outer():
        K = 7
        def inner():
            global K
            return K
        return inner() + K * 0
    @cached
    def f(x): return outer() + x
""")
changes("a list that functions are registered in, in another order", """
    R = []
    def register(g):
        R.append(g)
        return g
    <<@register
    def one(x): return 1
    @register
    def two(x): return 2
    =>@register
    def two(x): return 2
    @register
    def one(x): return 1
    >>
    @cached
    def f(x): return [g(x) for g in R]
""")
changes("a function hidden by a star in a module that is imported late", """
    @cached
    def f(x):
        from pkg.lazy import g
        return g(x)
    == pkg/lazy.py
    def g(x): return x
    from pkg.deep import *
    == pkg/deep.py
    def g(x): return x + <<10=>20>>
""")

# ---------------------------------------------------------------- what a registry holds, however deep

_REGISTER = """\
    == pkg/registry.py
    class Registry:
        def __init__(self): self.kinds = {}
        def register(self, name, **options):
            def put(kind):
                self.kinds[name] = kind, options
                return kind
            return put
    REG = Registry()
"""
_ADD = """\
    == pkg/registry.py
    class Registry:
        def __init__(self): self.kinds = {}
        def add(self, name, kind): self.kinds[name] = kind
    REG = Registry()
"""
changes("a registry that is an instance of another module, of pairs", f"""
    from pkg.registry import REG
    import pkg.laws
    @cached
    def f(x): return REG.kinds["a"][0](x)
{_REGISTER}    == pkg/laws.py
    from pkg.registry import REG
    @REG.register("a")
    def law(x): return x * <<2=>3>>
""")
changes("a registry that is an instance of another module, of records", """
    from pkg.registry import REG
    import pkg.laws
    @cached
    def f(x): return REG.kinds["a"].run(x)
    == pkg/registry.py
    from dataclasses import dataclass
    from typing import Any
    @dataclass
    class Entry:
        run: Any
        weight: int = 1
    class Registry:
        def __init__(self): self.kinds = {}
        def register(self, name, weight=1):
            def put(kind):
                self.kinds[name] = Entry(kind, weight)
                return kind
            return put
    REG = Registry()
    == pkg/laws.py
    from pkg.registry import REG
    @REG.register("a")
    def law(x): return x * <<2=>3>>
""")
changes("a registry that is an instance of another module: an option of what is registered", f"""
    from pkg.registry import REG
    import pkg.laws
    @cached
    def f(x):
        law, options = REG.kinds["a"]
        return law(x, **options)
{_REGISTER}    == pkg/laws.py
    from pkg.registry import REG
    @REG.register("a", k=<<2=>3>>)
    def law(x, k): return x * k
""")
changes("a registry that is a class, of pairs", """
    from pkg.registry import Registry
    import pkg.laws
    @cached
    def f(x): return Registry.kinds["a"][0](x)
    == pkg/registry.py
    class Registry:
        kinds = {}
        @classmethod
        def register(cls, name, weight=1):
            def put(kind):
                cls.kinds[name] = kind, weight
                return kind
            return put
    == pkg/laws.py
    from pkg.registry import Registry
    @Registry.register("a")
    def law(x): return x * <<2=>3>>
""")
changes("a registry that is an instance of another module, of lists of functions", """
    from pkg.registry import REG
    import pkg.laws
    @cached
    def f(x): return REG.hooks["start"][0](x)
    == pkg/registry.py
    class Hooks:
        def __init__(self): self.hooks = {"start": [], "end": []}
        def on(self, event):
            def put(hook):
                self.hooks[event].append(hook)
                return hook
            return put
    REG = Hooks()
    == pkg/laws.py
    from pkg.registry import REG
    @REG.on("start")
    def law(x): return x * <<2=>3>>
""")
changes("a dict of another module, of instances with slots that hold what is registered", """
    from pkg.registry import KINDS
    import pkg.laws
    @cached
    def f(x): return KINDS["a"].run(x)
    == pkg/registry.py
    KINDS = {}
    class Entry:
        __slots__ = ("run",)
        def __init__(self, run): self.run = run
    def register(name):
        def put(kind):
            KINDS[name] = Entry(kind)
            return kind
        return put
    == pkg/laws.py
    from pkg.registry import register
    @register("a")
    def law(x): return x * <<2=>3>>
""")
changes("a list of another module, of pairs with a compiled function", """
    from pkg.registry import KINDS
    import pkg.laws
    @cached
    def f(x): return KINDS[0][1](x)
    == pkg/registry.py
    from functools import lru_cache
    KINDS = []
    def register(name):
        def put(kind):
            KINDS.append((name, lru_cache(kind)))
            return kind
        return put
    == pkg/laws.py
    from pkg.registry import register
    @register("a")
    def law(x): return x * <<2=>3>>
""")
changes("pipeline steps", """
    from pkg.pipeline import run
    import pkg.steps
    @cached
    def f(x): return run(x)
    == pkg/pipeline.py
    import functools
    from dataclasses import dataclass
    @dataclass
    class Info:
        name: str
        fn: object
    class Registry:
        def __init__(self): self.steps = {"clean": []}
        def add(self, stage, info): self.steps[stage].append(info)
    REGISTRY = Registry()
    def step(stage):
        def decorate(fn):
            @functools.wraps(fn)
            def inner(x): return fn(x)
            REGISTRY.add(stage, Info(fn.__name__, inner))
            return inner
        return decorate
    def run(x):
        for info in REGISTRY.steps["clean"]: x = info.fn(x)
        return x
    == pkg/steps.py
    from pkg.pipeline import step
    @step("clean")
    def scale(x): return x * <<2=>3>>
""")
same("classes asked for those built upon them, beside a metaclass", """
    class Meta(type): pass
    class Base(metaclass=Meta): pass
    class A(Base):
        def run(self, x): return x * 2
    @cached
    def f(x):  <<=># why>>
        return [c().run(x) for c in Base.__subclasses__()]
""")
same("a decorator below @cached keeps the signature", """
    import functools, inspect
    def checked(fn):
        signature = inspect.signature(fn)
        @functools.wraps(fn)
        def inner(*args, **kwargs):
            signature.bind(*args, **kwargs)
            return fn(*args, **kwargs)
        return inner
    @cached
    @checked
    def f(x): return x * 2  <<=># why>>
""")
changes("a dict's value chosen by a computed global: in a pair", """
    def tanh(x): return x
    def d_tanh(x): return x * <<2=>3>>
    ACT = {g.__name__: (g, globals()["d_" + g.__name__]) for g in (tanh,)}
    @cached
    def f(x): return ACT["tanh"][1](x)
""")
changes("a bus of another module that this module's function is put on", """
    from pkg.bus import BUS
    @BUS.on("tick")
    def scale(x): return x * <<2=>3>>
    @cached
    def f(x): return BUS.emit("tick", x)
    == pkg/bus.py
    class Bus:
        def __init__(self): self.handlers = {"tick": []}
        def on(self, event):
            def put(fn):
                self.handlers[event].append(fn)
                return fn
            return put
        def emit(self, event, x): return [h(x) for h in self.handlers[event]]
    BUS = Bus()
""")
changes("a dict of modules loaded by a computed name", """
    from importlib import import_module
    MODS = {n: import_module(f"pkg.laws_{n}") for n in ("a",)}
    @cached
    def f(x): return MODS["a"].g(x)
    == pkg/laws_a.py
    def g(x): return x * <<2=>3>>
""")
same("a registry of another module, a comment in what is registered", f"""
    from pkg.registry import REG
    import pkg.laws
    @cached
    def f(x): return REG.kinds["a"][0](x)
{_REGISTER}    == pkg/laws.py
    from pkg.registry import REG
    @REG.register("a", k=1)
    def law(x): return x * 2  <<=># why>>
    <<=>def other(x): return x>>
""")
same("a memo of records in an object of another module", """
    from pkg.roads import NET
    @cached
    def f(x): return NET.route(x).length  <<=># why>>
    == pkg/roads.py
    class Route:
        def __init__(self, length): self.length = length
    class Net:
        def __init__(self): self.routes, self.log = {}, []
        def route(self, x):
            self.log.append((self.route, x))
            if x not in self.routes: self.routes[x] = Route(x * 2)
            return self.routes[x]
    NET = Net()
""")
changes("a method of what a registry of another module's object was given, by what its object holds", f"""
    from pkg.registry import REG
    import pkg.laws
    @cached
    def f(x): return REG.kinds["a"](x)
{_ADD}    == pkg/laws.py
    from pkg.registry import REG
    class Law:
        def __init__(self, k): self.k = k
        def run(self, x): return x * self.k
    REG.add("a", Law(<<2=>3>>).run)
""")
changes("a method in a dict of another module, by what its object holds", """
    from pkg.registry import KINDS
    import pkg.laws
    @cached
    def f(x): return KINDS["a"](x)
    == pkg/registry.py
    KINDS = {}
    def register(name, kind): KINDS[name] = kind
    == pkg/laws.py
    from pkg.registry import register
    class Law:
        def __init__(self, k): self.k = k
        def run(self, x): return x * self.k
    register("a", Law(<<2=>3>>).run)
""")
changes("an attribute of another module's object that is a function of a third", """
    from pkg.bus import BUS
    import pkg.setting
    @cached
    def f(x): return BUS.law(x)
    == pkg/bus.py
    class Bus:
        law = None
        def put(self, law): self.law = law
    BUS = Bus()
    == pkg/setting.py
    from pkg.bus import BUS
    BUS.law = lambda x: x * <<2=>3>>
""")
for _name, _put, _asked in (
    ("a lambda", "REG.add('a', lambda x: x * <<2=>3>>)", "REG.kinds['a'](x)"),
    ("a lambda in a pair", "REG.add('a', ('twice', lambda x: x * <<2=>3>>))", "REG.kinds['a'][1](x)"),
    ("a lambda put into its dict", "REG.kinds['a'] = lambda x: x * <<2=>3>>", "REG.kinds['a'](x)"),
    ("a lambda that reads a name", "K = <<2=>3>>\nREG.add('a', lambda x: x * K)", "REG.kinds['a'](x)"),
    ("the second of two lambdas", "REG.add('b', lambda x: x)\nREG.add('a', lambda x: x * <<2=>3>>)", "REG.kinds['a'](x)"),
):
    changes(f"a registry that is an instance of another module: {_name}", f"""
from pkg.registry import REG
import pkg.laws
@cached
def f(x): return {_asked}
{dedent(_ADD)}== pkg/laws.py
from pkg.registry import REG
{_put}
""")
same("a memo of lambdas that are made from a text", """
    LAWS = {}
    @cached
    def f(x):  <<=># why>>
        text = "lambda x: x * 2"
        if text not in LAWS: LAWS[text] = eval(text)
        return LAWS[text](x)
""")
changes("two names of a registry change places", f"""
    from pkg.registry import REG
    import pkg.laws
    @cached
    def f(x): return REG.kinds["a"](x)
{_ADD}    == pkg/laws.py
    from pkg.registry import REG
    def one(x): return x
    def two(x): return x * 2
    REG.add("<<a=>b>>", one)
    REG.add("<<b=>a>>", two)
""")

# ---------------------------------------------------------------- what is set in objects of options

_OPTIONS = """\
== pkg/config.py
class Config:
    def __init__(self, dt=1, **more):
        self.dt, self.values = dt, dict(more)
        self.changes = 0
    def set(self, **more):
        self.changes += 1
        for name, value in more.items(): setattr(self, name, value)
    def put(self, name, value): self.values[name] = value
CFG = Config(k=1)
"""
for _name, _setting, _asked in (
    ("a method", "CFG.set(dt=<<2=>3>>)", "CFG.dt"),
    ("an attribute", "CFG.dt = <<2=>3>>", "CFG.dt"),
    ("an attribute that it adds up", "CFG.dt += <<2=>3>>", "CFG.dt"),
    ("a dict inside", "CFG.put('k', <<2=>3>>)", "CFG.values['k']"),
    ("an item of a dict inside", "CFG.values['k'] = <<2=>3>>", "CFG.values['k']"),
    ("an attribute that is new", "CFG.more = <<2=>3>>", "CFG.more"),
    ("setattr", "setattr(CFG, 'd' + 't', <<2=>3>>)", "CFG.dt"),
    ("a function", "def configure(dt): CFG.dt = dt\nconfigure(<<2=>3>>)", "CFG.dt"),
    ("a value that is computed", "import math\nCFG.set(dt=math.floor(<<2=>3>>.5))", "CFG.dt"),
    ("a value of the command line", "import sys\nsys.argv = ['x', '<<2=>3>>']\nCFG.set(dt=int(sys.argv[1]))", "CFG.dt"),
):
    changes(f"an object of options of another module, set by a third: {_name}", f"""
from pkg.config import CFG
import pkg.setting
@cached
def f(x): return x * {_asked}
{_OPTIONS}== pkg/setting.py
from pkg.config import CFG
{_setting}
""")
same("an object of options of another module, what nobody reads", f"""
from pkg.config import CFG
import pkg.setting
@cached
def f(x): return x * CFG.dt
{_OPTIONS}== pkg/setting.py
from pkg.config import CFG
CFG.put('k', <<2=>3>>)
<<=>CFG.set(verbose=True)>>
""")
same("an object of options of another module, a comment in a method", f"""
from pkg.config import CFG
@cached
def f(x): return x * CFG.dt
{_OPTIONS}    <<=># why>>
""")
for _name, _text, _setting, _asked in (
    ("a dataclass", "from dataclasses import dataclass\n@dataclass\nclass Config:\n    dt: float = 1.0\n    def use(self, dt): self.dt = dt", "CFG.use(<<2=>3>>)", "CFG.dt"),
    ("one upon another", "class Base:\n    def use(self, **more): vars(self).update(more)\nclass Config(Base):\n    def __init__(self): self.dt = 1", "CFG.use(dt=<<2=>3>>)", "CFG.dt"),
    ("an object inside", "class Sim:\n    def __init__(self, dt): self.dt = dt\nclass Config:\n    def __init__(self, dt=1): self.sim = Sim(dt)\n    def use(self, dt): self.sim.dt = dt", "CFG.use(<<2=>3>>)", "CFG.sim.dt"),
    ("a dataclass inside another", "from dataclasses import dataclass, field\n@dataclass\nclass Sim:\n    dt: float = 1.0\n@dataclass\nclass Config:\n    sim: Sim = field(default_factory=Sim)\n    def use(self, dt): self.sim.dt = dt", "CFG.sim.dt = <<2=>3>>", "CFG.sim.dt"),
    ("an object inside that is another now", "class Sim:\n    def __init__(self, dt): self.dt = dt\nclass Config:\n    def __init__(self): self.sim = Sim(1)\n    def use(self, sim): self.sim = sim", "from pkg.config import Sim\nCFG.use(Sim(<<2=>3>>))", "CFG.sim.dt"),
    ("a getter", "class Config:\n    def __init__(self): self._dt = 1\n    def use(self, dt): self._dt = dt\n    def now(self): return self._dt", "CFG.use(<<2=>3>>)", "CFG.now()"),
    ("a method of an object above", "class Base:\n    def __init__(self): self.dt = 1\n    def use(self, dt): self.dt = dt\nclass Config(Base): pass", "CFG.use(<<2=>3>>)", "CFG.dt"),
):
    changes(f"an object of options, set by another module: {_name}", f"""
from pkg.config import CFG
import pkg.setting
@cached
def f(x): return x * {_asked}
== pkg/config.py
{_text}
CFG = Config()
== pkg/setting.py
from pkg.config import CFG
{_setting}
""")
changes("a pydantic model of options, set by another module", """
    from pkg.config import CFG
    import pkg.setting
    @cached
    def f(x): return x * CFG.dt
    == pkg/config.py
    from pydantic import BaseModel
    class Config(BaseModel):
        dt: float = 1.0
        def use(self, dt): self.dt = dt
    CFG = Config()
    == pkg/setting.py
    from pkg.config import CFG
    CFG.use(<<2=>3>>)
""", needs=("pydantic",))

# ---------------------------------------------------------------- what statements set in classes and functions as the module is loaded

for _name, _text in (
    ("in a loop", """
        class A: pass
        class B: pass
        for kind in (A, B):
            kind.k = <<2=>3>>
    """),
    ("in a loop over a dict of classes", """
        class A: pass
        class B: pass
        KINDS = {"a": A, "b": B}
        for name, kind in KINDS.items():
            kind.k = name + "<<x=>y>>"
    """),
    ("by a function of another module", """
        from pkg.other import tag
        class B: pass
        tag(B, k=<<2=>3>>)
        == pkg/other.py
        def tag(kind, **given):
            for name, value in given.items(): setattr(kind, name, value)
    """),
    ("by the body of a function of another module", """
        from pkg.other import tag
        class B: pass
        for kind in (B,):
            tag(kind)
        == pkg/other.py
        def tag(kind): kind.k = <<2=>3>>
    """),
    ("by a function that takes as many as it is given", """
        class A: pass
        class B: pass
        def tag(*kinds):
            for i, kind in enumerate(kinds): kind.k = i + <<2=>3>>
        tag(A, B)
    """),
    ("by a function of the module whose result is kept", """
        class B: pass
        def tag(kind, k):
            kind.k = k
            return kind
        C = tag(B, <<2=>3>>)
    """),
    ("by a class method", """
        class B:
            @classmethod
            def setup(cls, k): cls.k = k
        B.setup(<<2=>3>>)
    """),
    ("by the first of two calls", """
        class B:
            @classmethod
            def setup(cls, k):
                cls.k = k
                return cls
            @classmethod
            def freeze(cls): pass
        B.setup(<<2=>3>>).freeze()
    """),
    ("by a class method of a base class elsewhere", """
        from pkg.other import Base
        class B(Base): pass
        B.setup(<<2=>3>>)
        == pkg/other.py
        class Base:
            @classmethod
            def setup(cls, k): cls.k = k
    """),
    ("by making an instance", """
        class B:
            def __init__(self, k): type(self).k = k
        B(<<2=>3>>)
    """),
    ("in a loop over those built upon another", """
        class Base: pass
        class B(Base): pass
        for i, kind in enumerate(Base.__subclasses__()):
            kind.k = i + <<2=>3>>
    """),
    ("in a comprehension", """
        class A: pass
        class B: pass
        [setattr(kind, "k", i + <<2=>3>>) for i, kind in enumerate([A, B])]
    """),
    ("under another name", """
        class B: k = 1
        C = B
        C.k = <<2=>3>>
    """),
    ("where it is imported", """
        from pkg.other import B
        B.k = <<2=>3>>
        == pkg/other.py
        class B: k = 1
    """),
    ("by a class method, where it is imported", """
        from pkg.other import B
        B.setup(<<2=>3>>)
        == pkg/other.py
        class B:
            @classmethod
            def setup(cls, k): cls.k = k
    """),
    ("in a module that is imported beside it", """
        from pkg.other import B
        import pkg.setting
        == pkg/other.py
        class B: k = 1
        == pkg/setting.py
        from pkg.other import B
        B.k = <<2=>3>>
    """),
    ("in a module that is imported beside it, which names it first", """
        from pkg.other import B
        import pkg.setting
        == pkg/other.py
        class B: pass
        == pkg/setting.py
        from pkg.other import B
        B.k = <<2=>3>>
    """),
):
    _head, *_others = dedent(_text).lstrip("\n").split("== ")
    changes(f"a class's attribute is set {_name}", f"""{_head}
@cached
def f(x): return B.k * x
{''.join('== ' + other for other in _others)}""")
for _name, _text, _needs in (
    ("a class method fills", """
        class A:
            T = {}
            @classmethod
            def put(cls, k): cls.T["k"] = k
        A.put(<<2=>3>>)
    """, ()),
    ("is changed under another name", """
        class A: T = {"k": 1}
        T = A.T
        T["k"] = <<2=>3>>
    """, ()),
    ("is handed to a function of another module", """
        from pkg.other import fill
        class A: T = {}
        fill(A.T, <<2=>3>>)
        == pkg/other.py
        def fill(table, k): table["k"] = k
    """, ()),
    ("another module fills", """
        from pkg.other import A
        import pkg.setting
        == pkg/other.py
        class A: T = {}
        == pkg/setting.py
        from pkg.other import A
        A.T["k"] = <<2=>3>>
    """, ()),
    ("another module fills, inside", """
        from pkg.other import A
        import pkg.setting
        class B(A): pass
        == pkg/other.py
        class A: T = {"k": 1, "rows": [1]}
        == pkg/setting.py
        from pkg.other import A
        A.T["rows"].append(<<2=>3>>)
    """, ()),
    ("of numpy is changed by one of its rows", """
        import numpy as np
        class A: T = {"k": np.zeros((3, 3))}
        row = A.T["k"][0]
        row[:] = <<2=>3>>
    """, ("numpy",)),
):
    _head, *_others = dedent(_text).lstrip("\n").split("== ")
    changes(f"a class's table that {_name}", f"""{_head}
@cached
def f(x): return str(A.T) * x
{''.join('== ' + other for other in _others)}""", needs=_needs)
changes("a class's array is changed by one of its rows", """
    import numpy as np
    class A: W = np.zeros((3, 3))
    row = A.W[0]
    row[:] = <<2=>3>>
    @cached
    def f(x): return float(A.W.sum()) * x
""", needs=("numpy",))
changes("members of an enumeration are given attributes in a loop", """
    from enum import Enum
    class E(Enum):
        A = 1
        B = 2
    for member, weight in zip(E, (5, <<6=>7>>)):
        member.weight = weight
    @cached
    def f(x): return E.B.weight * x
""")
changes("functions are given attributes in a loop", """
    def a(x): return x
    def b(x): return x
    for i, g in enumerate((a, b)):
        g.k = i + <<2=>3>>
    @cached
    def f(x): return b(x) * b.k
""")
changes("a function is given attributes by a function of another module", """
    from pkg.other import tag
    def b(x): return x
    tag(b, k=<<2=>3>>)
    @cached
    def f(x): return b(x) * b.k
    == pkg/other.py
    def tag(function, **given): vars(function).update(given)
""")
for _name, _text in (
    ("that a decorator puts there", """
        from pkg.bus import BUS
        @BUS.on("tick")
        def scale(x): return x * <<2=>3>>
    """),
    ("that it is given", """
        from pkg.bus import BUS
        def scale(x): return x * <<2=>3>>
        BUS.on("tick")(scale)
    """),
    ("that is given to another of its methods", """
        from pkg.bus import BUS
        def scale(x): return x * <<2=>3>>
        BUS.put("tick", scale)
    """),
):
    changes(f"an imported instance runs what is its own module's {_name}", f"""{dedent(_text).lstrip()}
@cached
def f(x): return BUS.emit("tick", x)
== pkg/bus.py
class Bus:
    def __init__(self): self.handlers = {{"tick": []}}
    def on(self, event): return lambda handler: self.put(event, handler)
    def put(self, event, handler):
        self.handlers[event].append(handler)
        return handler
    def emit(self, event, x): return [handler(x) for handler in self.handlers[event]]
BUS = Bus()
""")
changes("an imported instance is set up", """
    from pkg.settings import S
    S.configure(dt=<<2=>3>>)
    @cached
    def f(x): return S.dt * x
    == pkg/settings.py
    class Settings:
        dt = 1
        def configure(self, **given):
            for name, value in given.items(): setattr(self, name, value)
    S = Settings()
""")
for _name, _text in (
    ("an instance is made and kept", """
        class A:
            def __init__(self, n): self.n = n
            def run(self, x): return x * 2
        ONE = A(<<1=>2>>)
        ONE.n = <<5=>6>>
    """),
    ("an instance is made by a class method and kept", """
        class A:
            @classmethod
            def of(cls, n): return cls()
            def run(self, x): return x * 2
        ONE = A.of(<<1=>2>>)
    """),
    ("a table of it is made", """
        class A:
            def run(self, x): return x * 2
        ROWS = [A() for row in range(<<3=>4>>)]
        ROWS.append(<<A()=>1>>)
    """),
    ("others are registered beside it", """
        from pkg.other import LAWS
        class A:
            def run(self, x): return x * 2
        class B:
            def run(self, x): return x * <<2=>3>>
        LAWS.register("a", A)
        LAWS.register("b", B)
        == pkg/other.py
        class Laws(dict):
            def register(self, name, law): self[name] = law
        LAWS = Laws()
    """),
    ("the project's logger is told of it", """
        from pkg.other import LOG
        class A:
            def run(self, x):
                LOG.debug(x)
                return x * 2
        LOG.info("%s <<is there=>has come>>", A)
        == pkg/other.py
        import logging
        LOG = logging.getLogger("pkg")
    """),
    ("a module is imported that draws it", """
        from pkg import other
        class A:
            def run(self, x): return other.twice(x)
        other.draw(<<2=>3>>)
        == pkg/other.py
        def twice(x): return x * 2
        def draw(n): pass
    """),
    ("its name is shown", """
        class A:
            def run(self, x): return x * 2
        repr((A, <<1=>2>>))
    """),
    ("it remembers what it is asked", """
        class A:
            seen = {}
            def run(self, x):
                seen = self.seen
                seen[x] = x * 2
                return seen[x]
        OTHER = <<1=>2>>
    """),
    ("it remembers by a helper what it is asked", """
        from pkg.other import remember
        class A:
            seen = {}
            def run(self, x):
                remember(self.seen, x)
                return self.seen[x]
        OTHER = <<1=>2>>
        == pkg/other.py
        def remember(table, x): table[x] = x * 2
    """),
    ("a class of another module that is built upon it remembers", """
        from pkg.other import B
        class A(B):
            def run(self, x):
                self.seen.setdefault(x, []).append(x * 2)
                return x * 2
        OTHER = <<1=>2>>
        == pkg/other.py
        class B: seen = {}
    """),
    ("a function of another module logs there", """
        from pkg.other import B, note
        class A(B):
            def run(self, x):
                note(x)
                return x * 2
        OTHER = <<1=>2>>
        == pkg/other.py
        class B: log = []
        def note(x): B.log.append(x)
    """),
    ("it has abstract methods, and others are registered with it", """
        from abc import ABC, abstractmethod
        class Base(ABC):
            @abstractmethod
            def run(self, x): pass
        class A(Base):
            def run(self, x): return x * 2 if isinstance(self, Base) else 0
        OTHER = <<1=>2>>
    """),
    ("it is a dataclass that keeps a table of defaults", """
        from dataclasses import dataclass
        from typing import ClassVar
        from functools import cached_property, lru_cache
        @dataclass
        class A:
            n: int = 1
            table: ClassVar[dict] = {"a": 2}
            @cached_property
            def two(self): return self.table["a"]
            @staticmethod
            @lru_cache
            def twice(x): return x * 2
            def run(self, x): return self.twice(x) + 0 * self.two
        OTHER = <<1=>2>>
    """),
):
    _head, *_others = dedent(_text).lstrip("\n").split("== ")
    same(f"a class is used, and {_name}", f"""{_head}
@cached
def f(x): return A().run(x)
{''.join('== ' + other for other in _others)}""")
for _name, _text in (
    ("a partial of it is made and kept", "from functools import partial\nh = partial(g, y=<<2=>3>>)"),
    ("what it gives is shown", "repr(g(<<2=>3>>))"),
    ("it is called for what it does", "g(<<2=>3>>)"),
    ("others are put into a list beside it", "def h(x): return <<2=>3>>\nLAWS = []\nLAWS.append(g)\nLAWS.append(h)"),
    ("what it gives is kept", "T = g(<<2=>3>>)\nT += 1"),
    ("a table of its values is changed", "T = [g(2), g(3)]\nT.append(<<2=>3>>)"),
    ("its name is part of a dict that is made anew", "T = dict(zip('ab', map(g, (1, 2))))\nT['a'] = <<2=>3>>"),
):
    same(f"a function is used, and {_name}", f"""
def g(x, y=1): return x + y
{_text}
@cached
def f(x): return g(x)
""")

# ---------------------------------------------------------------- what a module sets in libraries

for _name, _setup, _shown, _needs in (
    ("a seed", "import random\nrandom.seed(<<1=>2>>)", "random.random()", ()),
    ("a seed that a constant names", "import random\nSEED = <<1=>2>>\nrandom.seed(SEED)", "random.random()", ()),
    ("a seed of numpy", "import numpy as np\nnp.random.seed(<<1=>2>>)", "float(np.random.rand())", ("numpy",)),
    ("a seed by another import", "import numpy as np\nfrom numpy.random import seed as begin\nbegin(<<1=>2>>)", "float(np.random.rand())", ("numpy",)),
    ("a seed that a function sets", "import random\ndef begin(s): random.seed(s + 1)\nbegin(5)\n_ = <<[]=>begin(4)>>", "random.random()", ()),
    ("a seed, by the constants of who sets it", "import random\nBASE = <<1=>2>>\ndef seed_all(s): random.seed(s + BASE)\nseed_all(5)", "random.random()", ()),
    ("a seed, by what its setter is given", "import random\ndef seed_all(s): random.seed(s)\nseed_all(<<5=>6>>)", "random.random()", ()),
    ("a seed that a helper sets", "import random\nfrom pkg.other import seed_all\nseed_all(<<5=>6>>)\n== pkg/other.py\nimport random\ndef seed_all(s): random.seed(s)\n", "random.random()", ()),
    ("a seed that a helper sets, its body", "import random\nfrom pkg.other import seed_all\nseed_all(5)\n== pkg/other.py\nimport random\ndef seed_all(s): random.seed(s + <<1=>2>>)\n", "random.random()", ()),
    ("a seed under a condition", "import random\nif random:\n    random.seed(<<1=>2>>)", "random.random()", ()),
    ("a seed that is taken out", "import random\nrandom.seed(1)\n<<random.seed(2)=>>>", "random.random()", ()),
    ("a precision", "from decimal import Decimal, getcontext\ngetcontext().prec = <<6=>7>>", "str(Decimal(1) / 3)", ()),
    ("how errors are met", "import numpy as np\nnp.seterr(divide=<<'ignore'=>'raise'>>)", "error(lambda: np.array([1.0]) / 0)", ("numpy",)),
    ("an option that is an attribute", "import tokenize\ntokenize.tabsize = <<8=>4>>", "tokenize.tabsize", ()),
    ("an option that is an item", "import mimetypes\nmimetypes.types_map['.row'] = <<'a/a'=>'b/b'>>", "mimetypes.types_map['.row']", ()),
    ("a seed, by what a main is given", "import random\ndef main(s):\n    random.seed(s)\n    abs(3)\nmain(<<1=>2>>)", "random.random()", ()),
    ("a seed, by a default of a main", "import random\ndef main(s=<<1=>2>>):\n    random.seed(s)\nmain()", "random.random()", ()),
    ("a seed that is worked out inside", "import random\nBASE = <<1=>2>>\ndef main():\n    s = BASE * 3\n    random.seed(s)\nmain()", "random.random()", ()),
    ("a seed that a helper's helper sets", "import random\ndef inner(s): random.seed(s)\ndef prepare(s): inner(s)\nprepare(<<1=>2>>)", "random.random()", ()),
    ("a seed that a condition chooses", "import random\nDET = <<True=>False>>\nif DET:\n    random.seed(1)\nelse:\n    random.seed(2)", "random.random()", ()),
    ("a precision by another name", "from decimal import Decimal, getcontext\nctx = getcontext()\nctx.prec = <<6=>7>>", "str(Decimal(1) / 3)", ()),
    ("an option that is an attribute with a hint", "import tokenize\ntokenize.tabsize: int = <<8=>4>>", "tokenize.tabsize", ()),
    ("a seed of which a name with a hint is kept", "import random\nnothing: None = random.seed(<<1=>2>>)", "random.random()", ()),
    ("a seed by another name", "import numpy as np\nrng = np.random\nrng.seed(<<1=>2>>)", "float(np.random.rand())", ("numpy",)),
):
    _head, *_others = _setup.split("== ")
    changes(f"what a module sets in a library: {_name}", f"""{_head}
def error(act):
    try:
        return str(act())
    except ArithmeticError as problem:
        return type(problem).__name__
@cached
def f(x): return {_shown}
{''.join('== ' + other for other in _others)}""", needs=_needs)
changes("what a module sets in a library: a callee's module does", """
    from pkg.other import g
    @cached
    def f(x): return g(x)
    == pkg/other.py
    import random
    random.seed(<<1=>2>>)
    def g(x): return x + random.random()
""")
changes("what a module sets in a library: a package around it does", """
    import random
    @cached
    def f(x): return random.random()
    == pkg/__init__.py
    import random
    random.seed(<<1=>2>>)
""")
changes("what a module sets in a library: the function imports it by itself", """
    import random
    random.seed(<<1=>2>>)
    @cached
    def f(x):
        from random import random as draw
        return draw()
""")
for _name, _setup in (
    ("it sets where messages go", "import math\nimport logging\nlogging.getLogger().setLevel(<<10=>20>>)"),
    ("it sets something in a library that is not reached", "import math\nimport random\nrandom.seed(<<1=>2>>)"),
    ("how many threads there are", "import math, os\nos.environ['OMP_NUM_THREADS'] = <<'1'=>'2'>>"),
    ("how arrays are shown", "import math\nimport numpy as np\nnp.set_printoptions(precision=<<3=>4>>)"),
    ("its run has a number", "import math\ndef run_seed(n): return n\nrun_seed(<<1=>2>>)"),
    ("it calls a library that sets nothing", "import math\nmath.floor(<<1=>2>>)"),
):
    same(f"what a module sets in a library: {_name}", f"""{_setup}
@cached
def f(x): return math.sqrt(x)
""")
same("what a module sets in a library: how many threads there are, for who joins paths", """
    import os
    os.environ["OMP_NUM_THREADS"] = <<"1"=>"2">>
    @cached
    def f(x): return os.path.join("a", str(x))
""")
same("what a module sets in a library: its main does something else, too", """
import random
def main():
    random.seed(1)
    abs(<<1=>2>>)
main()
@cached
def f(x): return random.random()
""")

_RING = "import gymnasium as gym\nimport numpy as np\nclass Ring(gym.Env):\n    observation_space = action_space = gym.spaces.Discrete(3)\n    def reset(self, seed=None, options=None): return np.int64(0), {'x': <<2=>3>>}\n"
_RING_X = "gym.make('Ring-v0').reset()[1]['x']"
for _name, _setup, _shown, _packages in (
    *(
        (f"an environment, by its place: {_how}", f"import gymnasium as gym\nimport pkg.ring\n== pkg/ring.py\n{_RING}{_registered}", _RING_X, ("gymnasium", "numpy"))
        for _how, _registered in (
            ("in full", "gym.register('Ring-v0', entry_point='pkg.ring:Ring')"),
            ("by position", "gym.register('Ring-v0', 'pkg.ring:Ring')"),
            ("by the name of its module", "gym.register('Ring-v0', entry_point=f'{__name__}:Ring')"),
            ("put together", "gym.register('Ring-v0', entry_point=__name__ + ':Ring')"),
            ("by the name of its class", "gym.register(f'{Ring.__name__}-v0', entry_point=f'{__name__}:{Ring.__name__}')"),
            ("in a loop", "for name, place in {'Ring-v0': 'pkg.ring:Ring'}.items():\n    gym.register(name, entry_point=place)"),
            ("in a loop over classes", "for made in (Ring,):\n    gym.register(f'{made.__name__}-v0', entry_point=f'{__name__}:{made.__name__}')"),
            ("in a loop over names", "for name in ('Ring',):\n    gym.register(f'{name}-v0', entry_point=f'{__name__}:{name}')"),
            ("in a table", "PLACES = {'Ring-v0': 'pkg.ring:Ring'}\nfor name, place in PLACES.items():\n    gym.register(name, entry_point=place)"),
            ("by a helper", "def register(name):\n    gym.register(f'{name}-v0', entry_point=f'pkg.ring:{name}')\nregister('Ring')"),
            ("in a submodule of its package", "gym.register('Ring-v0', entry_point=f'{__package__}.ring:Ring')"),
        )
    ),
    ("an environment whose module is named as it is made", f"import gymnasium as gym\n== pkg/ring.py\n{_RING}gym.register('Ring-v0', entry_point=Ring)", "gym.make('pkg.ring:Ring-v0').reset()[1]['x']", ("gymnasium", "numpy")),
    ("an environment", "import gymnasium as gym\nimport numpy as np\nclass Ring(gym.Env):\n    observation_space = action_space = gym.spaces.Discrete(3)\n    def reset(self, seed=None, options=None): return np.int64(0), {'x': <<2=>3>>}\ngym.register(id='Ring-v0', entry_point=Ring)", "gym.make('Ring-v0').reset()[1]['x']", ("gymnasium", "numpy")),
    ("an environment, what it is made with", "import gymnasium as gym\nimport numpy as np\nclass Ring(gym.Env):\n    observation_space = action_space = gym.spaces.Discrete(3)\n    def __init__(self, k): self.k = k\n    def reset(self, seed=None, options=None): return np.int64(0), {'x': self.k}\ngym.register(id='Ring-v0', entry_point=Ring, kwargs={'k': <<2=>3>>})", "gym.make('Ring-v0').reset()[1]['x']", ("gymnasium", "numpy")),
    ("an environment, by the place of its class", "import gymnasium as gym\nfrom gymnasium.envs.registration import register\nregister(id='Ring-v0', entry_point='pkg.ring:Ring')\n== pkg/ring.py\nimport gymnasium as gym\nimport numpy as np\nclass Ring(gym.Env):\n    observation_space = action_space = gym.spaces.Discrete(3)\n    def reset(self, seed=None, options=None): return np.int64(0), {'x': <<2=>3>>}\n", "gym.make('Ring-v0').reset()[1]['x']", ("gymnasium", "numpy")),
    ("an accessor of data frames", "import pandas as pd\n@pd.api.extensions.register_dataframe_accessor('roads')\nclass Roads:\n    def __init__(self, df): self.df = df\n    def flow(self): return float(self.df.a.sum()) * <<2=>3>>", "pd.DataFrame({'a': [x]}).roads.flow()", ("pandas",)),
    ("a constructor of YAML", "import yaml\ndef made(loader, node): return int(node.value) * <<2=>3>>\nyaml.SafeLoader.add_constructor('!k', made)", "yaml.safe_load(f'!k {x}')", ("yaml",)),
    ("a hook of torch", "import torch\nfrom torch.nn.modules.module import register_module_forward_hook\ndef hook(module, given, result): return result * <<2=>3>>\nhandle = register_module_forward_hook(hook)", "float(torch.nn.Identity()(torch.tensor(float(x))))", ("torch",)),
    ("a codec", "import codecs\ndef twice(text, errors='strict'): return text * <<2=>3>>, len(text)\ndef find(name): return {'twice': codecs.CodecInfo(twice, twice)}.get(name)\ncodecs.register(find)", "codecs.encode(str(x), 'twice')", ()),
    ("how a class is taken apart", "import torch\nfrom torch.utils import _pytree\nclass Road:\n    def __init__(self, k): self.k = k\n_pytree.register_pytree_node(Road, lambda road: ([road.k * <<2=>3>>], None), lambda held, _: Road(*held))", "_pytree.tree_map(float, Road(x)).k", ("torch",)),
    ("a codec, by a decorator", "import codecs\ndef twice(text, errors='strict'): return text * <<2=>3>>, len(text)\n@codecs.register\ndef find(name): return {'twice': codecs.CodecInfo(twice, twice)}.get(name)", "codecs.encode(str(x), 'twice')", ()),
    ("what codecs do with errors, by a function that does it", "import codecs\ndef mend(problem): return '?' * <<2=>3>>, problem.end\ndef prepare():\n    codecs.register_error('mend', mend)\nprepare()", "codecs.encode('é', 'ascii', 'mend')", ()),
    ("a way to take copies", "import copy, copyreg\nclass Road:\n    k = 1\ndef reduced(road): return made, ()\ndef made():\n    road = Road()\n    road.k = <<2=>3>>\n    return road\ncopyreg.pickle(Road, reduced)", "copy.copy(Road()).k", ()),
    ("a type that counts as another, under a condition", "from collections import abc\nclass Road: pass\n<<if abc:\n    abc.Sequence.register(Road)=>>>", "isinstance(Road(), abc.Sequence)", ()),
    ("an adapter of a database", "import sqlite3\nclass Road: pass\ndef told(road): return <<'a'=>'b'>>\nsqlite3.register_adapter(Road, told)", "sqlite3.connect(':memory:').execute('select ?', (Road(),)).fetchone()[0]", ()),
):
    _head, *_others = _setup.split("== ")
    changes(f"what a module registers in a library: {_name}", f"""{_head}
@cached
def f(x): return {_shown}
{''.join('== ' + other for other in _others)}""", needs=_packages)
changes("what a module registers in a library: an environment that another library makes", """
    import pkg.ring
    from stable_baselines3.common.env_util import make_vec_env
    @cached
    def f(x): return int(make_vec_env("Ring-v0", env_kwargs={"render_mode": None}).reset()[0])
    == pkg/ring.py
    import gymnasium as gym
    class Ring(gym.Env):
        observation_space = action_space = gym.spaces.Discrete(5)
        def __init__(self, render_mode=None): pass
        def reset(self, seed=None, options=None): return <<2=>3>>, {}
    gym.register("Ring-v0", entry_point="pkg.ring:Ring", disable_env_checker=True)
""", needs=("gymnasium", "stable_baselines3"))
changes("what a module registers in a library: an environment that counts its instances", """
    import gymnasium as gym
    import pkg.ring
    @cached
    def f(x): return int(gym.make("Ring-v0").reset()[0])
    == pkg/ring.py
    import gymnasium as gym
    class Ring(gym.Env):
        made = 0
        observation_space = action_space = gym.spaces.Discrete(5)
        def __init__(self, render_mode=None): Ring.made += 1
        def reset(self, seed=None, options=None): return <<2=>3>>, {}
    gym.register("Ring-v0", entry_point="pkg.ring:Ring", disable_env_checker=True)
""", needs=("gymnasium",))
same("what a module registers in a library: an environment, where only a space is asked for", """
    import gymnasium as gym
    import pkg.ring
    @cached
    def f(x): return int(gym.spaces.Discrete(5).n) + x
    == pkg/ring.py
    import gymnasium as gym
    class Ring(gym.Env):
        def reset(self, seed=None, options=None): return <<2=>3>>, {}
    if "Ring-v0" not in gym.registry: gym.register("Ring-v0", entry_point="pkg.ring:Ring", disable_env_checker=True)
""", needs=("gymnasium",))
same("what a module registers in a library: another class beside the environment", """
    import gymnasium as gym
    import pkg.ring
    @cached
    def f(x): return gym.make("Ring-v0").x
    == pkg/ring.py
    import gymnasium as gym
    class Ring(gym.Env):
        x = 2
    class Road(gym.Env):
        x = <<2=>3>>
    gym.register("Ring-v0", entry_point=f"{__name__}:Ring")
""", needs=("gymnasium",))
for _name, _setup in (
    ("what is done at the end", "import atexit\natexit.register(str, <<'a'=>'b'>>)"),
    ("what is done at the end, by a decorator", "import atexit\n@atexit.register\ndef bye(): str(<<'a'=>'b'>>)"),
    ("something in a library that is not reached", "import codecs\ncodecs.register(lambda name: <<None=>0>>)"),
    ("options of a command line", "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--lanes', help=<<'a'=>'b'>>)"),
):
    same(f"what a module registers in a library: {_name}", f"""import math
{_setup}
@cached
def f(x): return math.sqrt(x)
""")
_WORDS = """import codecs
def twice(text, errors='strict'): return text * <<2=>3>>, len(text)
codecs.register(lambda name: {'twice': codecs.CodecInfo(twice, twice)}.get(name))
"""
_IN_FUNCTION = """import codecs
def twice(text, errors='strict'): return text * <<2=>3>>, len(text)
def start(): codecs.register(lambda name: {'twice': codecs.CodecInfo(twice, twice)}.get(name))
"""
_SAID = "def f(x): return codecs.encode(str(x), 'twice')"
for _name, _text in (
    ("as it is loaded", f"import codecs\nimport pkg.words\n@cached\n{_SAID}\n== pkg/words.py\n{_WORDS}"),
    ("by a name that nobody uses", f"import codecs\nfrom pkg.words import twice\n@cached\n{_SAID}\n== pkg/words.py\n{_WORDS}"),
    ("if it is there", f"import codecs\ntry:\n    from pkg import words\nexcept ImportError: pass\n@cached\n{_SAID}\n== pkg/words.py\n{_WORDS}"),
    ("by importlib", f"import codecs\nfrom importlib import import_module\nimport_module('pkg.words')\n@cached\n{_SAID}\n== pkg/words.py\n{_WORDS}"),
    ("in a body", f"import codecs\n@cached\ndef f(x):\n    import pkg.words\n    return codecs.encode(str(x), 'twice')\n== pkg/words.py\n{_WORDS}"),
    ("which loads another", f"import codecs\nimport pkg.all\n@cached\n{_SAID}\n== pkg/all.py\nfrom .words import twice\n== pkg/words.py\n{_WORDS}"),
    ("inside a package that registers", f"import codecs\nimport pkg.words.more\n@cached\n{_SAID}\n== pkg/words/more.py\n== pkg/words/__init__.py\n{_WORDS}"),
    ("in the package around", f"import codecs\n@cached\n{_SAID}\n== pkg/__init__.py\nfrom pkg import words\n== pkg/words.py\n{_WORDS}"),
    ("while another one uses the library", f"import pkg.words\nfrom pkg.say import say\n@cached\ndef f(x): return say(x)\n== pkg/say.py\nimport codecs\n{_SAID.replace('def f', 'def say')}\n== pkg/words.py\n{_WORDS}"),
    ("of which something else is used", f"import codecs\nfrom pkg.words import twice\ndef g(x) -> None: return twice(x)\n@cached\n{_SAID}\n== pkg/words.py\n{_WORDS}"),
    ("for a hint", f"import codecs\nfrom pkg.words import twice\ndef g(x: twice) -> None: return x\n@cached\n{_SAID}\n== pkg/words.py\n{_WORDS}"),
    ("by all its names", f"import codecs\nfrom pkg.words import *\n@cached\n{_SAID}\n== pkg/words.py\n{_WORDS}"),
    ("by a module that is reached", f"import codecs\nfrom pkg.law import law\n@cached\ndef f(x): return codecs.encode(str(law(x)), 'twice')\n== pkg/law.py\nfrom . import words\ndef law(x): return x\ndef g(): return words\n== pkg/words.py\n{_WORDS}"),
    ("in a function that is called", f"import codecs\nfrom pkg.words import start\nstart()\n@cached\n{_SAID}\n== pkg/words.py\n{_IN_FUNCTION}"),
    ("in a function of a module that is called", f"import codecs\nimport pkg.words\ndone = pkg.words.start()\n@cached\n{_SAID}\n== pkg/words.py\n{_IN_FUNCTION}"),
    ("in a function that another one calls", f"import codecs\nimport pkg.all\n@cached\n{_SAID}\n== pkg/all.py\nfrom pkg.face import start\nif start: start()\n== pkg/face.py\nfrom pkg.words import start\n== pkg/words.py\n{_IN_FUNCTION}"),
    ("with a seed", "import pkg.seeds\nimport random\n@cached\ndef f(x): return random.random()\n== pkg/seeds.py\nimport random\nrandom.seed(<<2=>3>>)"),
):
    changes(f"what a module registers in a library by a module that is loaded, too: {_name}", _text)
for _name, _text in (
    ("it does something else", f"import codecs\nimport pkg.words\n@cached\n{_SAID}\n== pkg/words.py\n{_WORDS.replace('<<2=>3>>', '2')}def other(): return <<1=>2>>"),
    ("the library is not reached", f"import math\nimport pkg.words\n@cached\ndef f(x): return math.sqrt(x)\n== pkg/words.py\n{_WORDS}"),
    ("its function is not called", f"import codecs\nfrom pkg.words import start\ndef g(): start()\n@cached\ndef f(x): return codecs.encode(str(x), 'rot13')\n== pkg/words.py\n{_IN_FUNCTION}"),
    ("only a type checker sees it", f"import codecs, typing\nif typing.TYPE_CHECKING:\n    import pkg.words\n@cached\ndef f(x): return codecs.encode(str(x), 'rot13')\n== pkg/words.py\n{_WORDS}"),
):
    same(f"what a module registers in a library by a module that is loaded, too: {_name}", _text)
for _name, _law in (("of this module", ""), ("of another module", "from pkg.law import law\n")):
    changes(f"how numba compiles a function {_name}", f"""
from numba import njit
from numba.extending import overload
{_law or "def law(x): return x"}
@overload(law)
def _law(x):
    def compiled(x): return <<2=>3>> * x
    return compiled
@njit
def g(x): return law(x)
@cached
def f(x): return g(x)
""" + ("== pkg/law.py\ndef law(x): return x\n" if _law else ""), needs=("numba",))
same("what a module registers in a library: how a class is taken apart that is not reached", """
    import torch
    class Road:
        def __init__(self, k): self.k = k
    torch.utils._pytree.register_pytree_node(Road, lambda road: ([road.k * <<2=>3>>], None), lambda held, _: Road(*held))
    @cached
    def f(x): return float(torch.tensor(x * 2))
""", needs=("torch",))
for _name, _before in (
    ("they are hidden", 'warnings.simplefilter("<<ignore=>error>>")'),
    ("nothing is said of them", '<<=>warnings.simplefilter("error")>>'),
    ("they are filtered by kind", 'warnings.filterwarnings(action=<<"once"=>"error">>, category=UserWarning)'),
    ("all are errors but some", 'warnings.simplefilter("error")\nwarnings.filterwarnings("ignore", message="<<x=>y>>")'),
):
    changes(f"warnings are made errors where {_name}", f"""
import warnings
{_before}
@cached
def f(x):
    try: warnings.warn("x")
    except UserWarning: return 2
    return 1
""")
changes("warnings are made errors, and a library's are caught", """
    import warnings
    import ast
    warnings.simplefilter("<<ignore=>error>>")
    @cached
    def f(x):
        try: compile("1 is 1", "", "exec")
        except (SyntaxWarning, SyntaxError): return 2
        return 1
""")
same("other warnings are hidden", """
    import warnings
    warnings.filterwarnings("ignore", message="<<a=>b>>")
    @cached
    def f(x):
        try: warnings.warn("x")
        except UserWarning: return 2
        return 1
""")
same("warnings are made errors where none is caught", """
    import math, warnings
    warnings.simplefilter("<<ignore=>error>>")
    @cached
    def f(x): return math.sqrt(x)
""")

# ---------------------------------------------------------------- what arguments bring along

changes("a method of a plain instance given as an argument", """
    class C:
        def __init__(self, a): self.a = a
        def run(self): return self.a + <<1=>2>>
    @cached
    def f(c): return c.run()
""", args="C(3)")
changes("a method of a dataclass given as an argument", """
    from dataclasses import dataclass
    @dataclass
    class P:
        a: int
        def run(self): return self.a + <<1=>2>>
    @cached
    def f(p): return p.run()
""", args="P(3)")
changes("a method of a pydantic model given as an argument", """
    from pydantic import BaseModel
    class P(BaseModel):
        a: int
        def run(self): return self.a + <<1=>2>>
    @cached
    def f(p): return p.run()
""", args="P(a=3)", needs=("pydantic",))
changes("a callee of a method of an argument's class in another module", """
    from pkg.models import P
    @cached
    def f(p): return p.run()
    == pkg/models.py
    from dataclasses import dataclass
    from pkg.other import g
    @dataclass(frozen=True)
    class P:
        a: int
        def run(self): return g(self.a)
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""", args="P(3)")
changes("a subclass given where the base class is annotated", """
    from dataclasses import dataclass
    @dataclass
    class Base:
        a: int
        def run(self): return self.a
    class P(Base):
        def run(self): return self.a + <<1=>2>>
    @cached
    def f(p: Base) -> int: return p.run()
""", args="P(3)")
changes("an instance inside a list inside a dict given as an argument", """
    from dataclasses import dataclass
    @dataclass
    class P:
        a: int
        def run(self): return self.a + <<1=>2>>
    @cached
    def f(tree): return tree["a"][0].run()
""", args='{"a": [P(3)]}')
changes("a field of a dataclass argument holds an instance", """
    from dataclasses import dataclass
    @dataclass
    class Law:
        a: int
        def run(self): return self.a + <<1=>2>>
    @dataclass
    class P:
        law: Law
    @cached
    def f(p): return p.law.run()
""", args="P(Law(3))")
changes("a function given as an argument", """
    def g(x): return x + <<1=>2>>
    @cached
    def f(function, x): return function(x)
""", args="g, 3")
changes("a callee of a function given as an argument", """
    from pkg.other import h
    def g(x): return h(x)
    @cached
    def f(function, x): return function(x)
    == pkg/other.py
    def h(x): return x + <<1=>2>>
""", args="g, 3")
changes("a lambda given as an argument", """
    g = lambda x: x + <<1=>2>>
    @cached
    def f(function, x): return function(x)
""", args="g, 3")
changes("a partial given as an argument: its function", """
    from functools import partial
    def g(a, x): return a + x + <<1=>2>>
    @cached
    def f(function, x): return function(x)
""", args="partial(g, 1), 3")
changes("a partial given as an argument: its value", """
    from functools import partial
    K = <<1=>2>>
    def g(a, x): return a + x
    @cached
    def f(function, x): return function(x)
""", args="partial(g, K), 3")
changes("a class given as an argument", """
    class C:
        def run(self, x): return x + <<1=>2>>
    @cached
    def f(cls, x): return cls().run(x)
""", args="C, 3")
changes("a bound method given as an argument", """
    from dataclasses import dataclass
    @dataclass
    class C:
        a: int
        def run(self, x): return self.a + x + <<1=>2>>
    @cached
    def f(run, x): return run(x)
""", args="C(1).run, 3")
changes("a closure given as an argument", """
    def make(a): return lambda x: x + a
    g = make(<<1=>2>>)
    @cached
    def f(function, x): return function(x)
""", args="g, 3")
changes("a callable instance given as an argument", """
    class C:
        def __init__(self, a): self.a = a
        def __call__(self, x): return x + self.a * <<1=>2>>
    @cached
    def f(function, x): return function(x)
""", args="C(1), 3")
changes("an enum's method, given as an argument", """
    from enum import Enum
    class Kind(Enum):
        A = 1
        def run(self): return self.value + <<1=>2>>
    @cached
    def f(kind): return kind.run()
""", args="Kind.A")
changes("a method of a class with a cache key of its own", """
    class C:
        def __init__(self, a): self.a = a
        def __cache_key__(self): return self.a
        def run(self): return self.a + <<1=>2>>
    @cached
    def f(c): return c.run()
""", args="C(3)")

changes("a property of an argument's class reads a constant of another module", """
    from pkg.models import P
    @cached
    def f(p): return p.double
    == pkg/models.py
    from dataclasses import dataclass
    from pkg import other
    @dataclass
    class P:
        a: int
        @property
        def double(self): return self.a * other.K
    == pkg/other.py
    K = <<2=>3>>
""", args="P(3)")
changes("a base class of an argument's class in another module", """
    from dataclasses import dataclass
    from pkg.base import Base
    @dataclass
    class P(Base):
        b: int = 0
    @cached
    def f(p): return p.run()
    == pkg/base.py
    from dataclasses import dataclass
    @dataclass
    class Base:
        a: int
        def run(self): return self.a + <<1=>2>>
""", args="P(3)")
changes("a list of functions given as an argument", """
    def g(x): return x + <<1=>2>>
    @cached
    def f(functions, x): return [function(x) for function in functions]
""", args="[abs, g], 3")
changes("a partial of a partial of a method given as an argument", """
    from dataclasses import dataclass
    from functools import partial
    @dataclass
    class C:
        a: int
        def run(self, b, x): return self.a + b + x + <<1=>2>>
    @cached
    def f(run): return run()
""", args="partial(partial(C(1).run, 2), 3)")
changes("a dict's subclass given as an argument", """
    class Table(dict):
        def __missing__(self, key): return key + <<1=>2>>
    class Holder:
        def __init__(self): self.table = {}
        def get(self, key): return Table(self.table)[key]
    @cached
    def f(holder): return holder.get(3)
""", args="Holder()")

# ---------------------------------------------------------------- annotations that count, and settings

changes("the return annotation of the cached function", """
    @cached
    def f(x) -> <<int=>float>>: return x
""", result="same")
changes("a field of the class that the return annotation names", """
    from dataclasses import dataclass
    @dataclass
    class P:
        a: int
        b: int = <<1=>2>>
    def make(x): return globals()["P"](x)
    @cached
    def f(x) -> P: return make(x).b
""")
changes("a field of a class inside the class that the return annotation names", """
    from dataclasses import dataclass
    @dataclass
    class Inner:
        a: <<int=>float>>
    @dataclass
    class P:
        inner: Inner
    @cached
    def f(x) -> list[P]: return []
""", result="same")
changes("annotations of a callee that the function reads", """
    from typing import get_type_hints
    def g(x: <<int=>float>>): return x
    @cached
    def f(x): return get_type_hints(g)["x"](x)
""")
changes("a type alias in the return annotation", """
    from dataclasses import dataclass
    @dataclass
    class A:
        a: int
    @dataclass
    class B:
        a: int
    Answer = list[<<A=>B>>]
    @cached
    def f(x) -> Answer: return []
""", result="same")
changes("a type alias by a type statement", """
    type Answer = list[<<int=>float>>]
    @cached
    def f(x) -> Answer: return []
""", result="same", python=(3, 12))
changes("annotations that a decorator reads", """
    def convert(function):
        wanted = function.__annotations__["x"]
        def inner(x): return function(wanted(x))
        return inner
    @convert
    def g(x: <<int=>float>>): return x
    @cached
    def f(x): return g(x)
""")
changes("annotations of a class that a class decorator reads", """
    def collect(cls):
        cls.names = list(cls.__annotations__)
        return cls
    @collect
    class C:
        <<a=>b>>: int
    @cached
    def f(x): return C.names
""")
changes("version=", """
    @cached(version="<<2=>3>>")
    def f(x): return x
""", result="same")
changes("code= names a package: a file that nothing imports", """
    @cached(code=("pkg",))
    def f(x): return x
    == pkg/other.py
    K = <<1=>2>>
""", result="same")
changes("code= names a package: a file appears", """
    @cached(code=("pkg",))
    def f(x): return x
    == <<=>pkg/other.py>>
    K = 1
""", result="same")
changes("code= names a package: a file of a subpackage", """
    @cached(code=("laws",))
    def f(x): return x
    == laws/__init__.py
    == laws/sub/__init__.py
    == laws/sub/law.py
    def law(x): return x + <<1=>2>>
""", result="same")
changes("code= names a package: a callee by a computed name", """
    from pkg import other
    @cached(code=("pkg.other",))
    def f(x): return getattr(other, "".join(["g", "_", "h"]))(x)
    == pkg/other.py
    def g_h(x): return x + <<1=>2>>
""")
changes("code= names a module: code by exec", """
    import pkg.other
    @cached(code=("pkg.other",))
    def f(x):
        space = {}
        exec(pkg.other.TEXT, space)
        return space["g"](x)
    == pkg/other.py
    TEXT = "def g(x): return x + <<1=>2>>"
""")

# ---------------------------------------------------------------- compiled callees

changes("numba: a jitted callee", """
    from numba import njit
    @njit
    def g(x): return x + <<1=>2>>
    @cached
    def f(x): return g(x)
""", needs=("numba",))
changes("numba: a jitted callee of a jitted callee in another module", """
    from numba import njit
    from pkg.law import law
    @njit
    def g(x): return law(x)
    @cached
    def f(x): return g(x)
    == pkg/law.py
    from numba import njit
    @njit
    def law(x): return x * <<2=>3>>
""", needs=("numba",))
changes("numba: a constant of a jitted callee", """
    from numba import njit
    K = <<1=>2>>
    @njit
    def g(x): return x + K
    @cached
    def f(x): return g(x)
""", needs=("numba",))
changes("numba: the cached function is jitted", """
    from numba import njit
    @cached
    @njit
    def f(x): return x + <<1=>2>>
""", needs=("numba",))
changes("numba: vectorize", """
    from numba import vectorize
    @vectorize(["float64(float64)"])
    def g(x): return x + <<1=>2>>
    @cached
    def f(x): return float(g(x))
""", needs=("numba",))
changes("numba: vectorize without signatures", """
    from numba import vectorize
    @vectorize
    def g(x): return x + <<1=>2>>
    @cached
    def f(x): return int(g(x))
""", needs=("numba",))
changes("numba: guvectorize", """
    import numpy as np
    from numba import guvectorize
    @guvectorize(["void(float64[:], float64[:])"], "(n)->(n)")
    def g(a, out):
        for i in range(a.shape[0]):
            out[i] = a[i] + <<1=>2>>
    @cached
    def f(x): return g(np.full(2, float(x))).tolist()
""", needs=("numba",))
changes("numba: register_jitable", """
    from numba import njit
    from pkg.law import law
    @njit
    def g(x): return law(x)
    @cached
    def f(x): return g(x)
    == pkg/law.py
    from numba.extending import register_jitable
    @register_jitable
    def law(x): return x * <<2=>3>>
""", needs=("numba",))
_SWITCH = """
    from numba.extending import register_jitable
    def switch(*cases):
        head = cases[0]
        if len(cases) == 1:
            @register_jitable
            def last(code, x): return head(x)
            return last
        tail = switch(*cases[1:])
        @register_jitable
        def choose(code, x): return head(x) if code == 0 else tail(code - 1, x)
        return choose
"""
changes("numba: a law among the cases of a switch", f"""
    from numba import njit
    from pkg.laws import law
    @njit
    def g(code, x): return law(code, x)
    @cached
    def f(x): return g(1, x)
    == pkg/laws.py{_SWITCH}
    @register_jitable
    def add(x): return x + 1
    @register_jitable
    def double(x): return x * <<2=>3>>
    law = switch(add, double)
""", needs=("numba",))
changes("numba: the order of the cases of a switch", f"""
    from numba import njit
    from pkg.laws import law
    @njit
    def g(code, x): return law(code, x)
    @cached
    def f(x): return g(1, x)
    == pkg/laws.py{_SWITCH}
    @register_jitable
    def add(x): return x + 1
    @register_jitable
    def double(x): return x * 2
    law = switch(<<add, double=>double, add>>)
""", needs=("numba",))
changes("numba: an array of the module", """
    import numpy as np
    from numba import njit
    K = np.array([1.0, <<2.0=>3.0>>])
    @njit
    def g(x): return x + K[1]
    @cached
    def f(x): return g(x)
""", needs=("numba",))
changes("numba: a jitted function given as an argument", """
    from numba import njit
    @njit
    def g(x): return x + <<1=>2>>
    @cached
    def f(function, x): return function(x)
""", args="g, 3", needs=("numba",))

changes("numba: a kernel made by a factory from a law", """
    from numba import njit
    def build(law):
        @njit
        def loop(n, x):
            for _ in range(n):
                x = law(x)
            return x
        return loop
    @njit
    def law(x): return x * <<2=>3>>
    loop = build(law)
    @cached
    def f(x): return loop(3, x)
""", needs=("numba",))
changes("numba: fastmath", """
    from numba import njit
    @njit(fastmath=<<False=>True>>)
    def g(x): return x + 1
    @cached
    def f(x): return g(x)
""", needs=("numba",), result="same")

# ---------------------------------------------------------------- scripts

_REPORT = """
if __name__ == "__main__":
    from probe import report
    report(f, 3)
"""
changes("a script: its function", f"""
== script.py
@cached
def f(x): return x + <<1=>2>>
{_REPORT}
""", entry="script.py")
changes("a script: a helper", f"""
== script.py
def g(x): return x + <<1=>2>>
@cached
def f(x): return g(x)
{_REPORT}
""", entry="script.py")
changes("a script: a constant", f"""
== script.py
K = <<1=>2>>
@cached
def f(x): return x + K
{_REPORT}
""", entry="script.py")
changes("a script: a constant that its main block sets", f"""
== script.py
K = 1
@cached
def f(x): return x + K
if __name__ == "__main__":
    K = <<2=>3>>
{_REPORT}
""", entry="script.py")
changes("a script: a class", f"""
== script.py
class C:
    def run(self, x): return x + <<1=>2>>
@cached
def f(x): return C().run(x)
{_REPORT}
""", entry="script.py")
changes("a script: a module beside it", f"""
== script.py
from beside import g
@cached
def f(x): return g(x)
{_REPORT}
== beside.py
def g(x): return x + <<1=>2>>
""", entry="script.py")

changes("a script: a seed that its main block sets", f"""
== script.py
import random
def g(x): return x + random.random()
@cached
def f(x): return g(x)
if __name__ == "__main__":
    random.seed(<<1=>2>>)
{_REPORT}
""", entry="script.py")

_READ = "int(Path(__file__).with_name('n.txt').read_text())"
for _name, _before, _set, _asked in (
    ("a name", "N = None", f"global N\n    N = {_READ}", "N"),
    ("an item", "N = {'dt': 0}", f"N['dt'] = {_READ}", "N['dt']"),
    ("what a dict is updated with", "N = {}", f"N.update(dt={_READ})", "N['dt']"),
    ("an attribute", "from types import SimpleNamespace\nN = SimpleNamespace(dt=0)", f"N.dt = {_READ}", "N.dt"),
    ("an attribute of a record", "from dataclasses import dataclass\n@dataclass\nclass R:\n    dt: int = 0\nN = R()", f"N.dt = {_READ}", "N.dt"),
    ("a list", "N = []", f"N.append({_READ})", "N[0]"),
):
    changes(f"a script: what its main sets: {_name}", f"""
== script.py
from pathlib import Path
{_before}
@cached
def f(x): return x * {_asked}
def main():
    {_set}
    from probe import report
    report(f, 3)
if __name__ == "__main__":
    main()
== n.txt
<<1=>2>>
""", entry="script.py")
    changes(f"what a function that a module calls has read: {_name}", f"""
from pathlib import Path
{_before}
def load():
    {_set}
load()
@cached
def f(x): return x * {_asked}
== pkg/n.txt
<<1=>2>>
""")
same("a script: its main does something else", """
== script.py
N = {'dt': 0}
@cached
def f(x): return x * N['dt']
def main():
    N['dt'] = 5
    abs(<<1=>2>>)
    from probe import report
    report(f, 3)
if __name__ == "__main__":
    main()
""", entry="script.py")

# ---------------------------------------------------------------- edits that must keep the key: words and form

same("a comment", """
    def g(x):
        return x  <<# one=># two>>
    @cached
    def f(x):
        <<# a line of its own=>>>
        return g(x)
""")
same("a comment above the decorator and at the end of the file", """
    <<=># why>>
    @cached  <<=># how>>
    def f(x):
        return x
    <<=># end>>
""")
same("the docstring of a module", '''
    <<"""One."""=>"""Another,

    longer one."""
    >>
    from simcache import cached
    @cached
    def f(x):
        return x
''')
same("the docstring of the function", '''
    @cached
    def f(x):
        """One<<=>, or another>>."""
        return x
''')
same("a docstring is added to the function", '''
    @cached
    def f(x):
        <<=>"""New."""
        >>return x
''')
same("the docstring of a callee in another module", '''
    from pkg.other import g
    @cached
    def f(x):
        return g(x)
    == pkg/other.py
    def g(x):
        """<<One=>Two>>."""
        return x
''')
same("the docstring of a class, a method and an attribute", '''
    class C:
        """<<One=>Two>>."""
        limit = 1
        """<<One=>Two>>."""
        def run(self, x):
            """<<One=>Two>>."""
            return x + self.limit
    @cached
    def f(x):
        return C().run(x)
''')
same("the docstring of another method of a class that is used", '''
    class C:
        def other(self):
            """<<One=>Two>>."""
        def run(self, x):
            return x
    @cached
    def f(x):
        return C().run(x)
''')
same("the docstring that is the whole body", '''
    class Odd(Exception):
        """<<One=>Two>>."""
    def hook():
        """<<One=>Two>>."""
    @cached
    def f(x):
        try:
            hook()
            raise Odd
        except Odd:
            return x
''')
same("the docstring of a nested function", '''
    @cached
    def f(x):
        def inner(y):
            """<<One=>Two>>."""
            return y
        return inner(x)
''')
same("the docstrings of a dataclass and its fields", '''
    from dataclasses import dataclass
    @dataclass
    class P:
        """<<One=>Two>>."""
        a: int
        """<<One=>Two>>."""
    @cached
    def f(p):
        return p.a
''', args="P(3)")
same("the docstrings of a pydantic model and its fields", '''
    from pydantic import BaseModel
    class P(BaseModel):
        """<<One=>Two>>."""
        a: int = 1
        """<<One=>Two>>."""
    @cached
    def f(p):
        return p.a
''', args="P(a=3)", needs=("pydantic",))
same("the docstring of an enum and of a named tuple", '''
    from enum import Enum
    from typing import NamedTuple
    class Kind(Enum):
        """<<One=>Two>>."""
        A = 1
    class P(NamedTuple):
        """<<One=>Two>>."""
        a: int
    @cached
    def f(x):
        return P(x).a + Kind.A.value
''')
same("the docstring of a decorator and its wrapper", '''
    from functools import wraps
    def deco(function):
        """<<One=>Two>>."""
        @wraps(function)
        def inner(x):
            """<<One=>Two>>."""
            return function(x)
        return inner
    @deco
    def g(x):
        """<<One=>Two>>."""
        return x
    @cached
    def f(x):
        return g(x)
''')
same("the docstring of a constant", '''
    K = 1
    """<<One=>Two>>."""
    @cached
    def f(x):
        return x + K
''')
same("blank lines", """
    def g(x):
        y = x
    <<=>

    >>
        return y
    <<=>


    >>
    @cached
    def f(x):
        return g(x)
""")
same("quotes", """
    K = {<<'a'=>"a">>: 'b'}
    @cached
    def f(x):
        return <<'it is'=>"it is">> + K["a"] + <<f'{x}'=>f"{x}">>
""")
same("quotes inside an f-string", """
    K = {"a": 1}
    @cached
    def f(x):
        return <<f"{K['a']} {x}"=>f'{K["a"]} {x}'>>
""")
same("a string in two parts", """
    @cached
    def f(x):
        return <<"one " "two"=>"one two">>
""")

same("quotes with an escape", """
    @cached
    def f(x):
        return <<'it\\'s'=>"it's">>
""")
same("triple quotes on one line", '''
    @cached
    def f(x):
        return <<"one"=>"""one""">>
''')
same("parentheses that change nothing", """
    K = <<1 + 2=>(1 + 2)>>
    @cached
    def f(x):
        if <<x == 3=>(x == 3)>>:
            return <<x + (K * 2)=>(x + K * 2)>>
        return <<(x)=>x>>
""")
same("parentheses around a tuple, a loop target and a yield", """
    @cached
    def f(x):
        for <<a, b=>(a, b)>> in [(1, 2)]:
            pair = <<a, b=>(a, b)>>
        return <<pair[0], pair[1]=>(pair[0], pair[1])>>
""")
same("line breaks", """
    def g(a, b, c=0): return a + b + c
    @cached
    def f(x):
        return g(<<x, 1, c=2=>
            x,
            1,
            c=2,
        >>)
""")
same("line breaks in a signature, a dict and a comprehension", """
    K = <<{"a": 1, "b": 2}=>{
        "a": 1,
        "b": 2,
    }>>
    def g(<<a, b=1=>
        a,
        b=1,
    >>):
        return a + b
    @cached
    def f(x):
        return <<[g(i) for i in range(x) if i in K.values()]=>[
            g(i)
            for i in range(x)
            if i in K.values()
        ]>>
""")
same("line breaks in a lambda in a dict", """
    LAWS = {"add": <<lambda x: x + 1=>(
        lambda x:
            x + 1
    )>>, "double": lambda x: x * 2}
    @cached
    def f(x):
        return LAWS["add"](x)
""")
same("trailing commas", """
    K = [1, 2<<=>,>>]
    def g(a, b<<=>,>>): return a + b
    @cached
    def f(x):
        return g(x, sum(K)<<=>,>>)
""")
same("backslashes at the end of a line", """
    @cached
    def f(x):
        return x + <<\\
            1=>1>>
""")
same("semicolons", """
    @cached
    def f(x):
        y = x<<; =>
        >>y += 1
        return y
""")
same("a body on the line of its def", """
    def g(x):<< =>
        >>return x + 1
    @cached
    def f(x):
        return g(x)
""")
same("spaces between tokens", """
    def g(a, b=1): return a+b
    @cached
    def f(x):
        return g(x,<<b=2=> b = 2>>)<<*2=> * 2>> if(x)else 0
""")
same("the letters of a number and of a prefix", """
    @cached
    def f(x):
        return [<<0XFF=>0xff>>, <<1E5=>1e5>>, <<1J=>1j>>, <<B"a"=>b"a">>, <<F"{x}"=>f"{x}">>, <<u"a"=>"a">>]
""")
same("empty parentheses of a class and a decorator's line", """
    class C<<()=>>>:
        limit = 1
    @cached
    def f(x):
        return C.limit + x
""")
same("deeper indentation of a body", """
    @cached
    def f(x):
        if x:
            <<=>    >>return 1
        return 2
""")
same("a class body's order of lines around methods", """
    class C:
        limit = 1
    <<=>
        # the work
    >>
        def run(self, x):
            return x
    @cached
    def f(x):
        return C().run(x)
""")
_PLAIN = '''
    K = {"a": [1, 2]}
    class C:
        """Doc."""
        limit = 1
        def run(self, x):
            """Doc."""
            text = """a
            b"""
            return x + self.limit + len(text)
    def g(x):
        return C().run(x) + K["a"][0]
    @cached
    def f(x):
        h = lambda n: n + 1
        return h(g(x))
'''
same("CRLF line ends", _PLAIN, rewrite=lambda content: content.replace(b"\n", b"\r\n"))
same("CR line ends", _PLAIN, rewrite=lambda content: content.replace(b"\n", b"\r"))
same("a byte order mark", _PLAIN, rewrite=lambda content: b"\xef\xbb\xbf" + content)
same("an encoding cookie", _PLAIN, rewrite=lambda content: b"# -*- coding: utf-8 -*-\n" + content)
same("no newline at the end of the file", _PLAIN, rewrite=lambda content: content.rstrip(b"\n"))
same("spaces at the ends of lines", """
    def g(x):<<=>  >>
        return x<<=>  >>
    <<=>    >>
    @cached
    def f(x):<<=> >>
        return g(x)
""")
same("a form feed between functions", """
    def g(x):
        return x
    <<=>\f>>
    @cached
    def f(x):
        return g(x)
""")
same("tabs for spaces", """
    def g(x):
        if x:
            return x
        return 0
    @cached
    def f(x):
        return g(x)
""", rewrite=lambda content: content.replace(b"    ", b"\t"))
same("two spaces for four", """
    class C:
        def g(self, x):
            if x:
                return x
            return 0
    @cached
    def f(x):
        return C().g(x)
""", rewrite=lambda content: content.replace(b"    ", b"  "))
same("the encoding of the file", """
    @cached
    def f(x):
        return "\u00e9" * x
""", rewrite=lambda content: b"# coding: latin-1\n" + content.decode().encode("latin-1"))

# ---------------------------------------------------------------- edits that must keep the key: types

same("a parameter's type hint", """
    def g(x: <<int=>float>>, y: <<"str"=>object>> = "") -> <<int=>"float">>:
        return x
    @cached
    def f(x: <<int=>float | int>>):
        return g(x)
""")
same("type hints are added", """
    def g(x<<=>: int>>, *more<<=>: int>>, y<<=1=>: int = 1>>, **rest<<=>: object>>)<<=> -> int>>:
        return x + y
    @cached
    def f(x<<=>: int>>):
        return g(x)
""")
same("the type hint of a local variable", """
    @cached
    def f(x):
        y<<=>: int>> = x
        z: <<int=>float>> = y
        return z
""")
same("the type hint of a module constant", """
    K<<=>: int>> = 1
    @cached
    def f(x):
        return x + K
""")
same("the type hints of a method", """
    class C:
        def run(self, x: <<int=>float>>) -> <<int=>float>>:
            return x
    @cached
    def f(x):
        return C().run(x)
""")
same("a hint that names a class, whose method changes", """
    class Unrelated:
        def run(self): return <<1=>2>>
    def g(x: Unrelated | int) -> "Unrelated | int":
        return x
    @cached
    def f(x: Unrelated | int):
        return g(x)
""")
same("imports for type checking only", """
    from typing import TYPE_CHECKING
    if TYPE_CHECKING:
        <<from pkg.other import A=>from pkg.other import A, B>>
    @cached
    def f(x: "A"):
        return x
    == pkg/other.py
    class A: pass
    class B: pass
""")
same("overloads", """
    from typing import overload
    @overload
    def g(x: int) -> int: ...
    @overload
    def g(x: <<str=>bytes>>) -> <<str=>bytes>>: ...
    def g(x):
        return x
    @cached
    def f(x):
        return g(x)
""")
same("a cast's place: a comment for the type checker", """
    @cached
    def f(x):
        return x  <<# type: ignore=># noqa: E501>>
""")

same("a local variable is declared before it is assigned", """
    def g(x):
        <<=>n: int>>
        n = x + 1
        return n
    @cached
    def f(x): return g(x)
""")
same("a local variable is declared in a loop", """
    def g(x):
        for i in range(x):
            <<=>n: int>>
            n = i + 1
        return n
    @cached
    def f(x): return g(x)
""")
same("a local variable is declared and never used", """
    def g(x):
        <<=>n: int>>
        return x
    @cached
    def f(x): return g(x)
""")
changes("a declaration makes a name local", """
    n = 2
    def g(x):
        <<=>n: int>>
        return n
    @cached
    def f(x): return g(x)
""")
changes("a declaration makes a captured name local", """
    def g(x):
        n = 2
        def h():
            <<=>n: int>>
            return n
        return h()
    @cached
    def f(x): return g(x)
""")
same("a constant is declared before it is assigned", """
    <<=>K: int>>
    K = 2
    @cached
    def f(x): return x * K
""")
same("a constant is declared after it is assigned", """
    K = [2]
    <<=>K: list>>
    @cached
    def f(x): return x * K[0]
""")
same("a constant that is chosen is declared", """
    import sys
    <<=>K: int>>
    if sys.maxsize > 3:
        K = 2
    else:
        K = 3
    @cached
    def f(x): return x * K
""")
same("a constant is declared where it is chosen", """
    import sys
    if sys.maxsize > 3:
        <<=>K: int>>
        K = 2
    else:
        K = 3
    @cached
    def f(x): return x * K
""")
same("a name that a function sets is declared", """
    K: <<int=>float>>
    def prepare():
        global K
        K = 2
    @cached
    def f(x):
        prepare()
        return x * K
""")
same("an attribute is declared before it is assigned", """
    class P:
        def __init__(self, x):
            <<=>self.k: int>>
            self.k = x
    @cached
    def f(x): return P(x).k
""")
changes("a field without a value is declared in a class", """
    from dataclasses import dataclass
    @dataclass
    class P:
        k: int
        <<=>n: int = 5>>
    @cached
    def f(x): return repr(P(x))
""")
for _name, _text in (
    ("at once", "inspect.signature(fn).bind(*a)\n        return fn(*a)"),
    ("and completed with defaults", "given = inspect.signature(fn).bind(*a)\n        given.apply_defaults()\n        return fn(*given.args, **given.kwargs)"),
    ("by a signature that is kept", "signature = inspect.signature(fn)\n        given = signature.bind(*a)\n        return fn(*given.arguments.values())"),
    ("whose names are asked", "names = list(inspect.signature(fn).parameters)\n        return fn(**dict(zip(names, a)))"),
    ("whose defaults are asked", "sig = inspect.signature(fn)\n        given = {n: p.default for n, p in sig.parameters.items() if p.default is not p.empty}\n        return fn(*a, **given) if 'x' in sig.parameters and len(sig.parameters) else 0"),
):
    same(f"a hint while arguments are bound to a signature {_name}", f"""
import inspect
def checked(fn):
    def inner(*a):
        {_text}
    return inner
@checked
def g(x<<=>: int>>): return x
@cached
def f(x): return g(x)
""")
same("a hint while arguments are bound to a signature of the decorator", """
    from inspect import signature
    def checked(fn):
        names = tuple(signature(fn).parameters)
        def inner(*a): return fn(**dict(zip(names, a)))
        return inner
    @checked
    def g(x<<=>: int>>): return x
    @cached
    def f(x): return g(x)
""")
for _name, _text in (
    ("shown", "str(inspect.signature(fn))"),
    ("kept and shown", "str([sig for sig in (inspect.signature(fn),)])"),
    ("kept under a name and shown", "f'{(sig := inspect.signature(fn))}'"),
    ("asked for its parameters, which are shown", "str(inspect.signature(fn).parameters)"),
    ("asked for each of its parameters, which are shown", "str([str(p) for p in inspect.signature(fn).parameters.values()])"),
    ("asked for one of its parameters, which is shown", "str(inspect.signature(fn).parameters['x'])"),
    ("asked for one of its hints", "str(inspect.signature(fn).parameters['x'].annotation)"),
    ("asked for one of its hints by a text", "str(getattr(inspect.signature(fn).parameters['x'], 'annotation'))"),
    ("asked by another name", "str((lambda ask=inspect.signature: ask(fn))())"),
    ("bound, and what is bound is shown with it", "str(inspect.signature(fn).bind(1).signature)"),
    ("bound, and what is bound is handed on", "show(inspect.signature(fn).bind(1))"),
):
    changes(f"a hint while a signature is {_name}", f"""
import inspect
def show(bound): return str(bound.signature)
def hinted(fn): return {_text}
def g(x<<=>: int>>): return x
@cached
def f(x): return hinted(g)
""")

# ---------------------------------------------------------------- edits that must keep the key: what is not reached

same("another function in the file changes", """
    def other(x):
        return x + <<1=>2>>
    @cached
    def f(x):
        return x
""")
same("another function in a callee's file changes", """
    from pkg.other import g
    @cached
    def f(x):
        return g(x)
    == pkg/other.py
    def unrelated(x): return x + <<1=>2>>
    def g(x): return x
""")
same("another function in a module reached by its name changes", """
    from pkg import other
    @cached
    def f(x):
        return other.g(x)
    == pkg/other.py
    def unrelated(x): return x + <<1=>2>>
    def g(x): return x
""")
same("another function is added above", """
    <<=>def other(x):
        return x
    >>
    def g(x): return x
    h = lambda x: g(x)
    @cached
    def f(x):
        return h(x)
""")
same("another function is removed", """
    <<def other(x):
        return x
    =>>>
    @cached
    def f(x):
        return x
""")
same("another function calls this one", """
    @cached
    def f(x):
        return x
    def other():
        return f(<<3=>4>>)
""")
same("another cached function in the file changes", """
    @cached
    def other(x):
        return x + <<1=>2>>
    @cached
    def f(x):
        return x
""")
same("an unrelated class changes", """
    class Other:
        def run(self): return <<1=>2>>
    @cached
    def f(x):
        return x
""")
same("a subclass that is not reached changes", """
    class Base:
        def run(self, x): return x
    class Other(Base):
        def run(self, x): return x + <<1=>2>>
    @cached
    def f(x):
        return Base().run(x)
""")
same("functions are put in another order", """
    <<def a(x): return b(x)
    def b(x): return x + 1=>def b(x): return x + 1
    def a(x): return b(x)>>
    @cached
    def f(x):
        return a(x) + b(x)
""")
same("constants are put in another order", """
    <<A = 1
    B = 2=>B = 2
    A = 1>>
    @cached
    def f(x):
        return x + A - B
""")
same("the function moves below and above others", """
    <<@cached
    def f(x):
        return g(x) + K
    =>>>
    K = 1
    def g(x): return x
    <<=>
    @cached
    def f(x):
        return g(x) + K
    >>
""")
same("an import is added", """
    <<=>import json
    from pathlib import Path as P>>
    @cached
    def f(x):
        return x
""")
same("imports are put in another order", """
    <<import json
    import math=>import math
    import json>>
    @cached
    def f(x):
        return json.dumps(math.floor(x))
""")
same("an import is split in two", """
    from math import floor<<, ceil=>
    from math import ceil>>
    @cached
    def f(x):
        return floor(x) + ceil(x)
""")
same("an unused constant changes", """
    UNUSED = {"a": <<1=>2>>}
    @cached
    def f(x):
        return x
""")
same("an unused module-level dict is filled", """
    UNUSED = {}
    <<=>UNUSED["a"] = 1>>
    @cached
    def f(x):
        return x
""")
same("an unused constant of a module reached by its name changes", """
    from pkg import other
    @cached
    def f(x):
        return other.K + x
    == pkg/other.py
    K = 1
    UNUSED = <<1=>2>>
""")
same("a module that is imported but not used changes", """
    import pkg.other
    @cached
    def f(x):
        return x
    == pkg/other.py
    def g(x): return x + <<1=>2>>
""")
same("__init__ exports one more name", """
    from pkg import g
    @cached
    def f(x):
        return g(x)
    == pkg/__init__.py
    from pkg.other import g as g<<=>, h as h>>
    == pkg/other.py
    def g(x): return x
    def h(x): return x
""")
same("a module that nothing imports appears", """
    @cached
    def f(x):
        return x
    == <<=>pkg/new.py>>
    K = 1
""")
same("a parameter has the name of an unrelated function", """
    def g(x): return x + <<1=>2>>
    @cached
    def f(g):
        return g + 1
""")
same("a local variable has the name of an unrelated function", """
    def g(x): return x + <<1=>2>>
    @cached
    def f(x):
        g = x
        return g
""")
same("the variable of a comprehension has the name of an unrelated function", """
    def g(x): return x + <<1=>2>>
    @cached
    def f(x):
        return [g for g in range(x)]
""")
same("a loop's, a with's and an exception's variable have the names of unrelated functions", """
    def a(x): return <<1=>2>>
    def b(x): return <<1=>2>>
    def c(x): return <<1=>2>>
    from contextlib import nullcontext
    @cached
    def f(x):
        for a in range(x):
            pass
        with nullcontext(1) as b:
            pass
        try:
            raise ValueError("v")
        except ValueError as c:
            return (a, b, str(c))
""")
same("a local import has the name of an unrelated function", """
    def floor(x): return x + <<1=>2>>
    @cached
    def f(x):
        from math import floor
        return floor(x)
""")
same("a nested function has the name of an unrelated function", """
    def g(x): return x + <<1=>2>>
    @cached
    def f(x):
        def g(y): return y
        return g(x)
""")
same("a captured variable has the name of an unrelated function", """
    def g(x): return x + <<1=>2>>
    @cached
    def f(x):
        g = x
        def inner(): return g
        return inner()
""")
same("what a pattern captures has the names of unrelated functions", """
    def a(x): return <<1=>2>>
    def b(x): return <<1=>2>>
    def c(x): return <<1=>2>>
    def d(x): return <<1=>2>>
    @cached
    def f(x):
        match [x, {"k": 1}, 2, 3]:
            case [int() as a, {"k": b}, c, *d]:
                return (a, b, c, d)
""")
same("a walrus, a lambda's and a keyword-only parameter have the names of unrelated functions", """
    def a(x): return <<1=>2>>
    def b(x): return <<1=>2>>
    def c(x): return <<1=>2>>
    def d(x): return <<1=>2>>
    @cached
    def f(x, *c, d=1):
        return [(a := i) + a + (lambda b: b)(i) + len(c) + d for i in range(x)]
""")

same("an attribute has the name of an unrelated function", """
    def append(x): return x + <<1=>2>>
    @cached
    def f(x):
        out = []
        out.append(x)
        return out
""")
same("a keyword, a string and a dict's key have the names of unrelated functions", """
    def a(x): return <<1=>2>>
    def b(x): return <<1=>2>>
    @cached
    def f(x):
        return [dict(a=x), "b", {"a": 1}["a"]]
""")
same("a method has the name of an unrelated function", """
    def run(x): return x + <<1=>2>>
    class C:
        def run(self, x): return x
    @cached
    def f(x):
        return C().run(x)
""")
same("a class attribute has the name of an unrelated function", """
    def limit(x): return x + <<1=>2>>
    class C:
        limit = 5
        def run(self, x): return self.limit + x
    @cached
    def f(x):
        return C().run(x)
""")
same("how often a series stores", """
    @cached(every=<<10=>20>>)
    def f(x):
        while True:
            yield x
""")
same("how the decorator is written", """
    <<import simcache
    =>from simcache import cached as keep
    >>
    @<<simcache.cached=>keep()>>
    def f(x):
        return x
""")
same("a list of public names is added", """
    <<=>__all__ = ["f"]>>
    @cached
    def f(x):
        return x
""")
same("a logger, a lock and a sentinel of the module are used", """
    import logging
    import threading
    _LOG = logging.getLogger(__name__)
    _LOCK = threading.Lock()
    _MISSING = object()
    _LOCAL = threading.local()
    def g(x, y=_MISSING):
        return y is _MISSING
    @cached
    def f(x):
        _LOG.debug("in %s", x)
        with _LOCK:
            _LOCAL.x = x
            return g(x)  <<=># why>>
""")
same("another argument's default stays what it is: a sentinel instance of a class of the module", """
    class Missing:
        pass
    MISSING = Missing()
    def g(x, y=MISSING): return y is MISSING
    @cached
    def f(x):
        return g(x)  <<=># why>>
""")
same("sets of strings in the code and in a constant", """
    KINDS = {"a", "b", "c", "d", "e"}
    @cached
    def f(x):
        return "a" in KINDS and x in {1, 2, 3} and str(x) in {"1", "2", "3", "4"}  <<=># why>>
""")
same("the place of the file, kept in a constant", """
    from pathlib import Path
    HERE = Path(__file__).resolve().parent
    @cached
    def f(x):
        return (HERE / "data").name * x  <<=># why>>
""")
same("a script: its main block", f"""
== script.py
@cached
def f(x):
    return x
if __name__ == "__main__":
    print(<<"one"=>"two">>, end="")
    print(chr(8), end="\\n")
{_REPORT}
""", entry="script.py")
same("a script: what it calls at the bottom", f"""
== script.py
@cached
def f(x):
    return x
{_REPORT}
<<=>f.compute(4)>>
""", entry="script.py")
same("a script: a comment and a docstring", f'''
== script.py
<<=>"""What it is for."""
>>from simcache import cached
@cached
def f(x):
    return x  <<=># why>>
{_REPORT}
''', entry="script.py")
same("a script: another function", f"""
== script.py
def other(): return <<1=>2>>
@cached
def f(x):
    return x
{_REPORT}
""", entry="script.py")
same("numba: a comment in a jitted callee", """
    from numba import njit
    @njit
    def g(x): return x + 1  <<# one=># two>>
    @cached
    def f(x): return g(x)
""", needs=("numba",))
