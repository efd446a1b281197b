"""What is known of one name, and of a whole source file; written as JSON so that it need be found out only once."""

import json
from typing import Any

from xxhash import xxh3_128_hexdigest

from simcache.named_tuple import NamedTuple

SOURCE_FORMAT = 22
PLACES = "places in "
"""How what a module registers by its place is called, apart from what it sets there: `places in state of gymnasium`."""
MUTATORS = frozenset(
    "__delitem__ __setitem__ add append appendleft clear difference_update discard extend extendleft fill insert intersection_update "
    "move_to_end pop popitem popleft put register remove resize reverse rotate setdefault sort subtract symmetric_difference_update "
    "update".split()
)
"""Methods that change what they are called on, in text and in bytecode."""
FILLERS = frozenset(
    "at copyto fill_diagonal heapify heappop heappush heappushpop heapreplace insort insort_left insort_right place put put_along_axis "
    "putmask setflags shuffle".split()
)
"""Functions of libraries that change the first of what they are given."""


class Piece(NamedTuple):
    """One name: everything in its file that makes it what it is.

    A reach is either a dotted chain that begins with a name of the module (`np.sin`), or `import LEVEL MODULE CHAIN`
    for something that a function imports itself.
    """

    kind: str
    """`def`, `class`, `data`, or `import` (nothing but another name for something)."""
    digest: str = ""
    reaches: tuple[str, ...] = ()
    returns: str = ""
    """The digest of a function's return annotation, which tells a cached function how to decode."""
    returns_reaches: tuple[str, ...] = ()
    annotated: str = ""
    """The digest with all annotations, for functions whose decorators may read them."""
    annotated_reaches: tuple[str, ...] = ()
    behaviour: str = ""
    """A class without its field declarations, for classes that say themselves what their key is."""
    behaviour_reaches: tuple[str, ...] = ()
    decorators: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    """What an imported name may stand for, as `import LEVEL MODULE CHAIN`."""
    value: str = ""
    """The digest of a constant's value where the text alone tells it, else empty."""
    state: bool = False
    """Functions of the module change it as they run, so its value at one moment means nothing."""
    cached: bool = False
    packages: tuple[str, ...] = ()
    """Packages that a `@cached(code=…)` on this function names."""
    changes: tuple[str, ...] = ()
    """Names of the module, or of a function around it, that it changes as it runs."""
    simple: bool = True
    """One statement makes it, so the object of that name should be just what that statement says."""
    constants: tuple[str, ...] = ()
    """`name digest` of the values that the text alone tells: of a function's defaults, of a class's attributes."""
    reads_annotations: bool = False
    """It may look at the annotations of whatever it reaches."""
    changes_itself: bool = False
    """A class with methods that change their instance after it is made."""
    asks_subclasses: bool = False
    """It may ask a class for those that are built upon it."""
    reads_outside: bool = False
    """What is worked out at import (a constant, a default, a class attribute) reads a file or the environment."""
    changed_by: tuple[str, ...] = ()
    """Functions of the module that change it in place or bind it anew; it is state only for code that reaches one of them."""
    chosen: bool = False
    """A function that an `if` or a `try` makes, so that only the object tells which one it is."""
    bare: bool = False
    """A function without any decorator, so the object of that name should be just that function."""
    reads: bool = False
    """A function or class that may read files or the environment when it is called: so may what is made by it at import."""
    made_by: tuple[str, ...] = ()
    """Of a function or class what it calls as the module is loaded, for default values and attributes."""
    made_of: tuple[str, ...] = ()
    """Of a function or class what its decorators, default values and attributes reach as the module is loaded."""
    only_called: tuple[str, ...] = ()
    """What its statements call as the module is loaded, and do nothing else with (`load()`), each with the functions that it decorates
    (`@register`), as `NAME FUNCTION …`."""
    sets: tuple[str, ...] = ()
    """What a function or class sets as it runs in other modules and in classes, as rows of `Setting` (use.py)."""
    filled: tuple[str, ...] = ()
    """Attributes whose objects a function or class changes in place as it runs, whatever they are attributes of (`self.seen[x] = 1`): each
    as `METHOD ATTRIBUTE`."""
    attributes: tuple[str, ...] = ()
    """Of a class the attributes that its body binds, and those of classes inside it: any other has come later."""
    stands_for: tuple[str, ...] = ()
    """`name chain` of those that are nothing but another name for something (`mode = Mode.SLOW`, `law = staticmethod(linear)`)."""
    methods: tuple[str, ...] = ()
    """Those that are methods, properties, class methods and static methods, as they stand there."""
    bare_methods: tuple[str, ...] = ()
    """Of a class the methods without any decorator, so that the attribute of that name should be just that function."""
    loads: tuple[str, ...] = ()
    """What a function or class imports as it runs and asks nothing of: only for what happens as that is loaded (`import pkg.plugins`)."""
    uses: tuple[str, ...] = ()
    """What functions do with attributes, as rows of `Use`: of a class one for each method."""
    of_told: bool = False
    """Data that is made by one call, with nothing but values that the text tells."""


