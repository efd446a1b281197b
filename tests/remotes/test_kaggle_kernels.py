"""Both ways between a laptop and Kaggle, in processes and homes of their own; and kernels that are run from here."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from simcache import kernels
from simcache.cache import Cache
from simcache.errors import BadSettings, Missing, StoreReadOnly, Unavailable
from simcache.kernels import RunReport, followed, prepared, pushed
from simcache.mounts import mounted_stores
from simcache.settings import load
from simcache.stores.kaggle_api import Kaggle, Patience
from simcache.stores.registry import open_store
from tests.remotes.kaggle_server import KaggleServer, Kernel
from tests.simcache.contract import a_blob, an_entry

HASTY = Patience(tries=4, pause=0.01, longest=0.2, wait=20.0)
ROOT = Path(__file__).parents[2]

MODEL = """
import numpy as np
from simcache import cached

@cached
def baseline(seed: int) -> np.ndarray:
    print("computing baseline", flush=True)
    return np.arange(10_000.0) + seed

@cached
def trained(rate: float, seed: int) -> float:
    print("training", flush=True)
    return float(baseline(seed).sum() * rate)
"""

SCRIPT = """
import sys, time
from model import baseline, trained

began = time.perf_counter()
print("sum", baseline(3).sum(), flush=True)
seconds = time.perf_counter() - began
print("seconds", seconds)
for rate in sys.argv[1:]:
    print("trained", rate, trained(float(rate), 3), flush=True)
"""


@pytest.fixture
def project(tmp_path: Path, kaggle: KaggleServer) -> Path:
    """A project of a model and a script, with Kaggle as its remote."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "model.py").write_text(MODEL)
    (folder / "train.py").write_text(SCRIPT)
    (folder / "simcache.toml").write_text('store = "store"\n[remotes]\nkaggle = "kaggle://me/results?writer=laptop&pause=0.01"\n')
    return folder


