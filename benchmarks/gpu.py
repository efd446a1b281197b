"""Checks and times the CUDA backend on a machine of its own: in parts, each a process with a time limit, each done once.

What is found goes to gpu.json, part by part; a part that is there is not run again, one that failed is. Nothing is installed and nothing is
asked of a network: see `python3 dev.py gpu --help`.
"""

import argparse
import json
import math
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 540.0
"""Of a part."""
DECISION_S = 15.0
DAYS = 4096
"""Worlds beyond so many have a day that another one has: to draw it takes the host a millisecond."""
MOST_CELLS = 2e8
"""Of all worlds together: more takes the host too long to begin with."""
SPEED_WORLDS = (1, 64, 512, 4096, 16384, 65536)
TARGETS = {1: 1e11, 2: 6e10}
"""Cell updates a second of the seventy roads at 4,096 worlds or more, by order: asked of an H200."""


NEAR, NEAR_SINGLE = 1e-12, 1e-4
"""How far a GPU may be from the CPU: in float64 the greatest difference, in float32 the mean one."""


class Sizes(NamedTuple):
    """How much of everything: all of it, or so little that every line runs in numba's simulator."""

    worlds: int
    steps: int
    seconds: float
    island: dict[str, Any]
    grids: tuple[int, ...]
    speed: tuple[int, ...]
    decision_s: float
    numbers: int


WHOLE = Sizes(4096, 1000, 2.0, {}, (2, 20, 50), SPEED_WORLDS, DECISION_S, 1 << 28)
LITTLE = Sizes(3, 4, 0.0, {"cell_m": 200.0}, (1,), (1, 2), 3.0, 1 << 8)


def island(sizes: Sizes, order: int = 2, **more: Any) -> Any:
    """The seventy roads; in little, of as few cells as there are roads."""
    from arz import scenario

    made = scenario("victoria_island", **more)
    return made.model_copy(update={"scheme": made.scheme.model_copy(update={"order": order, **sizes.island})})


def simulator(made: Any, worlds: int, layout: str, dtype: str = "float32", device: str = "cuda", registers: int = 0) -> Any:
    """Worlds with seeds of their own, laid out as the plan decides ("plan"), in blocks or over the grid."""
    from functools import partial
    from unittest.mock import patch

    from arz.engine.backends.cuda import Cuda
    from arz.engine.simulator import Simulator

    if device == "cpu" or layout == "plan":
        whole = Simulator([made] * worlds, device=device, dtype=dtype)
    else:
        with patch("arz.engine.simulator.backend", lambda _: partial(Cuda, blocks=layout == "blocks", registers=registers)):
            whole = Simulator([made] * worlds, device=device, dtype=dtype)
    whole.reset([world % DAYS for world in range(worlds)])
    return whole


def timed(work: Callable[[], object], seconds: float, least: int = 3) -> list[float]:
    """Seconds of each call, as many as fit; the GPU has ended its work within each."""
    from numba import cuda

    took: list[float] = []
    until = time.perf_counter() + seconds
    while len(took) < least or time.perf_counter() < until:
        cuda.synchronize()
        began = time.perf_counter()
        work()
        cuda.synchronize()
        took.append(time.perf_counter() - began)
    return took


# --- the parts ---------------------------------------------------------------------------------------------------------------------------


def part_machine(sizes: Sizes) -> dict[str, Any]:
    """What this machine is."""
    import numba
    import numpy as np
    from numba import cuda

    from arz.engine.backends.gpu import gpu
    from arz.engine.backends.kernels import SIMULATED

    del sizes
    known: dict[str, Any] = {
        "device": gpu(0).name,
        "free_bytes": gpu(0).room() if math.isfinite(gpu(0).room()) else None,
        "numba": numba.__version__,
        "numpy": np.__version__,
    }
    known |= {"cuda": getattr(cuda, "implementation", "simulator"), "python": platform.python_version(), "cores": os.cpu_count()}
    if not SIMULATED:
        device = cuda.get_current_device()
        known |= {
            "chip": ".".join(map(str, device.compute_capability)), "multiprocessors": device.MULTIPROCESSOR_COUNT,
            "clock_khz": device.CLOCK_RATE, "shared_bytes_of_a_block": device.MAX_SHARED_MEMORY_PER_BLOCK,
            "shared_bytes_of_a_multiprocessor": device.MAX_SHARED_MEMORY_PER_MULTIPROCESSOR,
            "driver": list(cuda.cudadrv.driver.driver.get_version()), "runtime": list(cuda.runtime.get_version()),
        }  # fmt: skip
        said = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False) if shutil.which("nvidia-smi") else None
        known["nvidia-smi"] = said.stdout.strip() if said is not None else "not there"
    return known


