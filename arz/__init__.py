"""arz: traffic on road networks by the Aw-Rascle-Zhang equations, motorcycles and cars apart, many worlds at once."""

_HOME = {
    "ArzError": "errors",
    "Controls": "engine.simulator",
    "Invalid": "errors",
    "Measures": "engine.measures",
    "Network": "world.network",
    "Physics": "world.physics",
    "Record": "world.record",
    "Result": "result",
    "Scenario": "world.scenario",
    "Simulator": "engine.simulator",
    "Surge": "world.demand",
    "Unknown": "errors",
    "Unstable": "errors",
    "read_network": "world.importers.registry",
    "run": "running",
    "scenario": "world.scenarios.registry",
}
_NAMED = {"read_network": "read"}
"""Names that say more here than where they are made."""
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    """Load a name's module when it is first asked for, so that `import arz` costs nothing (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'arz' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"arz.{_HOME[name]}"), _NAMED.get(name, name))
    return value


def __dir__() -> list[str]:
    return __all__