def ran(project: Path, *command: str, home: Path | None = None, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """A process on the laptop."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **({"XDG_CACHE_HOME": str(home)} if home else {})}
    done = subprocess.run([sys.executable, *command], cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


class TestBothWays:
    """The plan: computed on one side, hit on the other."""

    def test_the_laptop_computes_and_kaggle_hits(self, kaggle: KaggleServer, project: Path) -> None:
        """Computed and published here, a kernel hits in less than a second and calls nothing; another rate misses that alone."""
        assert "computing baseline" in ran(project, "train.py", "0.1").stdout
        ran(project, "-m", "simcache", "sync", "--to", "kaggle")
        said = ran(project, "-m", "simcache", "kaggle", "run", "train.py", "0.1", "0.2")
        log = kaggle.kernels["me/simcache-train"].log

        assert "computing baseline" not in log
        assert log.count("training") == 1
        assert float(re.findall(r"seconds (\S+)", log)[0]) < 1
        assert "what ran is what was asked" in said.stdout

    def test_kaggle_computes_and_the_laptop_hits(self, kaggle: KaggleServer, project: Path) -> None:
        """Computed in a kernel, the results come home and are hit here without a call; nothing else comes along."""
        said = ran(project, "-m", "simcache", "kaggle", "run", "train.py", "--", "0.1")
        assert "received 2 entries" in said.stdout
        output = kaggle.kernels["me/simcache-train"].output
        here = ran(project, "train.py", "0.1").stdout

        assert len(output) <= 4
        assert "computing" not in here
        assert "training" not in here

    def test_results_travel_on_to_other_machines(self, kaggle: KaggleServer, project: Path, tmp_path: Path) -> None:
        """What came home from a kernel is published by the laptop, and a third machine hits through the far store."""
        ran(project, "-m", "simcache", "kaggle", "run", "train.py", "0.1")
        ran(project, "-m", "simcache", "sync", "--to", "kaggle")
        (project / "simcache.toml").write_text('store = "other"\nfar = ["kaggle://me/results?writer=phone&pause=0.01"]\n')
        said = ran(project, "train.py", "0.1", home=tmp_path / "phone").stdout

        assert "computing" not in said
        assert "training" not in said

    def test_a_kernels_output_is_a_store(self, kaggle: KaggleServer, project: Path) -> None:
        """`sync --from kaggle-kernel://…` takes the results of any kernel, again without a second time."""
        ran(project, "-m", "simcache", "kaggle", "run", "train.py", "--no-wait")
        kaggle.kernels["me/simcache-train"].done.wait(60)
        first = json.loads(ran(project, "-m", "simcache", "sync", "--from", "kaggle-kernel://me/simcache-train", "--json").stdout)
        second = json.loads(ran(project, "-m", "simcache", "sync", "--from", "kaggle", "--kernel", "me/simcache-train", "--json").stdout)

        assert first["received"]["entries"] == 1
        assert (second["far"], second["received"]["entries"]) == ("kaggle-kernel://me/simcache-train", 0)
        with pytest.raises(StoreReadOnly):
            open_store("kaggle-kernel://me/simcache-train").put(*_put())

    def test_who_has_nothing_of_the_dataset_gets_what_the_kernel_computed(
        self, kaggle: KaggleServer, project: Path, tmp_path: Path
    ) -> None:
        """Somebody's fresh clone runs a kernel on what others have published: its new results come whole, though they share bytes with those."""
        ran(project, "train.py", "0.1")
        ran(project, "-m", "simcache", "sync", "--to", "kaggle")
        shutil.rmtree(project / "store")
        fresh = tmp_path / "fresh"
        told = json.loads(
            ran(project, "-m", "simcache", "kaggle", "run", "train.py", "--json", "--", "0.2", home=fresh, check=False).stdout
        )

        assert (True, []) == (told["well"], told["received"]["refused"])
        assert 1 == told["received"]["received"]["entries"]

    def test_what_is_damaged_where_it_is_mounted_comes_home(self, kaggle: KaggleServer, project: Path) -> None:
        """The kernel computes again what the attached dataset holds damaged; that it has the name of something attached loses nothing."""
        ran(project, "train.py")
        ran(project, "-m", "simcache", "sync", "--to", "kaggle")
        files = kaggle.datasets["me/results"][0].files
        for name in files:
            if name.startswith("packs/"):
                files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
        shutil.rmtree(project / "store")
        told = json.loads(ran(project, "-m", "simcache", "kaggle", "run", "train.py", "--json").stdout)

        assert "computing baseline" in kaggle.kernels["me/simcache-train"].log
        assert (True, []) == (told["well"], told["received"]["refused"])
        assert "computing" not in ran(project, "train.py").stdout


@pytest.mark.parametrize("layout", ["{slug}", "{owner}/{slug}", "datasets/{owner}/{slug}"])
def test_every_mount_layout_is_found(kaggle: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str) -> None:
    """Wherever Kaggle mounts a dataset below the input folder, its results are read without any setting, and none is written there."""
    name, data = a_blob(b"mounted")
    for writer in ("a", "b"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / writer))
        store = open_store(f"kaggle://me/results?writer={writer}&pause=0.01")
        store.put(name if writer == "a" else an_entry("f", 1)[0], [data if writer == "a" else an_entry("f", 1)[1]])
        store.publish()
    mounts = kaggle.mount(tmp_path / "input", "me/results", "me/results-delta-b", layout=layout)
    (tmp_path / "input" / "pictures").mkdir()
    (tmp_path / "input" / "pictures" / "1.png").write_bytes(b"x")
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    monkeypatch.setenv("KAGGLE_CACHE_MOUNT_FOLDER", str(mounts))
    (tmp_path / "working").mkdir()
    monkeypatch.chdir(tmp_path / "working")
    before = sorted(path for path in mounts.rglob("*"))
    settings = load()
    cache = Cache(settings.store, far=settings.far)

    assert settings.store == str(tmp_path / "working" / "store")
    assert len(settings.far) == 2
    assert bytes(cache.store.get(name)) == data
    assert {listed.name for listed in cache.store.list()} == {name, an_entry("f", 1)[0]}
    assert not any(layer.capabilities.trusted or layer.capabilities.writes for layer in cache.store.layers()[1:])
    assert before == sorted(path for path in mounts.rglob("*"))


def test_a_plain_store_that_is_mounted_is_found_too(tmp_path: Path) -> None:
    """A store folder that somebody uploaded as it is counts as well; what is below a store is not looked through."""
    near = open_store(tmp_path / "input" / "x" / "store")
    name, data = a_blob(b"plain")
    near.put(name, [data])
    (url,) = mounted_stores(str(tmp_path / "input"))
    store = open_store(url)

    assert bytes(store.get(name)) == data
    assert store.set_aside(name) is None
    with pytest.raises(StoreReadOnly):
        store.put(name, [data])
    with pytest.raises(StoreReadOnly):
        store.delete(name)
    with pytest.raises(Missing):
        store.get(a_blob(b"other")[0])


