"""A policy travels as plain arrays; a file that would run code is refused, and the code does not run."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from arz import Invalid
from rl import pipeline
from rl.evaluate import chooser
from rl.models import export_zip, load_policy, save
from rl.task import Task
from rl.train import Policy
from rl.vec_env import VecEnv
from tests.rl.small import small
from tests.rl.small import training as how
from tests.rl.trains import learner


class Bomb:
    """What a crafted file holds: unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def test_a_policy_comes_back_to_the_bit(tmp_path: Path) -> None:
    """Weights, the statistics of observations, and the experiment."""
    run = learner("ppo", 4, normalise=True)
    run.advance(128)
    policy = run.policy()
    save(str(tmp_path / "policy.npz"), small(), policy)

    experiment, again = load_policy(str(tmp_path / "policy.npz"))

    assert experiment == small()
    assert again.weights.keys() == policy.weights.keys()
    assert all(torch.equal(again.weights[name], policy.weights[name]) for name in policy.weights)
    assert np.array_equal(again.mean, policy.mean)
    assert again.clip == policy.clip


def _object_array(place: Path, mark: Path) -> None:
    header = np.frombuffer(json.dumps({"format": 1, "clip": 0.0, "experiment": {}}).encode(), np.uint8)
    with place.open("wb") as file:
        np.savez(file, header=header, weight=np.array([Bomb(mark)], dtype=object))


def _sb3_zip(place: Path, mark: Path) -> None:
    import base64
    import pickle

    with zipfile.ZipFile(place, "w") as whole:
        data = {"policy_class": {":type:": "x", ":serialized:": base64.b64encode(pickle.dumps(Bomb(mark))).decode()}}
        whole.writestr("data", json.dumps(data))


def _torch_file(place: Path, mark: Path) -> None:
    torch.save({"a": Bomb(mark)}, place)


def _pickle(place: Path, mark: Path) -> None:
    import pickle

    place.write_bytes(pickle.dumps(Bomb(mark)))


@pytest.mark.parametrize("craft", [_object_array, _sb3_zip, _torch_file, _pickle])
def test_a_file_that_would_run_code_is_refused(tmp_path: Path, craft: Any) -> None:
    """In whatever form: the error names the file, and nothing was run."""
    place, mark = tmp_path / "policy.npz", tmp_path / "ran"
    craft(place, mark)

    with pytest.raises(Invalid, match=r"policy\.npz"):
        load_policy(str(place))
    assert not mark.exists()


def test_what_is_stored_of_a_training_is_no_pickle(tmp_path: Path) -> None:
    """No blob of a training holds one: all states and windows are arrays and JSON."""
    from simcache import Cache, cached
    from tests.rl.trains import training

    run = cached(every=1, cache=Cache(str(tmp_path)))(training.compute)("dqn", 4, True)
    run.take(2)

    codecs = {entry.value["codec"] for entry in run.segments if entry.value} | {
        entry.state["codec"] for entry in run.segments if entry.state
    }
    assert codecs <= {"tree", "json", "array"}


def test_a_damaged_policy_is_refused(tmp_path: Path) -> None:
    """A file that lacks its header, or holds something else, is no policy."""
    place = tmp_path / "policy.npz"
    np.savez(place, a=np.zeros(3))
    with pytest.raises(Invalid):
        load_policy(str(place))
    save(str(place), small(), Policy({"a": torch.zeros(2)}))
    place.write_bytes(place.read_bytes()[:50])
    with pytest.raises(Invalid):
        load_policy(str(place))


@pytest.mark.parametrize("clip", [{}, {"clip": None}, {"clip": "wide"}])
def test_a_policy_whose_header_is_wrong_is_refused(tmp_path: Path, clip: dict[str, Any]) -> None:
    """What the header lacks is told, not met later."""
    place = tmp_path / "policy.npz"
    header = {"format": 1, "experiment": json.loads(small().model_dump_json()), **clip}
    np.savez(place, header=np.frombuffer(json.dumps(header).encode(), np.uint8))

    with pytest.raises(Invalid, match="is no policy that may be loaded"):
        load_policy(str(place))