def part_code(sizes: Sizes) -> dict[str, Any]:
    """Every kernel as assembly for both chips: registers, spills and stack, as `ptxas` says; needs no GPU, and no simulator."""
    import re

    from arz.engine.backends.kernels import Model
    from benchmarks.ptx import CHIPS, NAMES, assembled, assembly

    model = Model(2, 0, 0, True, 2, "float32", 3, 3)
    found: dict[str, Any] = {"ptxas": shutil.which("ptxas") or "not there, so there are no registers and spills below"}
    for order in (2,) if sizes is LITTLE else (1, 2):
        for name in NAMES if sizes is WHOLE else NAMES[:1]:
            for chip, ptx in assembly(model._replace(order=order), name, CHIPS).items():
                built = assembled(name, chip, ptx)
                found[f"{name}, order {order}, sm_{chip[0]}{chip[1]}"] = {
                    "instructions": len(re.findall(r"^\s+(?:@!?%p\d+ )?[a-z]\w*\.", ptx, re.MULTILINE)),
                    "built": asdict(built) if built is not None else None,
                }
    try:
        assembly(model, "reckon", ((6, 0),))
    except Exception as error:
        found["sm_60"] = f"not compiled by this toolkit: {str(error).splitlines()[0][:200]}"
    else:
        found["sm_60"] = "compiles"
    return found


def part_promises(sizes: Sizes) -> dict[str, Any]:
    """What tests/arz/devices.py asks of every device."""
    from tests.arz import devices

    asked = [f"{layout}/{dtype}/{name}" for layout in devices.LAYOUTS for dtype in devices.DTYPES for name in devices.QUESTIONS]
    if sizes is LITTLE:
        asked = [each for each in asked if "gates" in each]
    answers = {each: devices.answer(*each.split("/")) or "kept" for each in asked}
    kept = sum(answer == "kept" for answer in answers.values())
    return {"kept": kept, "of": len(answers), "all_kept": kept == len(answers), "answers": answers}


def part_agreement(sizes: Sizes) -> dict[str, Any]:
    """The seventy roads after 1,000 steps: CPU = CUDA, the same again, and a world alone = the same world among thousands."""
    import numpy as np

    found: dict[str, Any] = {}
    for dtype in ("float64", "float32"):
        for layout in ("plan", "grid"):
            made = island(sizes, demand=1.2)
            one, other = simulator(made, 2, layout, dtype, "cpu"), simulator(made, 2, layout, dtype)
            again, alone, among = (simulator(made, worlds, layout, dtype) for worlds in (2, 1, sizes.worlds))
            steps = 0
            while steps < sizes.steps:
                for each in (one, other, again, alone, among):
                    each.step(None, sizes.decision_s)
                steps += one.steps(sizes.decision_s)
            cpu, gpu, twice = (each.snapshot() for each in (one, other, again))
            first, many = alone.snapshot(), among.snapshot()
            states = {name: np.asarray(cpu[name], float) for name in ("rho", "y", "waiting", "entered", "left")}
            away = {name: np.abs(np.asarray(gpu[name], float) - value) for name, value in states.items()}
            exact = [name for name in gpu if isinstance(gpu[name], np.ndarray) and name not in {"removed", "seeds"}]
            greatest = {name: float(away[name].max() / max(value.max(), 1e-300)) for name, value in states.items()}
            mean = {name: float(away[name].sum() / max(value.sum(), 1e-300)) for name, value in states.items()}
            found[f"{dtype}, {layout}"] = {
                "steps": steps,
                "blocks": other._groups[0].backend.blocks,  # noqa: SLF001 - the plan's choice
                "greatest_difference_over_greatest": greatest,
                "l1": mean,
                "near": max(greatest.values()) <= NEAR if dtype == "float64" else max(mean.values()) <= NEAR_SINGLE,
                "twice_the_same_bits": all(gpu[name].tobytes() == twice[name].tobytes() for name in exact),
                "alone_is_among": all(first[name][0].tobytes() == np.asarray(many[name])[0].tobytes() for name in exact),
                "among": sizes.worlds,
            }
    return found