def test_elsewhere_nothing_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Only a Kaggle kernel looks below the input folder."""
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    monkeypatch.setenv("KAGGLE_CACHE_MOUNT_FOLDER", str(tmp_path))
    open_store(tmp_path / "x").put(*_put())

    assert load(tmp_path).far == ()


class TestProof:
    """A run counts only if it is the one that was asked for."""

    @pytest.fixture
    def go(self, kaggle: KaggleServer, project: Path, tmp_path: Path) -> Callable[..., RunReport]:
        def run(arguments: tuple[str, ...] = (), **asked: object) -> RunReport:
            request, text = prepared(project / "train.py", arguments, owner="me", **asked)  # type: ignore[arg-type]
            service = Kaggle(HASTY)
            return followed(service, pushed(service, request, text), open_store(tmp_path / "near"), lambda *_: None, patience=HASTY)

        return run

    def test_as_asked(self, go: Callable[..., RunReport]) -> None:
        """With arguments that a shell would take apart, and a kernel that is not found at first."""
        report = go(("0.5", "1e-3"))

        assert report.differences == ()
        assert report.well

    def test_arguments_arrive_as_they_are(self, kaggle: KaggleServer, project: Path, go: Callable[..., RunReport]) -> None:
        """Spaces, quotes, backslashes, newlines and letters of any script arrive unchanged."""
        wanted = ("a b", "'\"", "\\n", "x\ny", "Lagos ✓", "--gpu")
        (project / "train.py").write_text("import sys; print(ascii(sys.argv[1:]))")

        assert go(wanted).well
        assert ascii(list(wanted)) in kaggle.kernels["me/simcache-train"].log

    def test_another_accelerator_is_told(self, go: Callable[..., RunReport]) -> None:
        """A T4 was asked for and is not there: said, and the results are not taken."""
        report = go(gpu=True)

        assert report.differences == ("a T4 was asked for, and there was no GPU",)
        assert report.received is None

    def test_another_source_is_told(self, kaggle: KaggleServer, go: Callable[..., RunReport], monkeypatch: pytest.MonkeyPatch) -> None:
        """Kaggle runs an older version: its manifest is not this run's."""
        go()
        old = kaggle.kernels["me/simcache-train"].asked["text"]
        monkeypatch.setattr(kernels, "_STALE_LOOKS", 2)
        kaggle.before_kernel = lambda kernel: kernel.asked.update(text=old)
        report = go(("0.7",))

        assert "no manifest of this run" in report.differences[0]
        assert not report.well

    def test_a_changed_manifest_is_told(self, kaggle: KaggleServer, go: Callable[..., RunReport]) -> None:
        """Arguments that were not passed on, or other code, show in the manifest."""

        def change(kernel: Kernel, folder: Path) -> None:
            held = json.loads((folder / "simcache-results/manifest.json").read_text())
            held["command"] = held["command"][:1]
            held["archive"] = "0" * 64
            (folder / "simcache-results/manifest.json").write_text(json.dumps(held))

        kaggle.after_kernel = change
        report = go(("0.7",))

        assert len(report.differences) == 2
        assert report.received is None

    def test_another_slug_is_followed(self, kaggle: KaggleServer, go: Callable[..., RunReport]) -> None:
        """Kaggle may keep the kernel under another name than was asked for: that one is followed."""
        kaggle.kernel_slug = lambda slug: f"{slug}-2"
        report = go()

        assert report.kernel == "me/simcache-train-2"
        assert report.well

    def test_a_new_kernel_is_not_found_at_first(self, kaggle: KaggleServer, go: Callable[..., RunReport]) -> None:
        """404 and 403 while it is being indexed, 500 and 429 in between, do not end the following."""
        kaggle.kernel_hidden = 5
        kaggle.fault("500", "GetKernelSessionStatus", at=3, times=2)
        kaggle.fault("429", "ListKernelSessionOutput")

        assert go().well

    def test_a_push_whose_answer_is_lost_runs_once(self, kaggle: KaggleServer, go: Callable[..., RunReport]) -> None:
        """If the answer alone is lost, the kernel is found by its source, and not pushed again."""
        kaggle.fault("lose", "SaveKernel")

        assert go().well
        assert kaggle.kernels["me/simcache-train"].version == 1

    def test_a_dataset_that_is_not_attached_is_told(self, go: Callable[..., RunReport]) -> None:
        """A dataset that Kaggle leaves out is an error at once, not hours of computing anew."""
        with pytest.raises(Unavailable, match="did not attach me/nothing"):
            go(datasets=("me/nothing",))

    def test_a_script_that_fails(self, kaggle: KaggleServer, project: Path, go: Callable[..., RunReport]) -> None:
        """What was computed before the failure comes home; the end of the log says what happened."""
        (project / "train.py").write_text("from model import baseline\nbaseline(1)\nraise SystemExit('the road is closed')\n")
        report = go()

        assert (report.state, report.status, report.well) == ("ERROR", 1, False)
        assert "the road is closed" in report.log
        assert report.received is not None
        assert report.received.received is not None
        assert report.received.received.entries == 1

    def test_a_deadline_keeps_what_a_series_has(
        self, kaggle: KaggleServer, project: Path, go: Callable[..., RunReport], tmp_path: Path
    ) -> None:
        """At its deadline a series stops at the next item, and all its items come home."""
        (project / "train.py").write_text(
            "import time\nfrom simcache import Step, cached\n"
            "@cached(every=1000)\ndef steps(*, resume=None):\n    n = resume or 0\n    while True:\n        time.sleep(0.01)\n        n += 1\n        yield Step(n, state=n)\n"
            "steps()[:100000]\n"
        )
        began = time.monotonic()
        report = go(deadline=2.0)

        assert report.stopped
        assert report.differences == ()
        assert time.monotonic() - began < 30
        assert any(name.startswith("entries/") for name, _ in open_store(tmp_path / "near").list())

    def test_what_could_not_be_packed_comes_as_it_lies(self, kaggle: KaggleServer, go: Callable[..., RunReport], project: Path) -> None:
        """A kernel that was ended from outside leaves loose results and no manifest; they can still be taken by hand."""

        def unpack(kernel: Kernel, folder: Path) -> None:
            shutil.rmtree(folder / "simcache-results")
            store = open_store(folder / "simcache-results" / "loose")
            store.put(*_put())
            (folder / ".git").mkdir()
            (folder / ".git" / "x").write_bytes(b"x")

        kaggle.after_kernel = unpack
        request, text = prepared(project / "train.py", (), owner="me")
        service = Kaggle(HASTY)
        pushed(service, request, text)
        kaggle.kernels["me/simcache-train"].done.wait(60)

        assert [name for name, _ in open_store("kaggle-kernel://me/simcache-train").list()] == [_put()[0]]
        assert kaggle.count("GET .*git") == 0

    def test_damaged_output_is_not_passed_over_in_silence(self, kaggle: KaggleServer, project: Path) -> None:
        """Of a damaged index nobody knows what it names: whoever takes the output is told that it was not all."""
        ran(project, "-m", "simcache", "kaggle", "run", "train.py", "--no-wait")
        kernel = kaggle.kernels["me/simcache-train"]
        kernel.done.wait(60)
        (index,) = (name for name in kernel.output if name.endswith(".simidx"))
        kernel.output[index] = kernel.output[index][:-5]
        done = ran(project, "-m", "simcache", "sync", "--from", "kaggle", "--kernel", "me/simcache-train", "--json", check=False)

        assert [index] == [one["name"] for one in json.loads(done.stdout)["refused"]]
        assert 1 == done.returncode


