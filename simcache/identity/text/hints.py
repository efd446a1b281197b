"""Whether code may look at annotations: of what it is given, or of what it reaches."""

import ast
from collections.abc import Collection, Iterable, Iterator

from simcache.identity.text.normal import FUNCTIONS, called, words, words_of
from simcache.identity.text.tree import children, walk

_READS = frozenset("__annotations__ annotation get_annotations get_type_hints getfullargspec".split())
_READS_HINTS = frozenset("beartype typechecked validate_arguments validate_call".split())
"""Decorators of others that read the annotations of what they are given: in a function, of whatever it is given."""
_BINDS = frozenset({"bind", "bind_partial"})
_OF_BOUND = frozenset({"apply_defaults", "args", "arguments", "kwargs"})
_OF_PARAMETER = frozenset("KEYWORD_ONLY POSITIONAL_ONLY POSITIONAL_OR_KEYWORD VAR_KEYWORD VAR_POSITIONAL default empty kind name".split())
_TAKES_NAMES = frozenset("enumerate frozenset iter len list set sorted tuple".split())
"""What is given the parameters of a signature, and takes no more than their names."""
_LOOPS = (ast.For, ast.comprehension)


def reads_annotations(parts: Iterable[ast.stmt], inside: Collection[str], function: ast.stmt | None) -> bool:
    """Whether statements, of which these are the words, may look at annotations; what stands in a function may have others look."""
    if not _READS.isdisjoint(inside) or (isinstance(function, FUNCTIONS) and not words(function.body).isdisjoint(_READS_HINTS)):
        return True
    return "signature" in inside and not all(_Signatures(part).are_only_bound() for part in parts)


class _Signatures:
    """The signatures that a statement asks for, and what becomes of each."""

    def __init__(self, statement: ast.stmt) -> None:
        self.nodes = list(walk(statement))
        self.above = {child: node for node in self.nodes for child in children(node)}

    def are_only_bound(self) -> bool:
        """Whether they are but bound to arguments, or asked for names, kinds and defaults of parameters: nobody sees an annotation then."""
        asked = [node for node in self.nodes if isinstance(node, ast.Call) and called(node).rpartition(".")[2] == "signature"]
        asking = {id(node.func) for node in asked}
        others = [node for node in self.nodes if "signature" in words_of(node) and id(node) not in asking]
        kept = {"signature", *(name for node in asked for name in self._names_of(node))}
        found = [*asked, *(node for node in self._uses(kept) if id(node) not in asking)]
        return all(isinstance(node, ast.Name) for node in others) and all(map(self._is_only_bound, found))

    def _names_of(self, node: ast.AST) -> Iterator[str]:
        """The variable of a function that alone keeps a value, if there is one."""
        match self.above.get(node):
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                around: ast.AST | None = node
                while around is not None and not isinstance(around, (*FUNCTIONS, ast.ClassDef)):
                    around = self.above.get(around)
                if isinstance(around, FUNCTIONS) and not any(isinstance(other, ast.Global) and name in other.names for other in self.nodes):
                    yield name

    def _uses(self, names: Collection[str]) -> list[ast.AST]:
        return [node for node in self.nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names]

    def _is_asked(self, node: ast.AST, for_: frozenset[str]) -> bool:
        above = self.above.get(node)
        return isinstance(above, ast.Attribute) and above.attr in for_

    def _is_only_bound(self, signature: ast.AST) -> bool:
        if any(self._names_of(signature)):
            return True  # its uses are looked at
        above = self.above.get(signature)
        if not isinstance(above, ast.Attribute) or above.attr not in _BINDS:
            return isinstance(above, ast.Attribute) and above.attr == "parameters" and self._are_only_counted(above)
        bound = self.above.get(above)
        if not isinstance(bound, ast.Call) or bound.func is not above:
            return False
        if isinstance(self.above.get(bound), ast.Expr):
            return True
        names = [*self._names_of(bound)]
        return all(self._is_asked(use, _OF_BOUND) for use in (self._uses(names) if names else [bound]))

    def _are_only_counted(self, parameters: ast.AST) -> bool:
        """Whether of the parameters of a signature nothing is seen but names, kinds and defaults."""
        match above := self.above.get(parameters):
            case ast.For() | ast.comprehension():
                return True
            case ast.Compare(ops=[ast.In() | ast.NotIn()]):
                return above.left is not parameters
            case ast.Call():
                return called(above) in _TAKES_NAMES
            case ast.Subscript():
                return self._is_asked(above, _OF_PARAMETER)
            case ast.Attribute(attr="keys"):
                return True
            case ast.Attribute(attr="values" | "items"):
                call = self.above.get(above)
                loop = self.above.get(call) if call is not None else None
                match loop.target if isinstance(loop, _LOOPS) else None:
                    case ast.Name(id=name) | ast.Tuple(elts=[_, ast.Name(id=name)]):
                        return all(self._is_asked(use, _OF_PARAMETER) for use in self._uses({name}))
        return False
