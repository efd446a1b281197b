"""Running a script on Kaggle: what is sent, following it, bringing its results home, and the proof that it is what was asked for."""

import base64
import io
import json
import os
import re
import secrets
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from simcache import kernel_side
from simcache.errors import BadSettings, CacheError, Unavailable
from simcache.kernel_side import MANIFEST
from simcache.stores.base import Store
from simcache.stores.kaggle_api import PATIENCE, Kaggle, Patience, Refused
from simcache.stores.kaggle_kernel import KernelOutput, kernel_folder
from simcache.stores.packs import put_file
from simcache.stores.registry import open_store
from simcache.upkeep.report import Report
from simcache.upkeep.sync import SyncReport, sync

_TEXT_AT_MOST = 1_000_000
"""Letters that Kaggle takes as the source of a kernel."""
_SENT = frozenset({".py", ".toml"})
_NOT_SENT = frozenset({"tests", "docs", "benchmarks", "node_modules"})
_ROOT_MARKS = ("simcache.toml", "pyproject.toml", ".git")
"""By which the names of scripts are told, and so the keys of their functions."""
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{3,48}[a-z0-9]", re.ASCII)
_MANIFEST_AT_MOST = 4 * 1024 * 1024
_AFTER = 900
"""Seconds that a session may go on after the script's deadline: to stop, and to pack."""
_RUNNING = frozenset({"QUEUED", "RUNNING", "NEW_SCRIPT", "CANCEL_REQUESTED"})
_NOT_YET = frozenset({403, 404})
_STALE_LOOKS = 20
_GPU = "NvidiaTeslaT4"
_GPU_SAYS = "T4"
_REQUEST = "request.json"

Told = Callable[[str, float], None]
"""Hears the state of the session, and for how many seconds it has been followed."""


@dataclass(frozen=True, slots=True)
class Request(Report):
    """What a kernel is asked to do; it comes back in the manifest, and must be the same."""

    owner: str
    slug: str
    script: str
    """Its place below the project's root."""
    arguments: tuple[str, ...]
    gpu: bool
    deadline: float | None
    pip: tuple[str, ...]
    datasets: tuple[str, ...]
    archive: str
    """SHA-256 of the code that was sent."""
    nonce: str
    """A number that no other run has: an older output of the same kernel is not taken for this one's."""


@dataclass(frozen=True, slots=True)
class RunReport(Report):
    """What came of a run."""

    kernel: str
    state: str
    status: int | None
    """How the script ended; None if nothing is known of it."""
    stopped: bool
    """Whether its time was up."""
    differences: tuple[str, ...]
    """In what the run differs from what was asked; none is the proof that it is the same."""
    seconds: float
    devices: tuple[str, ...]
    log: str
    """The end of what it printed, if it went wrong."""
    received: SyncReport | None

    @property
    def well(self) -> bool:
        return (
            self.state == "COMPLETE" and not self.differences and self.status == 0 and self.received is not None and self.received.complete
        )


def script_at(script: str | os.PathLike[str]) -> Path:
    """The Python script of this name, whole; BadSettings if it is none."""
    path = Path(script).absolute()
    if not path.is_file():
        raise BadSettings(str(script), "there is no such script")
    if path.suffix != ".py":
        raise BadSettings(str(script), "a script for Kaggle is a Python file, NAME.py")
    return path


def prepared(
    path: Path,
    arguments: Sequence[str],
    *,
    owner: str,
    slug: str = "",
    gpu: bool = False,
    deadline: float | None = None,
    pip: Sequence[str] = (),
    datasets: Sequence[str] = (),
) -> tuple[Request, str]:
    """The request, and the source of the kernel that fulfils it: the script, the project's code, and simcache's own."""
    name = slug or re.sub(r"[^a-z0-9]+", "-", f"simcache-{path.stem.lower()}").strip("-")[:50].strip("-")
    if not _SLUG.fullmatch(name):
        raise BadSettings(f"kernel {name}", "its name has 5 to 50 small letters, digits and hyphens")
    root = _root(path)
    archive = _archive(root)
    request = Request(
        owner=owner,
        slug=name,
        script=path.relative_to(root).as_posix(),
        arguments=tuple(arguments),
        gpu=gpu,
        deadline=deadline,
        pip=tuple(pip),
        datasets=tuple(datasets),
        archive=sha256(archive).hexdigest(),
        nonce=secrets.token_hex(16),
    )
    text = _text(request, archive)
    if len(text) > _TEXT_AT_MOST:
        raise BadSettings(
            str(root),
            f"its code makes a kernel of {len(text):,} letters, and Kaggle takes {_TEXT_AT_MOST:,}: move the script into a smaller project",
        )
    return request, text


