"""Links: what an import stands for, as the text `import LEVEL MODULE CHAIN`; without a chain it is the module itself."""

from simcache.named_tuple import NamedTuple


class Link(NamedTuple):
    """A link, taken apart."""

    level: int
    """How many dots stand before the module's name."""
    module: str
    chain: str
    """The name that is taken of it, and what is asked of that; `*` for all of its names."""

    @property
    def names(self) -> list[str]:
        """The chain, name by name."""
        return self.chain.split(".") if self.chain else []


def link_to(level: int, module: str, chain: str = "") -> str:
    return f"import {level} {module} {chain}"


def is_link(reach: str) -> bool:
    """Whether a reach is what a function imports itself; others begin with a name of the module."""
    return reach.startswith("import ")


def is_of_module(link: str) -> bool:
    return link.endswith(" ")


def taken_apart(link: str) -> Link:
    _, level, module, chain = link.split(" ", 3)
    return Link(int(level), module, chain)


def further(link: str, rest: str) -> str:
    """The link to what is asked (`rest`, a chain) of that to which a link leads."""
    return f"{link}.{rest}" if rest and not is_of_module(link) else link + rest
