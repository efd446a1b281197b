"""How long sharing 1,000 results of 131 KB takes, beside a raw copy, git-lfs alone and DVC."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from time import perf_counter

from benchmarks.measure import Limit, Question
from benchmarks.values import field
from simcache import Cache, cached
from simcache.stores.lfs import GitStore
from simcache.stores.local import LocalStore
from simcache.upkeep.sync import sync

RESULTS, NUMBERS = 1000, 1 << 14
ROUNDS = 5
WHO = b"bench <bench@localhost> now"


class Bench:
    """A store with many results, and new places to send them to; everything lies in one folder.

    Nothing is removed before the end: for some minutes after files were removed ext4 takes ten times as long to make new ones, and
    that would be what is measured.
    """

    def __init__(self, folder: Path, results: int) -> None:
        self.folder = folder
        self.number = count()
        self.home = folder / "home"
        self.home.mkdir()
        (self.home / ".gitconfig").write_text("[user]\n\tname = bench\n\temail = bench@localhost\n[init]\n\tdefaultBranch = main\n")
        os.environ.update(HOME=str(self.home), XDG_CONFIG_HOME=str(self.home), GIT_CONFIG_NOSYSTEM="1", DVC_NO_ANALYTICS="1")
        self.work = self.clone_of(self.bare())
        self.store = self.work / "store"
        kept = cached(cache=Cache(self.store))(field)
        for seed in range(results):
            kept(NUMBERS, seed)
        self.near = LocalStore(self.store)
        self.files = sorted(path for path in self.store.rglob("*") if path.is_file() and ".local" not in path.parts)

    def fresh(self, kind: str) -> Path:
        return self.folder / f"{kind}{next(self.number)}"

    def bare(self) -> Path:
        far = self.fresh("far")
        git(self.folder, "init", "--quiet", "--bare", far)
        return far

    def clone_of(self, far: Path) -> Path:
        work = self.fresh("work")
        git(self.folder, "init", "--quiet", work)
        git(work, "remote", "add", "origin", f"file://{far}")
        git(work, "lfs", "install", "--local")
        return work

    def copied(self) -> tuple[Path, Path]:
        """A new work tree with the same store in it, and its remote."""
        far = self.bare()
        work = self.clone_of(far)
        shutil.copytree(self.store, work / "store")
        return work, far

    # folders

    def copy(self) -> None:
        """The system alone: the same files, and nothing is checked."""
        shutil.copytree(self.store, self.fresh("far"))

    def push(self) -> None:
        sync(self.near, LocalStore(self.fresh("far")), "to")

    def pull(self) -> None:
        sync(LocalStore(self.fresh("near")), self.near, "from")

    # Git

    def filter_push(self) -> float:
        """As a person does it by hand: `git add` through the filter, commit, push."""
        work, _ = self.copied()
        (work / ".gitattributes").write_text("store/blobs/** filter=lfs diff=lfs merge=lfs -text\n")

        def push() -> None:
            for step in (("add", "."), ("commit", "--quiet", "-m", "x"), ("push", "--quiet", "origin", "main")):
                git(work, *step)

        return timed(push)

    def direct_push(self) -> float:
        """git-lfs's own fastest way: objects written where it keeps them, pointers by fast-import, both pushed; nothing is checked."""
        work, _ = self.copied()

        def push() -> None:
            lines, objects = [b"commit refs/heads/main\ncommitter %b\ndata 1\nx\n" % WHO], []
            for path in self.files:
                data = path.read_bytes()
                if "blobs" in path.parts:
                    objects.append(path.name)
                    target = work / ".git" / "lfs" / "objects" / path.name[:2] / path.name[2:4] / path.name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(data)
                    data = b"version https://git-lfs.github.com/spec/v1\noid sha256:%b\nsize %d\n" % (path.name.encode(), len(data))
                name = path.relative_to(self.work).as_posix().encode()
                lines.append(b"M 100644 inline %b\ndata %d\n%b\n" % (name, len(data), data))
            subprocess.run(["git", "fast-import", "--quiet", "--date-format=now"], input=b"".join(lines), cwd=work, check=True)
            git(work, "lfs", "push", "--object-id", "origin", *objects)
            git(work, "push", "--quiet", "--no-verify", "origin", "main")

        return timed(push)

    def git_push(self) -> float:
        work, _ = self.copied()
        near = LocalStore(work / "store")
        return timed(lambda: sync(near, GitStore(f"git+lfs:{work}/store?branch=results"), "to"))

    def direct_pull(self, far: Path) -> float:
        """git-lfs alone: a clone without files, and all objects fetched; nothing has a name yet."""
        work = self.fresh("work")

        def pull() -> None:
            git(self.folder, "clone", "--quiet", "--no-checkout", "--branch", "results", f"file://{far}", work)
            git(work, "lfs", "fetch", "origin", "results")

        return timed(pull)

    def smudge_pull(self, far: Path) -> float:
        """As a person does it by hand: a clone, the files by the filter."""
        work = self.fresh("work")
        command = [
            "git",
            "-c",
            "filter.lfs.smudge=git-lfs smudge -- %f",
            "-c",
            "filter.lfs.process=git-lfs filter-process",
            "-c",
            "filter.lfs.required=true",
        ]
        return timed(
            lambda: subprocess.run(
                [*command, "clone", "--quiet", "--branch", "results", f"file://{far}", work], check=True, capture_output=True
            )
        )

    def git_pull(self, far: Path) -> float:
        work = self.clone_of(far)
        return timed(lambda: sync(LocalStore(self.fresh("near")), GitStore(f"git+lfs:{work}/store?branch=results"), "from"))

    # DVC

    def dvc(self) -> Mapping[str, float]:
        """A DVC project of the same blobs: milliseconds of add, push, push with nothing to do, pull."""
        work, far = self.fresh("dvc"), self.fresh("far")
        work.mkdir()
        run(work, "dvc", "init", "--no-scm", "--quiet")
        run(work, "dvc", "remote", "add", "--quiet", "--default", "far", str(far))
        shutil.copytree(self.store / "blobs", work / "blobs")
        spent = {
            "DVC: add": timed(lambda: run(work, "dvc", "add", "--quiet", "blobs")),
            "DVC: push": timed(lambda: run(work, "dvc", "push", "--quiet")),
            "DVC: push, nothing to do": timed(lambda: run(work, "dvc", "push", "--quiet")),
        }
        shutil.rmtree(work / "blobs")
        shutil.rmtree(work / ".dvc" / "cache")
        return {**spent, "DVC: pull": timed(lambda: run(work, "dvc", "pull", "--quiet"))}