def pushed(kaggle: Kaggle, request: Request, text: str) -> Request:
    """Send it; the request with the name under which Kaggle really keeps the kernel. Unavailable if Kaggle does not run what was asked."""
    wanted = f"{request.owner}/{request.slug}"
    fields: dict[str, Any] = {
        "slug": wanted,
        "newTitle": request.slug,
        "text": text,
        "language": "python",
        "kernelType": "script",
        "isPrivate": True,
        "enableGpu": request.gpu,
        "enableInternet": bool(request.pip),
        "datasetDataSources": list(request.datasets),
    }
    if request.gpu:
        fields["machineShape"] = _GPU
    if request.deadline is not None:
        fields["sessionTimeoutSeconds"] = int(request.deadline) + _AFTER
    try:
        answer = kaggle.push(fields)
    except Unavailable:
        if not _stands(kaggle, request, text):  # the answer was lost, and perhaps it alone
            raise
    else:
        if answer.error:
            raise Unavailable(f"kernel {wanted}", f"Kaggle does not run it: {answer.error}")
        if answer.invalid_dataset_sources:
            raise Unavailable(
                f"kernel {wanted}",
                f"Kaggle did not attach {', '.join(answer.invalid_dataset_sources)}: wait until it is processed, and run again",
            )
        owner, slug = answer.ref.strip("/").split("/")[-2:]
        request = replace(request, owner=owner, slug=slug)
    put_file(kernel_folder(request.owner, request.slug), _REQUEST, [json.dumps(request.to_json()).encode()])
    return request


def asked_before(owner: str, slug: str) -> Request:
    """What a kernel was last asked from this machine."""
    try:
        with open(f"{kernel_folder(owner, slug)}/{_REQUEST}", encoding="utf-8") as file:
            held = json.load(file)
    except FileNotFoundError:
        raise BadSettings(
            f"kernel {owner}/{slug}",
            f"it was not started from here: `simcache sync --from kaggle-kernel://{owner}/{slug}` brings what it has put out",
        ) from None
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in held.items()}
    return Request(**fields)


def followed(kaggle: Kaggle, request: Request, near: Store, told: Told, *, patience: Patience = PATIENCE) -> RunReport:
    """Wait until the session ends, and bring what it has put out into the near store, if the manifest proves that it is ours."""
    output = KernelOutput(kaggle, request.owner, request.slug, kernel_folder(request.owner, request.slug))
    began = time.monotonic()
    state, manifest, looks = "", None, 0
    while manifest is None and looks < _STALE_LOOKS:
        state = _ended(kaggle, request, told, began, patience)
        manifest = _manifest(output, request)
        if manifest is None:  # the state of an older session, or an output that is not there yet
            looks += 1
            time.sleep(min(patience.longest, patience.pause))
    differences = _differences(request, manifest)
    received = sync(near, open_store(f"kaggle-kernel://{request.owner}/{request.slug}"), "from") if manifest and not differences else None
    log = "" if state == "COMPLETE" and not differences else "\n".join(_log_lines(output.files()[1])[-20:])
    return RunReport(
        kernel=f"{request.owner}/{request.slug}",
        state=state,
        status=manifest["status"] if manifest else None,
        stopped=bool(manifest and manifest["stopped"]),
        differences=differences,
        seconds=round(time.monotonic() - began, 1),
        devices=tuple(manifest["devices"]) if manifest else (),
        log=log,
        received=received,
    )


def _stands(kaggle: Kaggle, request: Request, text: str) -> bool:
    """Whether Kaggle keeps this very source under the kernel's name; the nonce in it is of this run alone."""
    try:
        return bool(kaggle.kernel(request.owner, request.slug).blob.source == text)
    except CacheError:
        return False


def _ended(kaggle: Kaggle, request: Request, told: Told, began: float, patience: Patience) -> str:
    """The state in which the session ended. A new kernel is not found at first; and a service that is away for a while is waited for."""
    pause = patience.pause
    misses = 0
    while True:
        try:
            state, why = kaggle.session(request.owner, request.slug)
            misses = 0
        except (Refused, Unavailable) as problem:
            misses += 1
            if (isinstance(problem, Refused) and problem.status not in _NOT_YET) or misses > _STALE_LOOKS:
                raise Unavailable(
                    f"kernel {request.owner}/{request.slug}",
                    f"{problem}; it may run still: `simcache kaggle follow {request.owner}/{request.slug}`",
                ) from None
            state, why = "not found yet", ""
        told(state if not why else f"{state} ({why})", time.monotonic() - began)
        if misses == 0 and state not in _RUNNING:
            return state
        time.sleep(pause)
        pause = min(pause * 1.5, patience.longest)


