"""How figures look, whatever Matplotlib is told elsewhere, and how they become files: one place for both."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allpay.errors import AllpayError
from allpay.files import write
from allpay.report.look import current

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BACKEND = "MPLBACKEND"
"""The environment variable from which Matplotlib takes what draws, when it is imported; it fails if that is not installed."""

DPI = 200

STYLE = {
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 7.5,
    "legend.fontsize": 6.5,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.formatter.limits": (-5, 12),  # money without powers of ten
    "axes.titlepad": 9.0,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "legend.borderaxespad": 0.2,
    "legend.labelspacing": 0.35,
    "legend.columnspacing": 1.2,
    "legend.handlelength": 1.8,
}

FONTS = {
    "pdf.fonttype": 42,  # text stays text, in every file, whatever a user's style says
    "ps.fonttype": 42,
    "svg.hashsalt": "allpay",  # the same figure has the same bytes
}

_LOOKED = "_allpay_looked"
"""The mark of a figure that a user's look has been applied to."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Okabe and Ito's, safe for the colour-blind, in an order of different greys."""


DASHES = ("-", (0, (5, 1.5)), (0, (4, 1.5, 1, 1.5)), (0, (1, 1.2)))
"""Lines that tell kinds apart where colours do not."""


def colour_of(number: int) -> str:
    """The colour of one of several kinds, counted from 0."""
    return COLOURS[number % len(COLOURS)]


def dashes_of(number: int) -> Any:
    """The dashes of one of several kinds, counted from 0."""
    return DASHES[number % len(DASHES)]


# no dates and versions in the files, or they would differ from one run to the next
_NOTHING: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    "svg": {"Creator": None, "Date": None},
}


@contextmanager
def drawing() -> Iterator[None]:
    """Our style on Matplotlib's own defaults, whatever the user's are, and for no longer than it takes to draw.

    Raises:
        AllpayError: if what is drawn meanwhile cannot be.
    """
    mpl = _matplotlib()
    from matplotlib import style

    with mpl.rc_context():
        look = current()
        given = [] if look.style is None else [look.style]
        style.use(["default", STYLE, look.rc, *given, FONTS])
        try:
            yield
        except (AllpayError, OSError, MemoryError):
            raise
        except Exception as error:
            reason = " ".join(str(error).split())
            raise AllpayError(f"the figure cannot be drawn ({type(error).__name__}: {reason[:150]})") from error


def place(path: Path) -> Path:
    """Where a figure goes that a user wants in a file: a PNG, if its ending names no format. To be asked before long work.

    Raises:
        AllpayError: if the file has no name, its folder is not there, or the format is unknown.
    """
    if not path.name:
        raise AllpayError("cannot draw into a file without a name: give --plot bids.png")
    path = path if path.suffix else path.with_suffix(".png")
    if not path.parent.is_dir():
        raise AllpayError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    _matplotlib()
    from matplotlib.backend_bases import FigureCanvasBase

    kinds = FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in kinds:
        raise AllpayError(f"cannot draw into {path}: choose an ending from {', '.join(sorted(kinds))}")
    return path


def draw(path: Path, figure: "Callable[[], Figure]") -> Path:
    """Make a figure in our style and write it where a user wants it; returns where it is.

    Raises:
        AllpayError: if it cannot be drawn or written, see `place`.
    """
    path = place(path)
    with drawing():
        save(figure(), path)
    return path


def save(figure: "Figure", path: Path) -> None:
    """Write a figure into a file, its ending says which format; the same figure gives the same bytes.

    Raises:
        AllpayError: if the file cannot be written, see `place`.
    """
    look = current()
    if not getattr(figure, _LOOKED, False):  # a figure may be saved more than once
        look.apply(figure)
        setattr(figure, _LOOKED, True)
    for each in look.paths(place(path)):
        _write(figure, each)


def _write(figure: "Figure", path: Path) -> None:
    kind = path.suffix[1:].lower()
    write(path, lambda file: figure.savefig(file, format=kind, dpi=DPI, metadata=_NOTHING.get(kind)))


def _matplotlib() -> Any:
    """Matplotlib, imported without a look at which program is to show its figures: ours are drawn into files."""
    asked = os.environ.pop(BACKEND, None)
    try:
        import matplotlib
    finally:
        if asked is not None:
            os.environ[BACKEND] = asked
    return matplotlib
