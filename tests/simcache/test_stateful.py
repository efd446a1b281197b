"""A state machine plays every kind of store against a dict: whatever is done, in whatever order, they agree."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from simcache.errors import Corrupt, Missing
from simcache.model import Blob, blob_of, check_name
from simcache.stores.base import Listed, Store
from simcache.stores.layered import Layered
from simcache.stores.local import LocalStore
from simcache.stores.memory import MemoryStore
from tests.simcache.contract import BACKDOORS, an_entry_of

_PAYLOADS = (b"", b"a", b"bb" * 500, bytes(range(256)) * 257, b"z" * 70_000)
_BLOBS = {blob_of([payload]).name: payload for payload in _PAYLOADS}
_ENTRIES = {
    entry.name: entry.to_bytes() for entry in (an_entry_of("f", key * 16, number)[1] for key in ("ab", "cd") for number in range(2))
}
_CONTENTS = _BLOBS | _ENTRIES
_CHECKS: dict[str, Blob] = {blob_of([payload]).name: blob_of([payload]) for payload in _PAYLOADS}

names = st.sampled_from(sorted(_CONTENTS))


class StoreMachine(RuleBasedStateMachine):
    """A store beside `model`, the bytes that must stand under each name, damaged ones among them."""

    kind = ""
    """A scheme of the registry."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stateful-"))
        self.backdoor = BACKDOORS[self.kind](self.folder)
        self.environment = pytest.MonkeyPatch()
        for name, value in self.backdoor.environment.items():
            self.environment.setenv(name, value)
        self.store: Store = self.backdoor.open()
        self.model: dict[str, bytes] = {}

    def teardown(self) -> None:
        if hasattr(self, "environment"):
            self.environment.undo()
        shutil.rmtree(self.folder, ignore_errors=True)

    @rule(name=names, cut=st.integers(0, 3), durable=st.booleans())
    def put(self, name: str, cut: int, durable: bool) -> None:
        data = _CONTENTS[name]
        self.store.put(name, [data[:cut], data[cut:]], durable=durable)
        self.model[name] = data

    @rule(name=names)
    def get(self, name: str) -> None:
        if name in self.model:
            assert self.model[name] == bytes(self.store.get(name))
        else:
            with pytest.raises(Missing):
                self.store.get(name)

    @rule(name=names)
    def has(self, name: str) -> None:
        assert (name in self.model) == self.store.has(name)

    @rule(name=names)
    def delete(self, name: str) -> None:
        self.store.delete(name)
        self.model.pop(name, None)

    @rule(name=names)
    def set_aside(self, name: str) -> None:
        assert (name in self.model) == (self.store.set_aside(name) is not None)
        self.model.pop(name, None)

    @rule(name=names, end=st.integers(0, 120))
    def list_some(self, name: str, end: int) -> None:
        prefix = name[:end]
        expected = sorted(Listed(kept, len(data)) for kept, data in self.model.items() if kept.startswith(prefix))
        assert expected == sorted(self.store.list(prefix))

    @rule()
    def reopen(self) -> None:
        self.store = self.backdoor.open()

    @rule()
    def sweep(self) -> None:
        assert 0 == self.store.sweep()

    @precondition(lambda self: self.model)
    @rule(data=st.data(), kind=st.sampled_from(["flip", "cut", "empty", "longer", "other"]))
    def damage(self, data: st.DataObject, kind: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.model)))
        content = self.model[name]
        if kind == "flip" and content:
            at = data.draw(st.integers(0, len(content) - 1))
            content = content[:at] + bytes([content[at] ^ data.draw(st.integers(1, 255))]) + content[at + 1 :]
        elif kind == "cut" and content:
            content = content[: data.draw(st.integers(0, len(content) - 1))]
        elif kind == "empty":
            content = b""
        elif kind == "longer":
            content += b"\0"
        else:
            content = _CONTENTS[data.draw(names)]
        self.backdoor.write(name, content)
        self.model[name] = content

    @rule(name=names)
    def check(self, name: str) -> None:
        """What is damaged never passes for sound, and what is sound never for damaged."""
        if name not in self.model:
            return
        sound = self.model[name] == _CONTENTS[name]
        got = self.store.get(name)
        assert sound == _passes(check_name, name, got)
        if name in _CHECKS:
            assert sound == _passes(_CHECKS[name].check, got)

    @rule(name=names)
    def mend(self, name: str) -> None:
        self.store.set_aside(name)
        self.store.put(name, [_CONTENTS[name]])
        self.model[name] = _CONTENTS[name]

    @invariant()
    def nothing_more_and_nothing_less(self) -> None:
        if hasattr(self, "model"):
            assert set(self.model) == self.backdoor.names()
            assert 0 == self.backdoor.leftovers()


