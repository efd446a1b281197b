"""simcache: a result that was computed once, anywhere, is never computed again, and never served wrongly."""

_HOME = {
    "Cache": "cache",
    "CacheError": "errors",
    "Divergence": "errors",
    "File": "codecs.file",
    "Folder": "codecs.file",
    "NotStored": "errors",
    "Step": "series",
    "Store": "stores.base",
    "Unkeyable": "errors",
    "Unstorable": "errors",
    "cached": "decorator",
    "open_store": "stores.registry",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    """Load a name's module when it is first asked for, so that `import simcache` costs nothing (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'simcache' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"simcache.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
