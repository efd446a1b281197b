"""What one function or method asks of objects and sets in them, by the names of attributes: a row of what is known of a file."""

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
