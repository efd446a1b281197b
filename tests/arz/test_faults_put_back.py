"""The faults of the earlier work, put back into a copy of the package one by one: the test that is named for a fault must then fail."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from arz import jit

ROOT = Path(__file__).parents[2]
IN = "test_engine_faults.py::"
FAULTS: dict[str, tuple[str, str, str, str]] = {
    "w advected at 1 m/s": (
        IN + "TestAdvection::test_fault_marker_carried_at_1_m_per_s",
        "engine/backends/cells.py",
        "scratch[place(c, FLUX_Y, k, a, classes)] = q * w",
        "scratch[place(c, FLUX_Y, k, a, classes)] = scratch[place(c, RHO, k, a, classes)] * w",
    ),
    "forward Euler called a higher order": (
        IN + "TestOrder::test_fault_order_that_is_not_there",
        "laws/reconstruct.py",
        "return between(like(behind, 0.25) * (behind + ahead), lowest, highest)",
        "return between(zero * (behind + ahead), lowest, highest)",
    ),
    "states of a face swapped": (
        IN + "TestAdvection::test_fault_sides_of_a_face_swapped",
        "laws/riemann.py",
        "return smaller(sent, taken)",
        "return taken",
    ),
    "no relaxation": (
        IN + "TestAdvection::test_fault_no_relaxation",
        "laws/relaxation.py",
        "return at_rest + (y - at_rest) * left",
        "return at_rest * (left - left) + y",
    ),
    "inflow never applied": (
        IN + "TestEntriesAndNodes::test_fault_inflow_not_applied",
        "engine/backends/nodes.py",
        "block.arrived[e, k, x] += block.arriving[e, k, piece, x] * (until - now)",
        "block.arrived[e, k, x] += 0.0 * block.arriving[e, k, piece, x]",
    ),
    "first cells overwritten by every approach": (
        IN + "TestEntriesAndNodes::test_fault_first_cells_overwritten",
        "engine/backends/nodes.py",
        "work[2, a] = flow / lanes_out[j, a]",
        "work[2, a] = demand[k, 0, a] / lanes_out[j, a]",
    ),
    "the first road's cells for all": (
        IN + "TestEntriesAndNodes::test_fault_one_cell_length_for_all",
        "engine/backends/cpu.py",
        "table[:, 0] = (dt / reaches.dx)[reach][:, :, None]",
        "table[:, 0] = (dt / reaches.dx[0] + 0 * reaches.dx)[reach][:, :, None]",
    ),
    "a step of 1 s": (
        IN + "TestGridAndTime::test_fault_fixed_step_of_a_second",
        "engine/start.py",
        "return Start(rho, y, low_w, high_w, _longest_step(plan, high_w, dtype))",
        "return Start(rho, y, low_w, high_w, 1.0)",
    ),
    "clamps that hide a blow-up": (
        IN + "TestGridAndTime::test_fault_clamps_that_hide_a_blow_up",
        "laws/state.py",
        "return smaller(smaller(smaller(room, r), rho), y) >= like(rho, 0)",
        "return True",
    ),
    "threads that share what they work on": (
        IN + "TestGridAndTime::test_fault_race",
        "engine/backends/cpu.py",
        "        block, lanes = part.block, part.lanes\n",
        "        shared = {name: getattr(self._parts[0].block, name) for name in ('scratch', 'spare')}\n        block, lanes = part.block._replace(**shared), part.lanes\n",
    ),
    "cells beyond 256 cut off": (
        IN + "TestGridAndTime::test_fault_cells_cut_off",
        "engine/plan.py",
        "cells = np.array([max(1, round(length / cell_m)) for length in lengths])",
        "cells = np.array([min(256, max(1, round(length / cell_m))) for length in lengths])",
    ),
    "mass that drifts": (
        IN + "TestGridAndTime::test_fault_mass_drift",
        "engine/bodies.py",
        "return now, owed - (now - rho)",
        "return now * like(now, 1.000001), owed - (now - rho)",
    ),
    "throughput at red": (
        IN + "TestEntriesAndNodes::test_fault_throughput_at_red",
        "engine/backends/nodes.py",
        "kind[light, x] = bodies.openness(seconds, dt)",
        "kind[light, x] = 1 - bodies.openness(seconds, dt)",
    ),
    "lights not reset": (
        IN + "TestEntriesAndNodes::test_fault_lights_not_reset",
        "engine/simulator.py",
        "            group.lamps = lights.by_plan(group.plan, len(group.worlds))\n            group.limit",
        "            group.limit",
    ),
    "km/h taken for m/s": (
        IN + "TestGridAndTime::test_fault_units_mixed",
        "world/physics.py",
        "scale = least * limit if given is None else given * KMH",
        "scale = least * limit if given is None else given",
    ),
    "figures that nobody computed": (
        "test_validate.py::test_the_page_is_what_was_measured",
        "validate/base.py",
        "order = log(found[-2] / found[-1]) / log(sizes[-1] / sizes[-2])",
        "order = 4.8",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fault_can_be_put_back(fault: str) -> None:
    """The line that would be changed is there, once, and the test that must fail is there: this list keeps up with the sources."""
    test, file, right, wrong = FAULTS[fault]
    name, _, function = test.partition("::")

    assert (jit.PACKAGE / file).read_text().count(right) == 1
    assert right != wrong
    assert len(re.findall(rf"def {function.rpartition('::')[2]}\(", (ROOT / "tests" / "arz" / name).read_text())) == 1


@pytest.mark.deep
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("fault", FAULTS)
def test_the_test_fails_with_the_fault(fault: str, tmp_path: Path) -> None:
    """In a copy of the package with the fault, compiled anew if need be, the test of the fault fails by an assertion, and not otherwise."""
    test, file, right, wrong = FAULTS[fault]
    for part in ("arz", "tests", "docs"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    changed = tmp_path / "arz" / file
    changed.write_text(changed.read_text().replace(right, wrong))
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    if file.startswith(jit.COMPILED):
        environment["NUMBA_CACHE_DIR"] = str(tmp_path / "cache")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"tests/arz/{test}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]
    assert re.search(r"^E +(assert|AssertionError|Failed: DID NOT RAISE|arz.errors.Unstable)", done.stdout, re.MULTILINE), done.stdout[
        -3000:
    ]
