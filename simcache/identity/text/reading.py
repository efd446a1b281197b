"""What looks like reading from outside: from files, the environment, the command line."""

import ast
from collections.abc import Iterable, Mapping

from simcache.identity.text.link import taken_apart
from simcache.identity.text.normal import called, words, words_of
from simcache.identity.text.tree import walk

_READS_OUTSIDE = frozenset(
    "argv check_output environ files fromfile genfromtxt get_data getenv glob iglob input iterdir listdir load loads loadtxt memmap open "
    "open_text parse_args parse_known_args read read_bytes read_csv read_text rglob safe_load scandir urlopen".split()
)
_READ_IN = frozenset({"argv", "environ", "BaseSettings"})
"""Names of what is read, or of who reads by being called."""
_READERS = ("load_", "open_", "read_")


class Reading:
    """Knows by which names a module reads, itself or through its own functions."""

    def __init__(self, functions: Iterable[ast.FunctionDef | ast.AsyncFunctionDef]) -> None:
        self.names = _READS_OUTSIDE.union(node.name for node in functions if not _READS_OUTSIDE.isdisjoint(words(node.body)))

    def know_imports(self, links: Mapping[str, tuple[str, ...]]) -> None:
        """These names are imported."""
        self.names |= {name for name, taken in links.items() if any(_reads(taken_apart(link).chain.rpartition(".")[2]) for link in taken)}

    def has(self, node: ast.AST) -> bool:
        """Whether something that runs as the module is loaded looks like reading."""
        return self.may(node) or not self.names.isdisjoint(words([node]))

    def may(self, node: ast.AST) -> bool:
        """Whether something in a function or class looks like reading from a file or the environment."""
        for inner in walk(node):
            if isinstance(inner, ast.Call):
                name = inner.func.attr if isinstance(inner.func, ast.Attribute) else called(inner)
                if _reads(name) or (isinstance(inner.func, ast.Name) and name in self.names):
                    return True
            elif isinstance(inner, (ast.Name, ast.Attribute)) and not _READ_IN.isdisjoint(words_of(inner)):
                return True
        return False


def _reads(name: str) -> bool:
    """Whether something of this name is likely to read what is outside."""
    return name in _READS_OUTSIDE or name.startswith(_READERS)
