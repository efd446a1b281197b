"""Learning to control traffic: a task over many worlds, its faces for Gymnasium and Stable-Baselines3, controllers, and scores."""

from rl.registered import register

_HOME = {
    "Env": "env",
    "ParallelEnv": "parallel_env",
    "Task": "task",
    "TaskSpec": "task",
    "VecEnv": "vec_env",
    "VectorEnv": "vector_env",
    "ready": "tasks",
}
__all__ = list(_HOME)

# `gymnasium.make("rl:…")` imports this file and expects to find the names.
register()


def __getattr__(name: str) -> object:
    """Load a name's module when it is first asked for, so that torch is not there before it is needed (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'rl' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"rl.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
