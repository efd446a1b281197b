"""The learning algorithms by name: a record of settings each, which makes the learner for an environment."""

from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import Field, model_validator

from arz.errors import Invalid
from arz.world.record import Positive, Record, Share

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]


class _Common(Record):
    """What every algorithm here has: a network, a discount, and a learning rate that falls linearly over the horizon."""

    net: Annotated[tuple[Count, ...], Field(min_length=1)] = (64, 64)
    """Units of the hidden layers."""
    learning_rate: Rate = 1e-3
    learning_rate_at_end: Annotated[float, Field(ge=0, lt=1)] | None = None
    """At the horizon and beyond; None: it never changes."""
    gamma: Share = 0.98
    max_grad_norm: Positive = 10.0

    def _rate(self) -> Any:
        """As a function of how much of the horizon is left."""
        first, last = self.learning_rate, self.learning_rate_at_end
        return first if last is None else lambda left: last + (first - last) * left


class Dqn(_Common):
    """Deep Q-learning (Mnih et al. 2015): one discrete action, learned from what any earlier policy did."""

    kind: Literal["dqn"] = "dqn"
    buffer_steps: Count = 50_000
    """Transitions that are remembered, of all worlds together."""
    learning_starts: Annotated[int, Field(ge=0)] = 1_000
    """Transitions before the first update."""
    batch: Count = 256
    train_every: Count = 1
    """Decisions (of all worlds at once) between updates."""
    updates: Count = 1
    target_every: Count = 1_000
    """Transitions between copies into the target network."""
    explore_first: Share = 1.0
    explore_last: Share = 0.05
    explore_share: Annotated[float, Field(gt=0, le=1)] = 0.4
    """Of the horizon; exploration falls linearly over it."""

    def rollout(self, worlds: int) -> int:
        """Steps between two moments at which the state can be captured."""
        return self.train_every * worlds

    def make(self, env: Any, seed: int, horizon_steps: int) -> Any:
        from rl.learners import HorizonDqn

        if self.buffer_steps < env.num_envs:
            problem = f"is {self.buffer_steps}, less than one step of {env.num_envs} worlds"
            raise Invalid("algorithm.buffer_steps", problem, "remember more, or train with fewer worlds")
        model = HorizonDqn(
            "MlpPolicy",
            env,
            learning_rate=self._rate(),
            buffer_size=self.buffer_steps,
            learning_starts=self.learning_starts,
            batch_size=self.batch,
            gamma=self.gamma,
            train_freq=(self.train_every, "step"),
            gradient_steps=self.updates,
            target_update_interval=max(self.target_every, env.num_envs),
            exploration_initial_eps=self.explore_first,
            exploration_final_eps=self.explore_last,
            exploration_fraction=self.explore_share,
            max_grad_norm=self.max_grad_norm,
            policy_kwargs=_policy(self.net),
            seed=seed,
            device="cpu",
        )
        model.horizon_steps = horizon_steps
        return model


class _OnPolicy(_Common):
    """What the algorithms share that learn from the newest rollout and forget it."""

    rollout_steps: Count = 40
    """Decisions of each world between updates."""
    gae_lambda: Share = 0.95
    entropy: Annotated[float, Field(ge=0)] = 0.0
    value: Annotated[float, Field(ge=0)] = 0.5
    max_grad_norm: Positive = 0.5

    def rollout(self, worlds: int) -> int:
        """Steps between two moments at which the state can be captured."""
        return self.rollout_steps * worlds

    def _arguments(self, seed: int) -> dict[str, Any]:
        return {
            "learning_rate": self._rate(),
            "n_steps": self.rollout_steps,
            "gamma": self.gamma,
            "gae_lambda": self.gae_lambda,
            "ent_coef": self.entropy,
            "vf_coef": self.value,
            "max_grad_norm": self.max_grad_norm,
            "seed": seed,
            "device": "cpu",
        }


class Ppo(_OnPolicy):
    """Proximal policy optimization (Schulman et al. 2017): many worlds at once, also several signals in one action."""

    kind: Literal["ppo"] = "ppo"
    batch: Count = 512
    epochs: Count = 6
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.2

    def make(self, env: Any, seed: int, horizon_steps: int) -> Any:
        from rl.learners import HorizonMaskablePpo, HorizonPpo

        rows = self.rollout_steps * env.num_envs
        batch = min(self.batch, rows)
        if rows % batch:
            problem = f"is {self.batch}, and a rollout of {rows} steps cannot be parted into that"
            raise Invalid("algorithm.batch", problem, f"choose a divisor of {rows}")
        kind = HorizonMaskablePpo if self.kind == "maskable_ppo" else HorizonPpo
        arguments = self._arguments(seed) | {"batch_size": batch, "n_epochs": self.epochs, "clip_range": self.clip}
        model = kind("MlpPolicy", env, policy_kwargs=_policy(self.net), **arguments)
        model.horizon_steps = horizon_steps
        return model


class MaskablePpo(Ppo):
    """PPO that is told which phases may follow now (Huang and Ontañón 2022), so that it never learns from an action that did nothing."""

    kind: Literal["maskable_ppo"] = "maskable_ppo"  # type: ignore[assignment]


class A2c(_OnPolicy):
    """Advantage actor-critic (Mnih et al. 2016): one update a rollout."""

    kind: Literal["a2c"] = "a2c"
    rollout_steps: Count = 8

    def make(self, env: Any, seed: int, horizon_steps: int) -> Any:
        from rl.learners import HorizonA2c

        model = HorizonA2c("MlpPolicy", env, policy_kwargs={"net_arch": list(self.net)}, **self._arguments(seed))
        model.horizon_steps = horizon_steps
        return model


AnyAlgorithm = Annotated[Dqn | Ppo | MaskablePpo | A2c, Field(discriminator="kind")]
ALGORITHMS: Final = {kind.model_fields["kind"].default: kind for kind in get_args(get_args(AnyAlgorithm)[0])}


class Normalise(Record):
    """Observations, and rewards while learning, brought to mean 0 and spread 1 by running statistics."""

    observations: bool = True
    rewards: bool = True
    clip: Positive = 10.0

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not (self.observations or self.rewards):
            raise Invalid("observations", "is false, as rewards is", "leave `normalise` out")
        return self


def _policy(net: tuple[int, ...]) -> dict[str, Any]:
    # One call for all weights: a third of an update's time is the dispatch of many small ones.
    return {"net_arch": list(net), "optimizer_kwargs": {"fused": True}}
