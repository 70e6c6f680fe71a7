"""The name by which figures have always asked for their style; it lives in `look`."""

from allpay.report.look import (
    BACKEND,
    COLOURS,
    DASHES,
    DPI,
    FONTS,
    STYLE,
    colour_of,
    dashes_of,
    draw,
    drawing,
    place,
    save,
)

__all__ = [
    "BACKEND",
    "COLOURS",
    "DASHES",
    "DPI",
    "FONTS",
    "STYLE",
    "colour_of",
    "dashes_of",
    "draw",
    "drawing",
    "place",
    "save",
]
