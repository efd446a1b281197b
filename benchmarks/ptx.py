"""What the kernels become, on machines with a GPU and without: the assembly for a chip, and what its assembler says of it."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numba
import numpy as np
from numba import cuda
from numba.cuda.codegen import CUDACodeLibrary

from arz.engine.backends.cuda import Moment
from arz.engine.backends.kernels import Kernels, Model, kernels, unfused
from arz.engine.backends.spread import Pieces, Roads, Segments, Ways

Chip = tuple[int, int]
CHIPS: tuple[Chip, ...] = ((7, 5), (9, 0))
"""The T4 and Hopper."""


@dataclass(frozen=True)
class Built:
    """What the assembler says of a kernel; a stack is memory of a thread that found no place in registers."""

    kernel: str
    chip: Chip
    registers: int
    spilled_bytes: int
    stack_bytes: int


def assembly(model: Model, name: str, chips: Sequence[Chip] = CHIPS) -> dict[Chip, str]:
    """The PTX of one of the `Kernels` of a model, for every chip that is asked for."""
    kernel = getattr(kernels(model, blocks=name == "interval"), name)
    signature = tuple(numba.typeof(argument) for argument in example(model, name))
    made: dict[Chip, str] = {}

    def for_each(library: CUDACodeLibrary, **_: object) -> str:
        # What numba makes of a kernel is one text for all chips, and most of the work; what NVVM makes of that is not.
        made.update({chip: one(library, cc=chip) for chip in chips})
        return ""

    one = CUDACodeLibrary.get_asm_str
    with unfused(), _as_on(chips[0]), patch.object(CUDACodeLibrary, "get_asm_str", for_each):
        cuda.compile(kernel.py_func, signature, device=False, cc=chips[0], abi="numba")
    return made


def assembled(name: str, chip: Chip, ptx: str) -> Built | None:
    """What `ptxas` makes of it, or nothing where there is no `ptxas`, or none that knows the chip any more."""
    program = shutil.which("ptxas")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "kernel.ptx").write_text(ptx)
        command = [program, "--verbose", f"--gpu-name=sm_{chip[0]}{chip[1]}", "--output-file", "kernel.cubin", "kernel.ptx"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if "is not defined for option" in said:
        return None
    memory, registers = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores", said), re.search(r"Used (\d+) registers", said)
    if memory is None or registers is None:
        raise RuntimeError(f"ptxas did not take {name}: {said.strip()}")
    return Built(name, chip, int(registers[1]), int(memory[2]), int(memory[1]))


def _as_on(chip: Chip) -> Any:
    """Numba asks the device what it is, even for a function that it only reads."""
    return patch("numba.cuda.dispatcher.get_current_device", lambda: SimpleNamespace(compute_capability=chip))


def example(model: Model, name: str) -> tuple[Any, ...]:
    """Arguments of the types that the backend gives to a kernel."""
    kind, whole, exact = (np.dtype(each) for each in (model.kind, np.int32, np.float64))

    def table(axes: int, of: Any = kind) -> Any:
        return np.zeros((1,) * axes, of)

    segments = Segments(table(1, whole), table(1, whole), table(1, whole), table(2, whole), table(2, whole))
    roads = Roads(table(3), table(3), table(3), table(1, whole), table(1), table(2, whole))
    node = table(2, whole)
    ways = Ways(node, node, node, node, node, table(5), table(3), table(3), table(5), table(1))
    pieces = Pieces(table(1, whole), table(1, whole), table(1, whole), table(1, exact))
    moment = Moment(
        table(2), table(3), table(3, exact), table(4, exact), table(4, exact), table(4, exact), table(2), table(2, exact), table(4, exact),
        table(1, np.int64), table(1, whole), table(1, whole),
    )  # fmt: skip
    flat, tally = table(1), table(3)
    return {
        "begin": (moment, flat, roads, flat, tally, 1, 0.0, 0.0),
        "nodes": (flat, flat, ways, roads, moment.opens, moment.wanted, moment.rates, 1, 1),
        "cells": (flat, flat, flat, flat, tally, segments, roads, moment, 1, 1, 0.0, 0.0, 1),
        "interval": (flat, flat, tally, segments, ways, roads, moment, 1, 1, 0.0, 0.0, 1),
        "reckon": (tally, table(1, exact), table(1, exact), table(2, exact), 1),
        "count": (flat, flat, pieces, roads, table(4, exact), 1, 1, 0.0, 1),
    }[name]


NAMES = Kernels._fields
