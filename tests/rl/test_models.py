"""A policy travels as plain arrays; a file that would run code is refused, and the code does not run."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from arz import Invalid
from rl.models import load_policy, save
from rl.train import Policy
from tests.rl.small import small
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
