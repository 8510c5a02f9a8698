"""The colours, lines and sizes that all pictures share, and functions that save pictures."""

import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.colors import to_rgb
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
        # Such as that a character has no glyph and is drawn as a box, or that labels leave little room for the axes.
        # Matplotlib attributes its warnings to its caller, this module.
        warnings.filterwarnings("ignore", category=UserWarning, module=rf"{re.escape(__name__)}\b")
        for text in figure.findobj(Text):
            text.set_parse_math(False)  # for texts that exist already
        figure.savefig(path, dpi=DPI)


def save_small(figure: Figure, path: Path) -> None:
    """Writes a figure in the colour maps of inputs as PNG with a palette, at a third of the size."""
    save(figure, path)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(palette=_palette(), dither=Image.Dither.NONE)
    small.save(path, optimize=True)


@cache
def _palette() -> Image.Image:
    """256 colours: both colour maps, greys for text, and the colours of lines, mixed with white for smooth edges."""
    maps = [scale(np.arange(scale.N))[:, :3] for scale in (SEQUENTIAL, DIVERGING)]
    greys = np.linspace(0, 1, 32)[:, None].repeat(3, 1)
    share = np.linspace(1, 0.1, 9)[:, None]
    lines = [share * to_rgb(color) + 1 - share for color in COLORS]
    palette = Image.new("P", (1, 1))
    palette.putpalette((255 * np.concatenate([*maps, greys, *lines])).round().astype(np.uint8).tobytes())
    return palette
