"""The colours, lines and sizes that all pictures share, and functions that save pictures."""

import warnings
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

#: Ten colours that colour-blind readers can distinguish; further lines repeat the colours with other dashes.
COLORS = [entry["color"] for entry in matplotlib.style.library["petroff10"]["axes.prop_cycle"]]
LINES = ("-", "--", ":", "-.")

#: The colour maps of inputs. Their 64 steps are too small to see, and few enough for a PNG with a palette.
SEQUENTIAL, DIVERGING = (matplotlib.colormaps[name].resampled(64) for name in ("magma", "PuOr_r"))

DPI = 110

#: The width in inches of a full sheet (1200 pixels) and of a report's page (925 pixels).
WIDTH = 1200 / DPI
PAGE_WIDTH = 925 / DPI


def line(index: int) -> dict[str, Any]:
    """The colour and dashes of a line with this number."""
    return {"color": COLORS[index % 10], "linestyle": LINES[index // 10 % 4]}


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG, without interpreting names of genres and files as formulas."""
    with matplotlib.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # drawn as a box
        for text in figure.findobj(Text):
            text.set_parse_math(False)  # for texts that exist already
        figure.savefig(path, dpi=DPI)


def save_small(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG with a palette of its 256 main colours, at a third of the size."""
    save(figure, path)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
