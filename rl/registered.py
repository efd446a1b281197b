"""The ready tasks under names that Gymnasium knows: `gymnasium.make("rl:VictoriaIsland-v0")`."""

import gymnasium

NAMES = ("VictoriaIsland", "Corridor", "Grid", "RampMetering", "SpeedLimits")
"""Of `rl.tasks.TASKS`, which is not imported for it."""


def register() -> None:
    """Makes the names known, once."""
    for name in NAMES:
        if f"{name}-v0" not in gymnasium.registry:
            gymnasium.register(f"{name}-v0", "rl.env:Env", vector_entry_point="rl.vector_env:VectorEnv", kwargs={"task": name})