def git(folder: Path, *arguments: str | Path) -> None:
    run(folder, "git", *arguments)


def run(folder: Path, *command: str | Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def timed(work: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    began = perf_counter()
    work()
    return 1000 * (perf_counter() - began)


def main() -> None:
    """Time the ways in turns."""
    with Question("sync", "How long does it take to share 1,000 results of 131 KB?") as question, question.folder() as folder:
        bench = Bench(folder, RESULTS // 10 if question.quick else RESULTS)
        folders(question, bench)
        if shutil.which("git-lfs") is not None:
            by_git(question, bench)
        if shutil.which("dvc") is not None:
            rows = [bench.dvc() for _ in range(1 if question.quick else 3)]
            for way in rows[0]:
                question.add("DVC, a folder as its remote", way, [row[way] for row in rows], "ms")


def folders(question: Question, bench: Bench) -> None:
    """A folder as the other store."""
    question.compare(
        "a folder, all of it",
        {"raw copy": bench.copy, "simcache: push": bench.push, "simcache: pull": bench.pull},
        rounds=ROUNDS,
        between=os.sync,
        limits=[Limit("simcache: push", 600.0), Limit("simcache: pull", 600.0)],
    )
    far = LocalStore(bench.folder / "kept")
    sync(bench.near, far)
    question.compare("a folder, nothing new", {"simcache": lambda: sync(bench.near, far)}, rounds=20, limits=[Limit("simcache", 100.0)])


def by_git(question: Question, bench: Bench) -> None:
    """A bare repository on disk as the other store."""
    turns = {"git-lfs, by its filter": bench.filter_push, "git-lfs, directly": bench.direct_push, "simcache": bench.git_push}
    in_turns(question, "Git LFS, push of all", turns)
    question.judge("Git LFS, push of all", Limit("simcache", 1.2, times="git-lfs, directly"))
    work, kept = bench.copied()
    near, far = LocalStore(work / "store"), GitStore(f"git+lfs:{work}/store?branch=results")
    sync(near, far)
    pulls = {
        "git-lfs, by its filter": lambda: bench.smudge_pull(kept),
        "git-lfs, directly": lambda: bench.direct_pull(kept),
        "simcache": lambda: bench.git_pull(kept),
    }
    in_turns(question, "Git LFS, pull of all", pulls)
    question.judge("Git LFS, pull of all", Limit("simcache", 1.2, times="git-lfs, directly"))
    question.judge("Git LFS, pull of all", Limit("simcache", 1.2, times="git-lfs, by its filter"))
    question.compare("Git LFS, nothing new", {"simcache": lambda: sync(near, far)}, rounds=20, limits=[Limit("simcache", 300.0)])


def in_turns(question: Question, case: str, ways: Mapping[str, Callable[[], float]]) -> None:
    """Like `compare`, for ways that have something to prepare, which is not timed."""
    spent: dict[str, list[float]] = {way: [] for way in ways}
    order = list(ways)
    for number in range(3 if question.quick else ROUNDS):
        for way in order[number % len(order) :] + order[: number % len(order)]:
            spent[way].append(ways[way]())
            os.sync()
    for way, times in spent.items():
        question.add(case, way, times, "ms")


if __name__ == "__main__":
    main()
