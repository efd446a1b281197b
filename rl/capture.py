"""The exact state of a learner between two rollouts, and its way back into a learner made afresh.

What `save` of Stable-Baselines3 leaves out (replay, random numbers, the world, what the learner saw last) makes a resumed training another
training. Here every part has a name and is arrays, tensors and plain numbers: it is stored without pickle, and a test leaves out each part
in turn and sees the numbers change.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from arz import Invalid

if TYPE_CHECKING:
    from stable_baselines3.common.buffers import ReplayBuffer
    from stable_baselines3.common.running_mean_std import RunningMeanStd
    from stable_baselines3.common.vec_env import VecNormalize

FORMAT: Final = 1

_COUNTERS: Final = ("num_timesteps", "_n_calls", "_n_updates", "_episode_num", "exploration_rate")
_SEEN: Final = ("_last_obs", "_last_episode_starts", "_last_original_obs")
_ROWS: Final = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One named part of the state: `take` gives it (None: this learner has none), `put` sets it."""

    name: str
    take: Callable[[Any], Any]
    put: Callable[[Any, Any], None]


def capture(model: Any) -> State:
    """Everything that the next rollout depends on, as copies. Only between two rollouts: there no transition is half done."""
    return {"format": FORMAT, **{part.name: part.take(model) for part in PARTS}}


def restore(model: Any, state: State) -> None:
    """Put a captured state into a learner that was just made from the same settings; it goes on as if it had never stopped."""
    if state.get("format") != FORMAT:
        raise Invalid("state.format", f"is {state.get('format')!r}, and this version reads {FORMAT}", "train anew with this version")
    missing = [part.name for part in PARTS if part.name not in state]
    if missing:
        raise Invalid("state", f"lacks {', '.join(missing)}", "give what capture() gave")
    for part in PARTS:
        if state[part.name] is not None:
            part.put(model, state[part.name])


class Randomness:
    """A learner's own random numbers: within, the process's are the learner's; without, whoever draws from them changes nothing here.

    torch works on one thread within: a second one changes the last bits of PPO, and is slower on busy processors.
    """

    def __init__(self) -> None:
        self._own: Any = None
        self._outside: Any = None
        self._threads = 0

    def __enter__(self) -> None:
        self._outside, self._threads = _take_random(None), torch.get_num_threads()
        torch.set_num_threads(1)
        if self._own is not None:
            _put_random(None, self._own)

    def __exit__(self, *problem: object) -> None:
        self._own = _take_random(None)
        _put_random(None, self._outside)
        torch.set_num_threads(self._threads)


# -- the parts


def _names_of_modules(model: Any) -> list[str]:
    """Of every network and optimizer, as the algorithm itself names them to be saved."""
    return list(model._get_torch_save_params()[0])  # noqa: SLF001 - every algorithm of the family answers this, and nothing public does


def _take_modules(model: Any) -> Any:
    return {name: _copied(attrgetter(name)(model).state_dict()) for name in _names_of_modules(model)}


def _put_modules(model: Any, held: Any) -> None:
    for name in _names_of_modules(model):
        # A deep copy, because an optimizer takes the tensors that it is given as its own.
        attrgetter(name)(model).load_state_dict(deepcopy(held[name]))


def _take_counters(model: Any) -> Any:
    return {name: getattr(model, name) for name in _COUNTERS if hasattr(model, name)}


def _put_counters(model: Any, held: Any) -> None:
    for name, value in held.items():
        setattr(model, name, value)


def _take_seen(model: Any) -> Any:
    return {name: _copied(getattr(model, name)) for name in _SEEN}


def _put_seen(model: Any, held: Any) -> None:
    for name, value in held.items():
        setattr(model, name, _writable(value))


def _replay(model: Any) -> "ReplayBuffer | None":
    return getattr(model, "replay_buffer", None)


def _take_replay(model: Any) -> Any:
    """Only the rows that were filled: the others are zeros in a new buffer too."""
    buffer = _replay(model)
    if buffer is None:
        return None
    filled = buffer.buffer_size if buffer.full else buffer.pos
    return {name: getattr(buffer, name)[:filled].copy() for name in _ROWS if hasattr(buffer, name)}


def _put_replay(model: Any, held: Any) -> None:
    buffer = _replay(model)
    for name, rows in held.items():
        getattr(buffer, name)[: len(rows)] = rows


def _take_place(model: Any) -> Any:
    """Where the replay buffer is written next, and whether it has come round."""
    buffer = _replay(model)
    return None if buffer is None else {"pos": buffer.pos, "full": buffer.full}


def _put_place(model: Any, held: Any) -> None:
    buffer = _replay(model)
    if buffer is not None:
        buffer.pos, buffer.full = held["pos"], held["full"]


def _take_random(model: Any) -> Any:
    """The random numbers of the process, from which the learners draw."""
    del model
    name, keys, place, has_gauss, gauss = np.random.get_state()  # noqa: NPY002 - the one that Stable-Baselines3 draws from
    return {"numpy": [name, np.asarray(keys), place, has_gauss, gauss], "torch": torch.get_rng_state()}


def _put_random(model: Any, held: Any) -> None:
    del model
    np.random.set_state(tuple(held["numpy"]))  # noqa: NPY002 - see above
    torch.set_rng_state(held["torch"].clone())


def _take_actions(model: Any) -> Any:
    return model.action_space.np_random.bit_generator.state


def _put_actions(model: Any, held: Any) -> None:
    model.action_space.np_random.bit_generator.state = held


def _take_world(model: Any) -> Any:
    return model.get_env().unwrapped.snapshot()


def _put_world(model: Any, held: Any) -> None:
    model.get_env().unwrapped.restore(held)


def _take_normal(model: Any) -> Any:
    """VecNormalize's running statistics, and the discounted returns that the next ones are made of."""
    env: VecNormalize | None = model.get_vec_normalize_env()
    if env is None:
        return None
    means = {"ret_rms": _moments(env.ret_rms)} | ({"obs_rms": _moments(env.obs_rms)} if env.norm_obs else {})
    return {**means, "returns": env.returns.copy()}


def _put_normal(model: Any, held: Any) -> None:
    env: VecNormalize = model.get_vec_normalize_env()
    for name in held.keys() - {"returns"}:
        _put_moments(getattr(env, name), held[name])
    env.returns = _writable(held["returns"])


def _moments(running: "RunningMeanStd") -> Any:
    return {"mean": np.array(running.mean), "var": np.array(running.var), "count": float(running.count)}


def _put_moments(running: "RunningMeanStd", held: Any) -> None:
    running.mean, running.var, running.count = _writable(held["mean"]), _writable(held["var"]), held["count"]


def _copied(value: Any) -> Any:
    """A copy that shares nothing, and is no part of a graph of gradients."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {name: _copied(held) for name, held in value.items()}
    return deepcopy(value)


def _writable(value: Any) -> Any:
    """What comes from a store may be a read-only map."""
    return np.array(value) if isinstance(value, np.ndarray) else value


PARTS: Final = (
    Part("modules", _take_modules, _put_modules),
    Part("counters", _take_counters, _put_counters),
    Part("seen", _take_seen, _put_seen),
    Part("replay", _take_replay, _put_replay),
    Part("place", _take_place, _put_place),
    Part("random", _take_random, _put_random),
    Part("actions", _take_actions, _put_actions),
    Part("world", _take_world, _put_world),
    Part("normal", _take_normal, _put_normal),
)
