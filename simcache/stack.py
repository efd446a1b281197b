"""Items of a series as arrays with the items along the first axis."""

from collections.abc import Sequence
from typing import Any


def stacked(items: Sequence[Any], field: str = "") -> Any:
    """One field of all items along a new first axis; errors name the item and the field as one would write them."""
    import numpy as np

    if not items:
        raise ValueError(f"items{field}: there is nothing to stack")
    first = items[0]
    for number, item in enumerate(items):
        if (difference := _unlike(first, item)) is not None:
            raise ValueError(f"items[{number}]{field} {difference} items[0]{field}: only items of one form can be stacked")
    if isinstance(first, (np.ndarray, np.generic, int, float, complex)):
        return np.stack([np.asarray(item) for item in items])
    if isinstance(first, dict):
        return {key: stacked([item[key] for item in items], f"{field}[{key!r}]") for key in first}
    if isinstance(first, tuple):
        columns = [stacked(column, f"{field}[{index}]") for index, column in enumerate(zip(*items, strict=True))]
        return type(first)(*columns) if hasattr(first, "_fields") else tuple(columns)
    if isinstance(first, list):
        return [stacked(column, f"{field}[{index}]") for index, column in enumerate(zip(*items, strict=True))]
    raise TypeError(
        f"items[0]{field}: {type(first).__qualname__} cannot be stacked; only arrays and numbers, and dicts, tuples and lists of them"
    )


def _unlike(first: Any, item: Any) -> str | None:
    """How an item differs in form from the first one, in words that go before its name; None if it does not."""
    import numpy as np

    for kinds in ((dict,), (tuple,), (list,), (np.ndarray, np.generic, int, float, complex)):
        if isinstance(first, kinds) != isinstance(item, kinds):
            return f"is a {type(item).__qualname__}, unlike the {type(first).__qualname__}"
    if isinstance(first, dict):
        if missing := [key for key in first if key not in item]:
            return f"has no {missing[0]!r}, unlike"
        if added := [key for key in item if key not in first]:
            return f"has {added[0]!r}, unlike"
    elif isinstance(first, (tuple, list)):
        if len(item) != len(first):
            return f"has {len(item)} parts, unlike the {len(first)} of"
    elif np.shape(item) != np.shape(first):
        return f"has the shape {np.shape(item)}, unlike the {np.shape(first)} of"
    return None
