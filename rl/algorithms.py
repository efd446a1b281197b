"""The learning algorithms by name: a record of settings each, which makes the learner for an environment."""

import math
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import Field, model_validator

from arz import Invalid
from rl.setting import Setting
from rl.sizes import DEEPEST, WIDEST, require_memory

Count = Annotated[int, Field(ge=1)]
Width = Annotated[int, Field(ge=1, le=WIDEST)]
Rate = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class _Common(Setting):
    """What every algorithm here has: a network, a discount, and a learning rate that falls linearly over the horizon."""

    net: Annotated[tuple[Width, ...], Field(min_length=1, max_length=DEEPEST, strict=False)] = (64, 64)
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

    def require(self, rows: int, features: int) -> None:
        """Refused where so many agents, of all worlds, that see so many numbers do not go with these settings."""
        if self.buffer_steps < rows:
            problem = f"is {self.buffer_steps}, less than one step of {rows} agents"
            raise Invalid("buffer_steps", problem, "remember more, or train with fewer worlds")
        for field, held in (("buffer_steps", self.buffer_steps), ("batch", self.batch)):
            require_memory(field, held, 2 * features)  # what was seen before a step and after it

    def policy(self, observations: Any, actions: Any) -> Any:
        """The network alone, untrained."""
        from stable_baselines3.dqn import MlpPolicy

        return MlpPolicy(observations, actions, _no_rate, net_arch=list(self.net))

    def make(self, env: Any, seed: int, horizon_steps: int) -> Any:
        from rl.learners import HorizonDqn

        self.require(env.num_envs, _features(env))
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

    def require(self, rows: int, features: int) -> None:
        """Refused where so many agents, of all worlds, that see so many numbers do not go with these settings."""
        require_memory("rollout_steps", self.rollout_steps, rows * features)

    def policy(self, observations: Any, actions: Any) -> Any:
        """The network alone, untrained."""
        from stable_baselines3.ppo import MlpPolicy

        return MlpPolicy(observations, actions, _no_rate, net_arch=list(self.net))

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

    def require(self, rows: int, features: int) -> None:
        super().require(rows, features)
        transitions = self.rollout_steps * rows
        if transitions % min(self.batch, transitions):
            problem = f"is {self.batch}, and a rollout of {transitions} transitions ({rows} agents) cannot be parted into that"
            near = max(size for size in range(1, min(self.batch, transitions) + 1) if transitions % size == 0)
            raise Invalid("batch", problem, f"choose a divisor, such as {near}")

    def make(self, env: Any, seed: int, horizon_steps: int) -> Any:
        self.require(env.num_envs, _features(env))
        batch = min(self.batch, self.rollout_steps * env.num_envs)
        arguments = self._arguments(seed) | {"batch_size": batch, "n_epochs": self.epochs, "clip_range": self.clip}
        model = self.learner()("MlpPolicy", env, policy_kwargs=_policy(self.net), **arguments)
        model.horizon_steps = horizon_steps
        return model

    def learner(self) -> Any:
        """The class of Stable-Baselines3's kind."""
        from rl.learners import HorizonPpo

        return HorizonPpo


class MaskablePpo(Ppo):
    """PPO that is told which phases may follow now (Huang and Ontañón 2022), so that it never learns from an action that did nothing."""

    kind: Literal["maskable_ppo"] = "maskable_ppo"  # type: ignore[assignment]

    def policy(self, observations: Any, actions: Any) -> Any:
        """The network alone, untrained."""
        from sb3_contrib.ppo_mask import MlpPolicy

        return MlpPolicy(observations, actions, _no_rate, net_arch=list(self.net))

    def learner(self) -> Any:
        from rl.learners import HorizonMaskablePpo

        return HorizonMaskablePpo


class A2c(_OnPolicy):
    """Advantage actor-critic (Mnih et al. 2016): one update a rollout."""

    kind: Literal["a2c"] = "a2c"
    rollout_steps: Count = 8

    def make(self, env: Any, seed: int, horizon_steps: int) -> Any:
        from rl.learners import HorizonA2c

        self.require(env.num_envs, _features(env))
        model = HorizonA2c("MlpPolicy", env, policy_kwargs={"net_arch": list(self.net)}, **self._arguments(seed))
        model.horizon_steps = horizon_steps
        return model


AnyAlgorithm = Annotated[Dqn | Ppo | MaskablePpo | A2c, Field(discriminator="kind")]
ALGORITHMS: Final = {kind.model_fields["kind"].default: kind for kind in get_args(get_args(AnyAlgorithm)[0])}


class Normalise(Setting):
    """Observations, and rewards while learning, brought to mean 0 and spread 1 by running statistics."""

    observations: bool = True
    rewards: bool = True
    clip: Positive = 10.0

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not (self.observations or self.rewards):
            raise Invalid("observations", "is false, as rewards is", "leave `normalise` out")
        return self


def _features(env: Any) -> int:
    """How many numbers one agent sees."""
    return math.prod(env.observation_space.shape)


def _no_rate(left: float) -> float:
    """Nothing is learned by a network that is only asked."""
    del left
    return 0.0


def _policy(net: tuple[int, ...]) -> dict[str, Any]:
    # One call for all weights: a third of an update's time is the dispatch of many small ones.
    return {"net_arch": list(net), "optimizer_kwargs": {"fused": True}}