class FolderMachine(StoreMachine):
    """The same in a folder, with what only a folder suffers."""

    @rule(name=names)
    def a_folder_in_its_place(self, name: str) -> None:
        path = self.folder / "store" / name
        if path.is_file():
            path.unlink()
        path.mkdir(parents=True)
        self.model.pop(name, None)

        assert not self.store.has(name)
        with pytest.raises(Corrupt):
            self.store.get(name)
        assert self.store.set_aside(name)

    @precondition(lambda self: self.model)
    @rule(durable=st.booleans(), name=names)
    def removed_and_begun_anew(self, durable: bool, name: str) -> None:
        shutil.rmtree(self.folder / "store")
        self.model.clear()
        self.put(name, 1, durable)

    @precondition(lambda self: self.model)
    @rule()
    def a_dead_writer(self) -> None:
        (self.folder / "store" / ".local" / "tmp").mkdir(parents=True, exist_ok=True)
        (self.folder / "store" / ".local" / "tmp" / "1-dead-1").write_bytes(b"half")
        assert 1 == self.backdoor.open().sweep()


class LayeredMachine(StoreMachine):
    """A near folder with a far store behind it, which holds sound and wrong bytes of its own."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stateful-"))
        self.backdoor = BACKDOORS[""](self.folder)
        self.far: Store = MemoryStore()
        self.reopen()
        self.model: dict[str, bytes] = {}

    @rule()
    def reopen(self) -> None:
        self.store = Layered(LocalStore(self.folder / "store"), self.far)

    @rule(name=names, sound=st.booleans())
    def put_far(self, name: str, sound: bool) -> None:
        self.far.put(name, [_CONTENTS[name] if sound else b"wrong"])

    @rule(name=names)
    def get(self, name: str) -> None:
        if name in self.model or not self.far.has(name):
            super().get(name)
        elif bytes(self.far.get(name)) == _CONTENTS[name]:
            assert _CONTENTS[name] == bytes(self.store.get(name))
            self.model[name] = _CONTENTS[name]
        else:
            with pytest.raises(Corrupt):
                self.store.get(name)

    @rule(name=names)
    def has(self, name: str) -> None:
        assert (name in self.model or self.far.has(name)) == self.store.has(name)

    @rule(name=names, end=st.integers(0, 120))
    def list_some(self, name: str, end: int) -> None:
        prefix = name[:end]
        near = {kept for kept in self.model if kept.startswith(prefix)}
        assert sorted(near | {kept for kept, _ in self.far.list(prefix)}) == sorted(kept for kept, _ in self.store.list(prefix))


class MemoryMachine(StoreMachine):
    """The same in memory."""

    kind = "memory"


class S3Machine(StoreMachine):
    """The same in a bucket."""

    kind = "s3"


class SftpMachine(StoreMachine):
    """The same on an SSH server."""

    kind = "sftp"


class FsspecMachine(StoreMachine):
    """The same through fsspec's own face."""

    kind = "fsspec+memory"


_few = settings(max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
_fewer = settings(_few, max_examples=2)  # each step is a request or two
_many = settings(max_examples=100, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck))

TestFolder = FolderMachine.TestCase
TestFolder.settings = _few
TestLayered = LayeredMachine.TestCase
TestLayered.settings = _few
TestMemory = MemoryMachine.TestCase
TestMemory.settings = _few
TestS3 = S3Machine.TestCase
TestS3.settings = _fewer
TestSftp = SftpMachine.TestCase
TestSftp.settings = _fewer
TestFsspec = FsspecMachine.TestCase
TestFsspec.settings = _few


@pytest.mark.deep
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("machine", [FolderMachine, LayeredMachine, MemoryMachine, S3Machine, SftpMachine, FsspecMachine])
def test_long_games(machine: type[StoreMachine]) -> None:
    """The same, longer and many times over."""
    run_state_machine_as_test(machine, settings=_many)


def _passes(check: Callable[..., None], *given: object) -> bool:
    try:
        check(*given)
    except Corrupt:
        return False
    return True
