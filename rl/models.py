"""Policies as files: plain arrays and the experiment as JSON; whatever could run code on loading is refused."""

import json
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from arz import Invalid
from rl.experiment import Experiment, load
from rl.task import Task
from rl.train import Learner, Policy, Window
from rl.vec_env import VecEnv
from simcache.series import Series

FORMAT: Final = 1
_WEIGHT: Final = "weight."
_HEADER: Final = "header"


def save(path: str, experiment: Experiment, policy: Policy) -> None:
    """Write a policy with the experiment it comes from: an npz of plain arrays."""
    arrays: dict[str, Any] = {_WEIGHT + name: tensor.numpy() for name, tensor in policy.weights.items()}
    if policy.mean is not None:
        arrays |= {"mean": policy.mean, "spread": policy.spread}
    header = {"format": FORMAT, "clip": policy.clip, "experiment": experiment.model_dump(mode="json")}
    arrays[_HEADER] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with Path(path).open("wb") as file:
        np.savez(file, **arrays)


def load_policy(path: str) -> tuple[Experiment, Policy]:
    """Read a policy that `save` wrote. A file that holds anything but plain arrays is refused unread: it could run code."""
    try:
        with zipfile.ZipFile(path) as whole:
            names = whole.namelist()
    except (OSError, zipfile.BadZipFile) as problem:
        raise Invalid(path, f"is no policy ({problem})", "give a file that `rl export --to NAME.npz` wrote") from None
    if any(not name.endswith(".npy") for name in names):
        raise Invalid(path, "holds more than plain arrays, which could run code", "ask for the .npz that `rl export` writes")
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: np.array(held[name]) for name in held.files}
        header = json.loads(arrays.pop(_HEADER).tobytes())
        if header["format"] != FORMAT:
            raise Invalid(path, f"is of format {header['format']}, and this version reads {FORMAT}", "export it anew")
        weights = {name.removeprefix(_WEIGHT): torch.from_numpy(array) for name, array in arrays.items() if name.startswith(_WEIGHT)}
        experiment = load(json.dumps(header["experiment"]), path)
        clip = float(header["clip"])
    except (ValueError, KeyError, TypeError, EOFError, RecursionError, zipfile.BadZipFile) as problem:
        if isinstance(problem, Invalid):
            raise
        raise Invalid(path, f"is no policy that may be loaded ({problem})", "ask for the .npz that `rl export` writes") from None
    return experiment, Policy(weights, arrays.get("mean"), arrays.get("spread"), clip)


def export_zip(experiment: Experiment, seed: int, run: Series[Window], number: int, path: str) -> list[str]:
    """Write the checkpoint after a window of a training, counted from 0, as Stable-Baselines3 keeps models; gives all paths.

    With network, optimizer, counters and settings; beside it, where there are any, the statistics of VecNormalize and the replay buffer.
    """
    state = run.state(number + 1)
    if state is None:
        raise Invalid(path, f"would hold checkpoint {number + 1}, of which no state is stored", "train anew, or export an .npz")
    task, how = Task(experiment.task, experiment.training.worlds), experiment.training
    learner = Learner(VecEnv(task), how.algorithm, seed, how.horizon_steps, how.normalise, agents=task.agent_count)
    learner.restore(state)
    return learner.export(path)
