"""What every device promises: the questions of `devices`, asked of the CPU, of numba's simulated GPU, and of a GPU where there is one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from arz.engine.backends.registry import without_gpu
from tests.arz import devices

ROOT = Path(__file__).parents[2]
FEW = [f"{layout}/float64/{name}" for layout in devices.LAYOUTS for name in devices.QUESTIONS if "1000" not in name]
FEW += [f"{layout}/float32/it_computes_what_the_cpu_computes" for layout in devices.LAYOUTS]
ALL = [f"{layout}/{dtype}/{name}" for layout in devices.LAYOUTS for dtype in devices.DTYPES for name in devices.QUESTIONS]

pytestmark = pytest.mark.timeout(600)  # models are compiled, and the simulator is slow


def simulated(questions: list[str]) -> dict[str, str]:
    """Answered by a process in which numba plays the GPU."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.arz.devices", *questions],
        cwd=ROOT,
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, str] = json.loads(done.stdout)
    return answers


@pytest.fixture(scope="module")
def few() -> dict[str, str]:
    return simulated(FEW)


@pytest.mark.parametrize("question", FEW)
def test_simulated_gpu(few: dict[str, str], question: str) -> None:
    """Numba runs the kernels thread by thread, in Python."""
    assert few[question] == ""


@pytest.mark.parametrize("name", devices.QUESTIONS)
def test_cpu(name: str) -> None:
    """The CPU keeps the promises too."""
    assert devices.answer("cpu", "float64", name) == ""


@pytest.mark.skipif(bool(without_gpu()), reason="there is no GPU here")
@pytest.mark.parametrize("question", ALL)
def test_gpu(question: str) -> None:
    """The same on a real one."""
    assert devices.answer(*question.split("/")) == ""


@pytest.mark.deep
@pytest.mark.parametrize("question", sorted(set(ALL) - set(FEW)))
def test_simulated_gpu_in_full(question: str) -> None:
    """Every question in both precisions."""
    assert simulated([question])[question] == ""