def test_a_policy_with_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    """A zip checks its parts; what does not fit is told in one line."""
    place = tmp_path / "policy.npz"
    save(str(place), small(), Policy({"a": torch.ones(64)}, None, None, 10.0))
    data = bytearray(place.read_bytes())
    data[data.index(torch.ones(64).numpy().tobytes()) + 5] ^= 1
    place.write_bytes(data)

    with pytest.raises(Invalid, match="is no policy that may be loaded"):
        load_policy(str(place))


ALGORITHMS = {
    "PPO": how()["algorithm"],
    "DQN": {"kind": "dqn", "net": [8], "learning_starts": 10, "batch": 8, "target_every": 20},
}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_plain_stable_baselines_goes_on_from_an_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Its own load, statistics and replay, without a line of ours but the environment: the same actions, the same counters, and it learns on."""
    import stable_baselines3
    from stable_baselines3.common.logger import Logger
    from stable_baselines3.common.vec_env import VecNormalize

    monkeypatch.setenv("SIMCACHE_STORE", str(tmp_path / "store"))
    experiment = small(training=how(algorithm=ALGORITHMS[name], normalise={}))
    windows = pipeline.train(experiment, 1).windows
    written = export_zip(experiment, 1, pipeline.series(experiment, 1), 0, str(tmp_path / "model.zip"))

    env = VecNormalize.load(str(tmp_path / "model.vecnormalize.pkl"), VecEnv(Task(experiment.task, experiment.training.worlds)))
    model = getattr(stable_baselines3, name).load(tmp_path / "model.zip", env=env, device="cpu")
    if name == "DQN":
        model.load_replay_buffer(tmp_path / "model.replay.pkl")
        assert model.replay_buffer.size() == 10  # of two worlds each

    assert [Path(each).name for each in written] == [
        "model.zip",
        "model.vecnormalize.pkl",
        *(["model.replay.pkl"] if name == "DQN" else []),
    ]
    assert model.num_timesteps == windows[0].steps == 20
    assert model.policy.optimizer.state_dict()["state"]
    seen = np.random.default_rng(0).normal(0.0, 30.0, (500, *env.observation_space.shape)).astype(np.float32)
    task = Task(experiment.task, 1)
    ours, theirs = (
        chooser(task, experiment.training.algorithm, windows[0].policy)(seen, np.ones((500, 2), bool)),
        model.predict(env.normalize_obs(seen), deterministic=True)[0],
    )
    assert np.array_equal(ours, theirs)
    assert np.ptp(ours) == 1
    model.set_logger(Logger(None, []))  # its own would leave a folder behind
    model.learn(40, reset_num_timesteps=False)
    assert model.num_timesteps == 60


def test_a_policy_of_another_layout_is_refused() -> None:
    """Of more features, another network, another algorithm, or with statistics of other observations: in one line, not torch's."""
    experiment = small()
    task, algorithm = Task(experiment.task, 1), experiment.training.algorithm
    features = len(task.features)
    net = chooser_net(experiment)
    for policy, says in (
        (Policy({**net, "mlp_extractor.policy_net.0.weight": torch.zeros(8, features + 1)}), "another layout"),
        (Policy({name: tensor for name, tensor in net.items() if "value" not in name}), "another kind"),
        (Policy(net, np.zeros(features - 1), np.ones(features), 10.0), "its mean is"),
    ):
        with pytest.raises(Invalid, match=says) as refused:
            chooser(task, algorithm, policy)
        assert "\n" not in str(refused.value)
    chooser(task, algorithm, Policy(net, np.zeros(features), np.ones(features), 10.0))


def chooser_net(experiment: Any) -> dict[str, Any]:
    """The weights of an untrained policy of this experiment."""
    from rl.spaces import action_space, observation_space

    task = Task(experiment.task, 1)
    weights: dict[str, Any] = experiment.training.algorithm.policy(observation_space(task), action_space(task)).state_dict()
    return weights
