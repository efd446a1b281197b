"""Network weights: tensors without pickle, exact, and on the CPU."""

import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from simcache.codecs import registry
from simcache.errors import Undecodable, Unstorable

torch: Any = pytest.importorskip("torch", exc_type=ImportError)
ROOT = Path(__file__).resolve().parents[2]


def there_and_back(value: object, *, writable: bool = True) -> Any:
    encoded = registry.encode(value)
    data = b"".join(bytes(chunk) for chunk in encoded.chunks)
    return registry.decode(encoded.describe, memoryview(bytearray(data) if writable else data))


def same(one: Any, other: Any) -> bool:
    if type(one) is not type(other) or one.dtype != other.dtype or one.shape != other.shape or one.requires_grad != other.requires_grad:
        return False
    flat = [t.detach().resolve_conj().contiguous().reshape(-1).view(torch.uint8) if t.numel() else t.reshape(-1) for t in (one, other)]
    return bool(torch.equal(*flat))


TENSORS = {
    **{
        name: torch.arange(6).reshape(2, 3).to(getattr(torch, name))
        for name in "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128".split()
    },
    "0-d": torch.tensor(2.5, dtype=torch.bfloat16),
    "empty": torch.zeros(0, 3),
    "strided": torch.arange(24.0).reshape(4, 6)[::2, ::3],
    "turned": torch.arange(6.0).reshape(2, 3).T,
    "nan": torch.tensor([float("nan"), -0.0]),
    "conjugate": torch.tensor([1 + 2j]).conj(),
    "requires grad": torch.ones(3, requires_grad=True),
    "parameter": torch.nn.Parameter(torch.ones(3)),
    "frozen parameter": torch.nn.Parameter(torch.ones(3, dtype=torch.int32), requires_grad=False),
}


@pytest.mark.parametrize("name", TENSORS)
@pytest.mark.parametrize("writable", [True, False])
def test_comes_back(name: str, writable: bool) -> None:
    """dtype, shape, bits, whether it requires gradients, and whether it is a parameter."""
    tensor = TENSORS[name]

    assert same(tensor, there_and_back(tensor, writable=writable))
    assert same(tensor, there_and_back({"a": [tensor]}, writable=writable)["a"][0])


def test_state_dict() -> None:
    """The state of a network, and one like that of an optimizer, come back."""
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
    moments = {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(4, 3)}}

    back = there_and_back({"network": network.state_dict(), "optimizer": {"state": moments, "param_groups": [{"betas": (0.9, 0.999)}]}})

    assert type(back["network"]) is OrderedDict
    assert vars(network.state_dict()) == vars(back["network"])
    assert all(same(tensor, back["network"][name]) for name, tensor in network.state_dict().items())
    network.load_state_dict(back["network"])
    assert same(moments[0]["step"], back["optimizer"]["state"][0]["step"])
    assert [{"betas": (0.9, 0.999)}] == back["optimizer"]["param_groups"]


def test_a_read_only_map_is_copied() -> None:
    """A tensor can be written without a warning, so it never lies in memory that cannot: that would end the process."""
    tensor = there_and_back(torch.zeros(100), writable=False)

    tensor += 1

    assert 100.0 == float(tensor.sum())


def _with(tensor: Any, **attributes: object) -> Any:
    vars(tensor).update(attributes)
    return tensor


def _hooked(tensor: Any) -> Any:
    tensor.register_hook(lambda gradient: 2 * gradient)
    return tensor


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: torch.ones(2, requires_grad=True) * 2, "graph of gradients.*detach"),
        (lambda: torch.eye(2).to_sparse(), "no plain memory"),
        (lambda: torch.ones(2, device="meta"), "no plain memory"),
        (lambda: torch.nn.Linear(1, 1), "back exactly"),
        (lambda: torch.float32, "back exactly"),
        (lambda: _with(torch.ones(2), decays=False), "carries the attribute 'decays'.*detach"),
        (lambda: _with(torch.nn.Parameter(torch.ones(2)), decays=False), "carries the attribute 'decays'.*detach"),
        (lambda: torch.nn.Buffer(torch.ones(2)), "carries the attribute '(persistent|_is_buffer)'.*detach"),
        (lambda: _hooked(torch.ones(2, requires_grad=True)), "carries a hook.*detach"),
    ],
)
def test_refused(make: Any, message: str) -> None:
    """What has no plain memory, or is more than a tensor, is refused by its path."""
    with pytest.raises(Unstorable, match=rf"value\['a'\] .*{message}"):
        registry.encode({"a": make()})


@pytest.mark.parametrize(
    "payload",
    [
        '[0,"float32",[-1],false,false]',
        '[0,"float32",[1],0,false]',
        '[0,"int8",[1],true,false]',
        "[0]",
        '"x"',
    ],
)
def test_hostile(payload: str) -> None:
    """A description that no tensor has is Undecodable."""
    text = f'{{"$tensor":{payload}}}'.encode()

    with pytest.raises(Undecodable):
        registry.decode({"codec": "tree", "json": [0, len(text)]}, memoryview(bytearray(text)))


def test_torch_is_loaded_only_for_tensors() -> None:
    """Trees without tensors do not load torch."""
    program = """
import sys
import numpy as np
from simcache.codecs import registry
encoded = registry.encode({"a": np.arange(3)})
registry.decode(encoded.describe, memoryview(b"".join(bytes(c) for c in encoded.chunks)))
print("torch" in sys.modules)
"""
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "False" == answer.strip()