def part_ceilings(sizes: Sizes) -> dict[str, Any]:
    """What the device can do at best: bytes copied a second, and fused multiply-adds a second in float32."""
    import numpy as np
    from numba import cuda

    from benchmarks.gpu_kernels import CHAIN, multiply_add

    source, target = cuda.device_array(sizes.numbers, np.float32), cuda.device_array(sizes.numbers, np.float32)
    rounds = 4096 if sizes is WHOLE else 2
    threads, blocks = (256, 132 * 64) if sizes is WHOLE else (4, 1)
    out = cuda.device_array(threads * blocks, np.float32)
    one, half = np.float32(0.999), np.float32(0.5)
    copy = median(timed(lambda: target.copy_to_device(source), sizes.seconds))
    multiply_add[blocks, threads](out, one, half, rounds)
    fused = median(timed(lambda: multiply_add[blocks, threads](out, one, half, rounds), sizes.seconds))
    return {
        "copied_bytes_per_s": 2 * source.nbytes / copy,
        "multiply_adds_per_s": threads * blocks * rounds * CHAIN / fused,
    }


def part_speed(sizes: Sizes) -> dict[str, Any]:
    """Cell updates a second, over worlds, networks, orders and layouts; the state stays on the device."""
    from arz import scenario

    found: dict[str, Any] = {}
    networks = {"island": {order: island(sizes, order) for order in (1, 2)}}
    for side in sizes.grids:
        made = scenario("grid", n=side, m=side)
        more = {"order": 2, **sizes.island}
        networks[f"grid {side}"] = {2: made.model_copy(update={"scheme": made.scheme.model_copy(update=more)})}
    for name, orders in networks.items():
        for order, made in orders.items():
            for worlds in sizes.speed:
                for layout in ("blocks", "grid") if name == "island" else ("plan",):
                    key = f"{name}, order {order}, {worlds} worlds, {layout}"
                    try:
                        found[key] = _speed(made, worlds, layout, sizes)
                    except MemoryError as error:
                        found[key] = {"left_out": str(error)}
    best = {
        order: max(
            (each["updates_per_s"] for key, each in found.items() if f"island, order {order}," in key and isinstance(each, dict)), default=0
        )
        for order in TARGETS
    }
    return {"rates": found, "best": best, "targets": TARGETS}


def _speed(made: Any, worlds: int, layout: str, sizes: Sizes, registers: int = 0) -> dict[str, Any]:
    if worlds * len(made.network.roads) * 10 > MOST_CELLS:
        return {"left_out": "the host would take too long"}
    whole = simulator(made, worlds, layout, registers=registers)
    for _ in range(4 if sizes is WHOLE else 1):
        whole.step_held(None, sizes.decision_s)
    took = timed(lambda: whole.step_held(None, sizes.decision_s), sizes.seconds)
    backend = whole._groups[0].backend  # noqa: SLF001 - what is timed is the device alone
    orders = whole._orders(whole._groups[0], sizes.decision_s)  # noqa: SLF001
    alone = timed(lambda: backend.advance(orders), sizes.seconds)
    updates = whole.steps(sizes.decision_s) * whole.plan.cells * worlds
    return {
        "cells": whole.plan.cells,
        "blocks": backend.blocks,
        "steps": whole.steps(sizes.decision_s),
        "updates_per_s": updates / median(alone),
        "updates_per_s_with_the_host": updates / median(took),
        "samples": len(alone),
    }


def part_registers(sizes: Sizes) -> dict[str, Any]:
    """Cell updates a second where a thread may take fewer registers, so that more threads are at work."""
    found: dict[str, Any] = {}
    for layout in ("blocks", "grid"):
        for most in (0, 168, 128, 96, 80, 64) if sizes is WHOLE else (0, 64):
            found[f"{layout}, at most {most or 255}"] = _speed(island(sizes), sizes.worlds, layout, sizes, registers=most)
    return found