class Outline(NamedTuple):
    """What a module does to others as it is loaded."""

    loads: tuple[str, ...]
    """What it imports then, as links."""
    sets: tuple[str, ...]
    """Libraries in which its statements set something."""
    inside: dict[str, tuple[str, ...]]
    """Of its functions those in which they do so when they are called."""
    calls: tuple[str, ...]
    """What its statements call of what it imports, as links."""

    def to_json(self) -> str:
        return json.dumps([SOURCE_FORMAT, *self])

    @classmethod
    def from_json(cls, text: str) -> "Outline | None":
        found, *rest = json.loads(text)
        return cls.of(rest) if found == SOURCE_FORMAT else None

    @classmethod
    def of(cls, row: list[Any]) -> "Outline":
        loads, sets, inside, calls = row
        return cls(tuple(loads), tuple(sets), {name: tuple(libraries) for name, libraries in inside.items()}, tuple(calls))


NO_OUTLINE = Outline((), (), {}, ())


class Summary(NamedTuple):
    """A source file, name by name."""

    names: dict[str, Piece]
    nested: dict[str, Piece]
    """Functions and classes inside functions, and lambdas, by their qualified name."""
    stars: tuple[str, ...]
    """Modules whose names are all imported (`from x import *`), as `import LEVEL MODULE *`."""
    exports: tuple[str, ...] | None
    """What `__all__` lists; None if the module has none, or makes it up."""
    whole: str
    """One digest of everything in the file, in whatever order it stands."""
    taken: tuple[str, ...]
    """All that it takes from other modules, as `import LEVEL MODULE CHAIN`, as far as it can be told which names of theirs."""
    libraries: dict[str, Piece]
    """What its statements set elsewhere as they run: in libraries (`np.random.seed(0)`), as `state of LIBRARY`, and of what it imports from
    the project (`Road.setup(2)`), as `setup of NAME`; and what its functions set when they are called, as `state of LIBRARY in FUNCTION`.
    What they register there by its place alone has PLACES before each of these names."""
    outline: Outline

    def piece(self, name: str) -> Piece | None:
        return self.names.get(name) or self.nested.get(name) or self.libraries.get(name)

    def to_json(self) -> str:
        return json.dumps([SOURCE_FORMAT, *self])

    @classmethod
    def from_json(cls, text: str) -> "Summary | None":
        """A summary that was written before; None if it is of another format."""
        found, *rest = json.loads(text)
        if found != SOURCE_FORMAT:
            return None
        names, nested, stars, exports, whole, taken, libraries, outline = rest
        names, nested, libraries = ({name: _piece(row) for name, row in rows.items()} for rows in (names, nested, libraries))
        return cls(
            names, nested, tuple(stars), None if exports is None else tuple(exports), whole, tuple(taken), libraries, Outline.of(outline)
        )


def _piece(row: list[object]) -> Piece:
    return Piece._make([tuple(field) if type(field) is list else field for field in row])


def digest_of(*texts: str) -> str:
    """One digest of several texts, that cannot be confused with one of others."""
    return xxh3_128_hexdigest("".join([f"{len(text)}:{text}" for text in texts]).encode("utf-8", "surrogatepass"))