class TestMistakes:
    """One line each."""

    def test_no_such_script(self, kaggle: KaggleServer, project: Path) -> None:
        said = ran(project, "-m", "simcache", "kaggle", "run", "nothing.py", check=False)

        assert (said.returncode, said.stdout) == (2, "")
        assert said.stderr == "simcache: nothing.py: there is no such script\n"

    @pytest.mark.parametrize(
        ("name", "said"), [("nothing.py", "there is no such script"), ("train.sh", "a script for Kaggle is a Python file, NAME.py")]
    )
    def test_a_wrong_script_is_told_without_a_network(
        self, kaggle: KaggleServer, project: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
    ) -> None:
        """The script is looked at before anything is asked of Kaggle."""
        (project / "train.sh").write_text("echo")
        for proxy in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(proxy, "http://127.0.0.1:9")
        told = ran(project, "-m", "simcache", "kaggle", "run", name, check=False)

        assert (told.returncode, told.stderr) == (2, f"simcache: {name}: {said}\n")

    def test_no_kaggle_remote(self, kaggle: KaggleServer, project: Path) -> None:
        (project / "simcache.toml").write_text("")
        said = ran(project, "-m", "simcache", "kaggle", "run", "train.py", check=False)

        assert said.returncode == 2
        assert "simcache remote add kaggle kaggle://YOU/SLUG" in said.stderr

    def test_a_kernel_that_was_not_started_here(self, kaggle: KaggleServer, project: Path) -> None:
        said = ran(project, "-m", "simcache", "kaggle", "follow", "me/other", check=False)

        assert said.returncode == 2
        assert "was not started from here" in said.stderr

    def test_too_much_code(self, tmp_path: Path) -> None:
        (tmp_path / "simcache.toml").write_text("")
        (tmp_path / "big.py").write_text("".join(f"x{os.urandom(30).hex()} = 1\n" for _ in range(40_000)))
        with pytest.raises(BadSettings, match="Kaggle takes 1,000,000"):
            prepared(tmp_path / "big.py", (), owner="me")


def _put() -> tuple[str, list[bytes]]:
    name, data = a_blob(b"put")
    return name, [data]