def part_decisions(sizes: Sizes) -> dict[str, Any]:
    """One decision of thousands of worlds, all included: controls in, measures out; where its time goes, and what travels."""
    import numpy as np

    from arz.engine.simulator import Controls

    whole = simulator(island(sizes), sizes.worlds, "plan")
    phases = [np.full((sizes.worlds, len(whole.signals)), number) for number in (0, 1)]
    turn = iter(range(10**9))

    def decide(step: Callable[[Any, float], object]) -> Callable[[], object]:
        return lambda: step(Controls(phase=phases[next(turn) // 2 % 2]), sizes.decision_s)

    decide(whole.step)()
    before = asdict(whole.traffic)
    with_measures = timed(decide(whole.step), sizes.seconds)
    after = asdict(whole.traffic)
    held = timed(decide(whole.step_held), sizes.seconds)
    group = whole._groups[0]  # noqa: SLF001 - its parts are timed one by one
    backend, orders = group.backend, whole._orders(group, sizes.decision_s)  # noqa: SLF001
    advance = timed(lambda: backend.advance(orders), sizes.seconds)
    count = timed(backend.count, sizes.seconds)
    asked = timed(lambda: whole._orders(group, sizes.decision_s), sizes.seconds)  # noqa: SLF001
    return {
        "worlds": sizes.worlds,
        "all_included_ms": 1e3 * median(with_measures),
        "held_on_the_device_ms": 1e3 * median(held),
        "of_it_ms": {
            "orders of the host": 1e3 * median(asked), "advance": 1e3 * median(advance), "count, with the copy": 1e3 * median(count)
        },
        "decisions_per_s": sizes.worlds / median(held),
        "travels": {name: (after[name] - before[name]) / len(with_measures) for name in after},
        "asked": {"all_included_ms": 4.0, "decisions_per_s": 1e6},
    }  # fmt: skip


def part_latency(sizes: Sizes) -> dict[str, Any]:
    """One world: a launch of nothing, an interval of one step and of many, the whole decision."""
    from benchmarks.gpu_kernels import nothing

    empty = nothing[(128, 32) if sizes is WHOLE else (1, 1)]
    empty()
    found: dict[str, Any] = {"launch_us": 1e6 * median(timed(empty, sizes.seconds))}
    return found | {layout: _latency(layout, sizes) for layout in ("blocks", "grid")}


def _latency(layout: str, sizes: Sizes) -> dict[str, Any]:
    whole = simulator(island(sizes), 1, layout)
    group = whole._groups[0]  # noqa: SLF001 - its parts are timed one by one
    whole.step(None, sizes.decision_s)
    step_s = sizes.decision_s / whole.steps(sizes.decision_s)
    one, many = (whole._orders(group, seconds) for seconds in (step_s, sizes.decision_s))  # noqa: SLF001
    short = median(timed(lambda: group.backend.advance(one), sizes.seconds))
    long = median(timed(lambda: group.backend.advance(many), sizes.seconds))
    return {
        "steps": many.steps,
        "one_step_us": 1e6 * short,
        "all_steps_us": 1e6 * long,
        "each_further_step_us": 1e6 * (long - short) / max(many.steps - 1, 1),
        "decision_us": 1e6 * median(timed(lambda: whole.step(None, sizes.decision_s), sizes.seconds)),
    }


def part_environment(sizes: Sizes) -> dict[str, Any]:
    """Environment steps a second of the batched task of `rl`, on this device."""
    import numpy as np

    from rl.task import Task
    from rl.tasks import ready

    worlds = sizes.worlds if sizes is WHOLE else 1
    task = Task(ready("Corridor", **({} if sizes is WHOLE else {"decision_s": 5.0, "horizon_s": 20.0})), worlds=worlds, device="cuda")
    task.reset(range(worlds))
    actions = np.zeros((worlds, task.agent_count, len(task.action_sizes)), np.int64)
    took = timed(lambda: task.step(actions), sizes.seconds, 2)
    return {"worlds": worlds, "steps_per_s": worlds / median(took)}


def part_sizes(sizes: Sizes) -> dict[str, Any]:
    """From one road to 10⁵ cells, from one world to 65,536; and what is said when it is too much."""
    from arz import scenario
    from arz.errors import NoRoom

    found: dict[str, Any] = {}
    for name, worlds, more in (("one_road", sizes.speed[-1], {}), ("grid", 1, {"n": sizes.grids[-1], "m": sizes.grids[-1]})):
        whole = simulator(scenario(name, **more), worlds, "plan")
        whole.step_held(None, min(sizes.decision_s, 1.0))
        found[f"{name}, {worlds} worlds"] = {"cells": whole.plan.cells, "drift": float(abs(whole.ledger().drift).max())}
    if sizes is WHOLE:
        from arz.engine.backends.gpu import gpu

        huge = scenario("grid", n=50, m=50)
        fixed = gpu(0).room()
        try:
            simulator(huge, int(fixed / 2e6), "plan")
        except NoRoom as error:
            found["too many"] = str(error)
    return found


def part_sanitizer(sizes: Sizes) -> dict[str, Any]:
    """compute-sanitizer, memcheck and racecheck, over a few steps in both layouts."""
    program = shutil.which("compute-sanitizer")
    if program is None:
        return {"not run": "compute-sanitizer is not on this machine"}
    found: dict[str, Any] = {}
    for tool in ("memcheck", "racecheck"):
        command = [program, "--tool", tool, "--error-exitcode", "9", sys.executable, __file__, "--part", "few_steps", "--watch"]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S / 2 - 10, check=False)
        except subprocess.TimeoutExpired:
            found[tool] = {"clean": None, "said": "it took too long"}
            continue
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("=========")]
        found[tool] = {"clean": done.returncode == 0, "said": said[-6:], "exit": done.returncode}
    del sizes
    return found


def part_few_steps(sizes: Sizes) -> dict[str, Any]:
    """What the sanitizer looks at."""
    for layout in ("blocks", "grid"):
        whole = simulator(island(sizes), 4, layout)
        whole.step(None, 1.0)
    return {}


PARTS: dict[str, Callable[[Sizes], dict[str, Any]]] = {
    "machine": part_machine,
    "code": part_code,
    "promises": part_promises,
    "agreement": part_agreement,
    "ceilings": part_ceilings,
    "speed": part_speed,
    "registers": part_registers,
    "decisions": part_decisions,
    "latency": part_latency,
    "environment": part_environment,
    "sizes": part_sizes,
    "sanitizer": part_sanitizer,
}
"""In this order."""
ASKED = {**PARTS, "few_steps": part_few_steps}
"""And what only another part asks for."""
SIMULATOR = "numba's simulator"
"""A device that plays the others."""
NEVER_SIMULATED = ("code",)
"""Numba's simulator compiles nothing."""
VERDICTS = ("all_kept", "near", "twice_the_same_bits", "alone_is_among", "clean")
"""Where a part says of a promise whether it holds."""


# --- the driver --------------------------------------------------------------------------------------------------------------------------


def main() -> int:
    face = argparse.ArgumentParser("gpu.py", description=__doc__)
    face.add_argument("--out", type=Path, metavar="DIR", help="where gpu.json goes")
    face.add_argument("--part", choices=ASKED, help="run this one in this process, and print what it finds")
    face.add_argument("--only", nargs="+", choices=ASKED, metavar="PART", help=f"of {', '.join(PARTS)}")
    face.add_argument("--simulator", action="store_true", help="let numba play the GPU, at small sizes: whether every line runs")
    face.add_argument("--seconds", type=float, default=math.inf, help="begin no part after so long; the next call goes on")
    face.add_argument(
        "--watch", action="store_true", help="with --part: end when standard input does, which says that nobody waits any more"
    )
    options = face.parse_args()
    if options.watch:
        threading.Thread(target=end_with_input, daemon=True).start()
    if options.part:
        print(json.dumps(ASKED[options.part](LITTLE if options.simulator else WHOLE)))
        return 0
    if options.out is None:
        face.error("--out DIR: say where the results go")
    device, missing = (SIMULATOR, "") if options.simulator else device_here()
    if missing:
        print(f"gpu.py: nothing was measured: {missing}; --simulator tries every line without a GPU", file=sys.stderr)
        return 2
    # Who is told to end ends the part that runs, which would be in the way of the next call.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return drive(options.out, options.only or list(PARTS), device, options.seconds)
    except (OSError, ValueError) as error:
        print(f"gpu.py: {error}; what was written before is kept", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("gpu.py: ended before all was done; the next call goes on", file=sys.stderr)
        return 130


def end_with_input() -> None:
    """Ends this process when standard input ends: its driver may have been killed, and a part left at work would slow the next call's."""
    os.read(0, 1)  # sys.stdin would be locked while the interpreter shuts down
    os._exit(1)


def device_here() -> tuple[str, str]:
    """The name of the GPU, and nothing; or no name, and why no GPU can be used here."""
    asking = (
        "from arz.engine.backends.gpu import gpu\n"
        "from arz.engine.backends.registry import without_gpu\n"
        "missing = without_gpu()\n"
        "print(missing or gpu(0).name)\n"
        "raise SystemExit(3 if missing else 0)"
    )
    done = subprocess.run([sys.executable, "-c", asking], env=environment(), capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout.strip(), ""
    return "", (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]


def environment() -> dict[str, str]:
    """With this checkout's packages before all others."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))}


def drive(out: Path, names: Any, device: str, seconds: float) -> int:
    """Runs what is not done yet; 0 if all of it is done and nothing failed."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / "gpu.json"
    known = read(file)
    began = time.monotonic()
    for name in names:
        if is_done(known, name, device):
            print(f"{name}: done before")
            continue
        if time.monotonic() - began > seconds:
            print(f"{name}: left for the next call")
            continue
        known[name] = run_part(name, simulated=device == SIMULATOR) | {"device": device}
        unfinished = file.with_suffix(".new")
        unfinished.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        unfinished.replace(file)
        print(f"{name}: {'done' if known[name]['done'] else known[name]['failed']} ({known[name]['took_s']:.0f} s)", flush=True)
    print(f"written to {file}")
    return 0 if all(is_done(known, name, device) for name in names) else 1


def read(file: Path) -> dict[str, Any]:
    """What earlier calls found."""
    if not file.exists():
        return {}
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        known = None
    if not isinstance(known, dict):
        raise ValueError(f"{file} is not what this program writes: move it away, or give another --out")  # noqa: TRY004 - a file, not a type
    return known


def is_done(known: dict[str, Any], name: str, device: str) -> bool:
    """Whether a part need not run again: this device has done it, or for a trial any; the numbers of two devices are never mixed."""
    part = known.get(name, {})
    return bool(part.get("done")) and device in {SIMULATOR, part.get("device")}


def broken(found: Any, path: str = "") -> list[str]:
    """Which of the promises that a part looked at do not hold, by where they stand in what it found."""
    if not isinstance(found, dict):
        return []
    here = [f"{path}{name}" for name, value in found.items() if name in VERDICTS and value is False]
    return here + [each for name, value in found.items() for each in broken(value, f"{path}{name}: ")]


def run_part(name: str, *, simulated: bool) -> dict[str, Any]:
    """One part in a process of its own: what it found, or why it failed."""
    plays = simulated and name not in NEVER_SIMULATED
    settings = environment() | ({"NUMBA_ENABLE_CUDASIM": "1", "PYTHONWARNINGS": "ignore"} if plays else {})
    command = [sys.executable, __file__, "--part", name, "--watch", *(["--simulator"] if simulated else [])]
    watched, held = os.pipe()  # `held` ends with this process, however it ends
    began = time.monotonic()
    try:
        done = subprocess.run(command, cwd=ROOT, env=settings, stdin=watched, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return {"done": False, "failed": f"it took longer than {LIMIT_S:.0f} s", "took_s": LIMIT_S}
    finally:
        os.close(watched)
        os.close(held)
    took = time.monotonic() - began
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return {"done": False, "failed": f"it ended with {done.returncode}: {last}", "took_s": took, "said": done.stderr[-4000:]}
    found = json.loads(done.stdout.splitlines()[-1])
    part = {"done": True, "took_s": took, "simulated": simulated, "found": found}
    wrong = broken(found)
    return part | {"done": False, "failed": f"it does not hold: {'; '.join(wrong)}"} if wrong else part


if __name__ == "__main__":
    sys.exit(main())
