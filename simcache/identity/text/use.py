"""What one function or method asks of objects and sets in them and in classes, by the names of attributes: rows of what is known of a file."""

from simcache.named_tuple import NamedTuple

ANY = "*"
"""Some attribute, whose name is computed; after how it begins, if that is told (`phase_*`)."""
CALLS = "*()"
"""The same, of what may be called then."""
SETS = "*="
"""The same, of what is set."""
ALL = "__dict__"
"""All attributes at once."""
OWN = "."
"""Before the name of an attribute: of the instance whose method this is, not of any object (`self.dt = 1`)."""
FOLLOWS = "<"
"""Between two attributes of an instance: the first is made of the second."""
ITEMS = "[]"
"""Stands among the attributes of a dict, list or set for what it holds."""
MAKERS = frozenset({"__init__", "__new__", "__post_init__", "__setstate__", "model_post_init"})


COUNTS = "#"
"""How something is set in a class or module: it is counted up by a whole number."""
ADDS = "+"
"""Anything is added to it, or it is made of itself in another way."""
REMEMBERS = "="
"""Who sets it looks at it, too, and makes it of nothing that he is given, or asks whether it is there: `if cls.grid is None: cls.grid = build(n)`."""
PUTS = ":"
"""In any other way."""
READS = "?"
"""It is not set, but read in an instance that is made."""


class Use(NamedTuple):
    """What one function or method does with attributes, of whatever object."""

    name: str
    """Of the method; `NAME=` of a property's setter; empty for a function, and for what a class body says of its fields."""
    asks: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()
    fills: frozenset[str] = frozenset()
    """Attributes whose objects it changes in place, or hands to somebody who may."""
    works_out: frozenset[str] = frozenset()
    """Attributes in which it puts more than it is given: a count, a time, what has been computed."""
    makes: frozenset[str] = frozenset()
    """Those of them that are made with an instance, by one call with what is given: options inside options."""

    def row(self) -> str:
        return " ".join([self.name, *(",".join(sorted(names)) for names in self[1:])])

    @classmethod
    def of(cls, row: str) -> "Use":
        name, *rest = row.split(" ")
        return cls(name, *(frozenset(names.split(",")) - {""} for names in rest))


class Setting(NamedTuple):
    """Something that is set by code as it runs, in a class or in another module."""

    method: str
    """In which method; empty in a function."""
    how: str
    """`COUNTS`, `ADDS`, `REMEMBERS`, `PUTS` or `READS`."""
    chain: str
    """What is set, from a name of the module or of an import on."""

    def row(self) -> str:
        return " ".join(self)

    @classmethod
    def of(cls, row: str) -> "Setting":
        return cls(*row.split(" ", 2))
