"""Pictures as PNGs with a palette, a third of the size: 256 colours, the very ones that they are painted with."""

from functools import cache
from pathlib import Path

import matplotlib.colors
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from genre.plots.kinds import DIVERGING, SEQUENTIAL
from genre.plots.style import COLORS, save


def save_small(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG with a palette."""
    save(figure, path)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(palette=_palette(), dither=Image.Dither.NONE)
    small.save(path, optimize=True)


@cache
def _palette() -> Image.Image:
    """Both colour maps, greys for the text, and the colours of lines, with as much white as smooth edges need."""
    maps = [scale(np.arange(scale.N))[:, :3] for scale in (SEQUENTIAL, DIVERGING)]
    greys = np.linspace(0, 1, 32)[:, None].repeat(3, 1)
    share = np.linspace(1, 0.1, 9)[:, None]
    lines = [share * matplotlib.colors.to_rgb(color) + 1 - share for color in COLORS]
    colors = np.concatenate([*maps, greys, *lines])
    palette = Image.new("P", (1, 1))
    palette.putpalette((255 * colors).round().astype(np.uint8).tobytes())
    return palette
