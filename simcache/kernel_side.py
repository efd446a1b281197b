"""What runs on Kaggle around a user's script; sent as text, so it stands alone until the project's own code is unpacked."""

import hashlib
import io
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from typing import Any

RESULTS = "simcache-results"
MANIFEST = f"{RESULTS}/manifest.json"
_GRACE = 300.0
"""Seconds that a script has after its deadline: a series keeps what it has at its next item."""


def run(request: dict[str, Any], archive: bytes) -> int:
    """Unpack the code, run the script as asked until it ends or its time is up, pack its results, write down what was run."""
    began = time.time()
    code = tempfile.mkdtemp(prefix="simcache-code-")
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:xz") as packed:
        packed.extractall(code, filter="data")
    results = os.path.abspath(RESULTS)
    if request["pip"]:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *request["pip"]], check=False)
    command = [sys.executable, os.path.join(code, request["script"]), *request["arguments"]]
    path = os.pathsep.join(filter(None, (code, os.environ.get("PYTHONPATH", ""))))
    environment = {**os.environ, "PYTHONPATH": path, "SIMCACHE_STORE": os.path.join(results, "loose")}
    status, stopped = _watched(subprocess.Popen(command, env=environment), request["deadline"])
    sys.path.insert(0, code)
    packed_names, problem = _packed(results)
    manifest = {
        "request": request,
        "archive": hashlib.sha256(archive).hexdigest(),
        "command": command[1:],
        "script": _digest(os.path.join(code, request["script"])),
        "status": status,
        "stopped": stopped,
        "seconds": round(time.time() - began, 3),
        "began": began,
        "devices": _devices(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "indexes": {name: _digest(os.path.join(results, name)) for name in sorted(_files(results)) if name.endswith(".simidx")},
        "names": packed_names,
        "problem": problem,
    }
    os.makedirs(results, exist_ok=True)
    with open(MANIFEST, "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
    shutil.rmtree(code, ignore_errors=True)
    return status or int(bool(problem))


def _watched(child: "subprocess.Popen[bytes]", deadline: float | None) -> tuple[int, bool]:
    """How the script ended, and whether it had to be stopped."""
    try:
        return child.wait(deadline), False
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGTERM)
    try:
        return child.wait(_GRACE), True
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait(), True


def _packed(results: str) -> tuple[int, str]:
    """Have what was computed in a few files, less the results of the mounted stores; how many names these are, and what went wrong."""
    try:
        from simcache.model import Entry
        from simcache.mounts import input_folder, mounted_stores
        from simcache.stores.registry import open_store

        if not os.path.isdir(results):
            return 0, ""
        store = open_store(f"packed://{results}")
        mounts = input_folder(os.environ)
        mounted = {name for url in (mounted_stores(mounts) if mounts else ()) for name in open_store(url).names()}
        for name in mounted:
            if name.startswith("entries/"):
                store.delete(name)
        # Whoever takes the new results may have nothing of what is mounted, so they bring all that they need.
        needed = {blob.name for name in store.names("entries/") for blob in Entry.from_bytes(name, store.get(name)).blobs}
        for name in mounted - needed:
            store.delete(name)
        store.publish()
        names = sum(1 for _ in store.list())
    except Exception as problem:
        return 0, f"{type(problem).__name__}: {problem}"  # what is not packed is brought home as it lies
    for rest in ("loose", ".local"):
        shutil.rmtree(os.path.join(results, rest), ignore_errors=True)
    return names, ""


def _devices() -> list[str]:
    """The accelerators that are really there."""
    try:
        said = subprocess.run(
            ["nvidia-smi", "-L"],  # noqa: S607 - wherever the machine has it
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in said.stdout.splitlines() if line.startswith("GPU")]


def _files(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