def _manifest(output: KernelOutput, request: Request) -> dict[str, Any] | None:
    """What the kernel wrote down of itself; None if there is none of this run."""
    try:
        held = json.loads(output.read(MANIFEST, _MANIFEST_AT_MOST))
        return dict(held) if held["request"]["nonce"] == request.nonce else None
    except (Unavailable, ValueError, KeyError, TypeError):
        return None


def _differences(request: Request, manifest: dict[str, Any] | None) -> tuple[str, ...]:
    """In what that which ran is not that which was asked."""
    if manifest is None:
        return ("it left no manifest of this run: it did not start, was ended from outside, or another version ran",)
    found = []
    ran, asked = manifest["request"], request.to_json()
    for name, value in asked.items():
        if name not in ("owner", "slug") and ran.get(name) != value:
            found.append(f"{name} was {ran.get(name)!r}, asked was {value!r}")
    if manifest["archive"] != request.archive:
        found.append("other code was unpacked than was sent")
    if manifest["command"][1:] != list(request.arguments):
        found.append(f"it was called with {manifest['command'][1:]!r}, asked was {list(request.arguments)!r}")
    if request.gpu and not any(_GPU_SAYS in device for device in manifest["devices"]):
        found.append(f"a {_GPU_SAYS} was asked for, and there was {', '.join(manifest['devices']) or 'no GPU'}")
    if manifest["problem"]:
        found.append(f"its results could not be packed: {manifest['problem']}")
    return tuple(found)


def _log_lines(log: str) -> list[str]:
    """What was printed: Kaggle keeps it as a JSON list of pieces, or as text."""
    try:
        pieces = json.loads(log)
        return "".join(str(piece["data"]) for piece in pieces).splitlines()
    except (ValueError, TypeError, KeyError):
        return log.splitlines()


# -- what is sent


def _root(script: Path) -> Path:
    """The folder by which the keys of a script's functions are named: the nearest that is marked as a project."""
    return next((folder for folder in script.parents if any((folder / mark).exists() for mark in _ROOT_MARKS)), script.parent)


def _archive(root: Path) -> bytes:
    """The project's code and simcache's own as a .tar.xz; the same files always make the same bytes."""
    files = {path.relative_to(root).as_posix(): path for path in _sources(root)}
    own = Path(__file__).parent
    if not (root / "simcache" / "kernel_side.py").exists():
        files |= {f"simcache/{path.relative_to(own).as_posix()}": path for path in sorted(own.rglob("*.py"))}
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:xz", preset=9) as packed:
        contents = {name: path.read_bytes() for name, path in files.items()}
        if any((root / mark).exists() for mark in _ROOT_MARKS) and not any(mark in contents for mark in _ROOT_MARKS):
            contents["simcache.toml"] = b""  # the mark by which scripts are named
        for name, data in sorted(contents.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            packed.addfile(member, io.BytesIO(data))
    return held.getvalue()


def _sources(root: Path) -> Iterator[Path]:
    """The files of the project that are sent: its Python and its settings, as far as Git does not ignore them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - the user's own git
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    names = listed.stdout.split("\0") if listed.returncode == 0 else [path.relative_to(root).as_posix() for path in root.rglob("*")]
    for name in sorted(filter(None, names)):
        path = root / name
        parts = Path(name).parts
        if (
            path.suffix in _SENT
            and not _NOT_SENT.intersection(parts)
            and not any(part.startswith(".") for part in parts)
            and path.is_file()
        ):
            yield path


def _text(request: Request, archive: bytes) -> str:
    """The kernel's source: the request, the code, and what runs them."""
    side = Path(kernel_side.__file__).read_text(encoding="utf-8")
    asked = json.dumps(request.to_json(), sort_keys=True)
    packed = base64.b85encode(archive).decode()
    return f"{side}\n\nREQUEST = json.loads({asked!r})\nARCHIVE = {packed!r}\n\nif __name__ == '__main__':\n    import base64\n\n    sys.exit(run(REQUEST, base64.b85decode(ARCHIVE)))\n"
