"""The page that a picture is drawn on, and how it is saved; needs the extra `plot`."""

import os
from typing import TYPE_CHECKING, Final

from arz.errors import Invalid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PathLike = str | os.PathLike[str]

DOTS_PER_INCH: Final = 150


def page(width: float, height: float) -> "Figure":
    """A page of so many inches, apart from whatever the user draws with pyplot."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise Invalid("plots", "needs matplotlib, which is not installed", "pip install matplotlib") from None
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def saved(figure: "Figure", path: PathLike | None) -> "Figure":
    """The figure, written to the path if there is one."""
    if path is not None:
        try:
            figure.savefig(path, dpi=DOTS_PER_INCH)
        except (OSError, ValueError) as problem:
            raise Invalid(str(path), f"cannot be written ({problem})", "name a .png, .pdf or .svg file in a folder that is there") from None
    return figure
