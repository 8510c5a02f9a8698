"""The colours, lines and sizes that all pictures share, and how a picture is saved."""

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

#: Ten colours that colour-blind readers can tell apart; further lines repeat the colours with other dashes.
COLORS = [entry["color"] for entry in matplotlib.style.library["petroff10"]["axes.prop_cycle"]]
LINES = ("-", "--", ":", "-.")

#: The colour maps of inputs: 64 steps are too small to be seen, and few enough for a PNG with a palette.
SEQUENTIAL, DIVERGING = (matplotlib.colormaps[name].resampled(64) for name in ("magma", "PuOr_r"))

DPI = 110

#: Inches across a full sheet, of 1200 pixels, and across the page of a report, of 925 pixels.
WIDTH = 1200 / DPI
PAGE_WIDTH = 925 / DPI


def line(index: int) -> dict[str, Any]:
    """The colour and dashes of a line, by its number."""
    return {"color": COLORS[index % 10], "linestyle": LINES[index // 10 % 4]}


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG; names of genres and files stand in it as they are."""
    with matplotlib.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # drawn as a box
        for text in figure.findobj(Text):
            text.set_parse_math(False)  # $ is no formula
        figure.savefig(path, dpi=DPI)


def save_small(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG with a palette, a third of the size: for pictures in the colour maps of inputs."""
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
