"""How figures look and how they become files, in one place: our own style, whatever Matplotlib is told elsewhere, and what a
user may change of every figure: formats, width, letters, colours, labels.

A look holds for what is drawn within `looking`; `drawing` and `save`, which every figure goes through, apply it.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allpay.errors import AllpayError, one_of, short
from allpay.files import write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Our own style --------------------------------------------------------------------------------------------------------

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


TABLES = ("yours", "best", "winner-take-all", "equal")
"""The prize tables of a judgement, in the order of their colours: in figures and on the page."""

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


# What a user may change ----------------------------------------------------------------------------------------------

FORMATS = ("pdf", "svg", "png", "eps")

MOST_INCHES = 40.0

LETTERS = "abcdefghijklmnopqrstuvwxyz"

KEYS = ("width", "height", "font-size", "style", "letters", "colours", "label")
"""What can be said in the form `key=value`; `letters` stands alone."""


@dataclass(frozen=True)
class Look:
    """What is changed of every figure.

    Attributes:
        formats: in which each figure is written, beside that of its own file.
        width: of a figure, in inches; its height changes in proportion, unless `height` is given.
        height: in inches.
        font_size: of text, in points; all sizes change in proportion.
        style: a Matplotlib style file, which is taken after our own style.
        letters: whether panels are called (a), (b), …
        colours: instead of the first, second … of our own.
        labels: what axes, titles and entries of legends are called instead of what they are called.
    """

    formats: tuple[str, ...] = ()
    width: float | None = None
    height: float | None = None
    font_size: float | None = None
    style: Path | None = None
    letters: bool = False
    colours: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def rc(self) -> dict[str, Any]:
        """Sizes of text as Matplotlib takes them, in proportion to our own."""
        if self.font_size is None:
            return {}
        own = {name: size for name, size in STYLE.items() if name.endswith("size") and isinstance(size, float)}
        return {name: self.font_size * size / own["font.size"] for name, size in own.items()}

    def paths(self, path: Path) -> tuple[Path, ...]:
        """The files of a figure: its own, and one for each other format beside it."""
        others = (path.with_suffix(f".{kind}") for kind in self.formats)
        return tuple(dict.fromkeys((path, *others)))

    def apply(self, figure: "Figure") -> None:
        """Change a figure that is drawn."""
        if self.colours:
            _recolour(figure, self.colours)
        if self.labels:
            _relabel(figure, self.labels)
        panels = [ax for ax in figure.axes if ax.get_visible() and ax.axison and ax.get_label() != "<colorbar>"]
        if self.letters and len(panels) > 1:
            for letter, ax in zip(LETTERS, panels, strict=False):
                _put_letter(ax, letter)
        width, height = figure.get_size_inches()
        if self.width is not None or self.height is not None:
            wide = self.width or float(width)
            figure.set_size_inches(wide, self.height or float(height) * wide / float(width))


PLAIN = Look()

_look: ContextVar[Look] = ContextVar("look", default=PLAIN)


def current() -> Look:
    """The look that holds now."""
    return _look.get()


def choose(look: Look) -> None:
    """Let a look hold from now on; for programs that draw once and end."""
    _look.set(look)


@contextmanager
def looking(look: Look) -> Iterator[None]:
    """Let a look hold for what is drawn within."""
    token = _look.set(look)
    try:
        yield
    finally:
        _look.reset(token)


def formats_in(text: str | None) -> tuple[str, ...]:
    """The formats of a text such as `pdf,svg,png`.

    Raises:
        AllpayError: if it names another.

    >>> formats_in("pdf, SVG"), formats_in(None)
    (('pdf', 'svg'), ())
    """
    if text is None:
        return ()
    return tuple(dict.fromkeys(one_of("figures", part.strip().lower(), FORMATS) for part in text.split(",")))


def look_in(words: Sequence[str], formats: tuple[str, ...] = ()) -> Look:
    """The look of `key=value` words: `width=3.5`, `font-size=9`, `style=paper.mplstyle`, `letters`, `colours=black,#888`,
    `label:revenue=Total effort`.

    Raises:
        AllpayError: if one cannot be read.

    >>> look_in(["width=3.5", "letters", "label:bid=Effort"]).labels
    {'bid': 'Effort'}
    """
    look = Look(formats)
    for word in words:
        key, _, value = word.partition("=")
        key = key.strip().lower()
        if key in ("width", "height", "font-size"):
            most = MOST_INCHES if key != "font-size" else 100.0
            sizes: dict[str, Any] = {key.replace("-", "_"): _number(key, value, most)}
            look = replace(look, **sizes)
        elif key == "letters" and not value:
            look = replace(look, letters=True)
        elif key == "style":
            look = replace(look, style=_style(value))
        elif key in ("colours", "colors"):
            look = replace(look, colours=_colours(value))
        elif key.startswith("label:") and value:
            old = word[len("label:") :].partition("=")[0].strip()
            look = replace(look, labels={**look.labels, old: value.strip()})
        else:
            raise AllpayError(
                f"a look is said as width=3.5, height=2.5, font-size=9, style=FILE, letters, colours=black,#888 or "
                f"label:OLD=NEW: got {short(word, 60)}"
            )
    return look


def _number(key: str, value: str, most: float) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 < number <= most:
        raise AllpayError(f"the look's {key} is a number above 0 and at most {most:g}: got {short(value, 40)}")
    return number


def _style(value: str) -> Path:
    path = Path(value)
    if not path.is_file():
        raise AllpayError(f"the look's style is a Matplotlib style file: there is none at {short(value, 80)}")
    return path


def _colours(value: str) -> tuple[str, ...]:
    from matplotlib.colors import is_color_like

    found = tuple(part.strip() for part in value.split(","))
    for one in found:
        if not is_color_like(one):
            raise AllpayError(f"the look's colours are names or #rrggbb with commas between: got {short(one, 40)}")
    return found


def _recolour(figure: "Figure", colours: Sequence[str]) -> None:
    """Give what has one of our colours the one in its place."""
    from matplotlib.collections import Collection
    from matplotlib.colors import to_rgba
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.text import Text

    changed = {to_rgba(ours)[:3]: to_rgba(theirs)[:3] for ours, theirs in zip(COLOURS, colours, strict=False)}

    def new(colour: Any) -> Any:
        rgba = to_rgba(colour)
        return (*changed.get(rgba[:3], rgba[:3]), rgba[3])

    for artist in figure.findobj():
        if isinstance(artist, Line2D):
            artist.set_color(new(artist.get_color()))
            artist.set_markerfacecolor(new(artist.get_markerfacecolor()))
            artist.set_markeredgecolor(new(artist.get_markeredgecolor()))
        elif isinstance(artist, Patch):
            face, edge = artist.get_facecolor(), artist.get_edgecolor()
            artist.set_facecolor(new(face))
            artist.set_edgecolor(new(edge))
        elif isinstance(artist, Collection) and artist.get_array() is None:
            artist.set_facecolor([new(c) for c in artist.get_facecolor()])
            artist.set_edgecolor([new(c) for c in artist.get_edgecolor()])
        elif isinstance(artist, Text):
            artist.set_color(new(artist.get_color()))


def _relabel(figure: "Figure", labels: Mapping[str, str]) -> None:
    """Call texts otherwise, wherever the whole text is the old one."""
    from matplotlib.text import Text

    for artist in figure.findobj(Text):
        assert isinstance(artist, Text)
        text = artist.get_text()
        if text in labels:
            artist.set_text(labels[text])


def _put_letter(ax: "Axes", letter: str) -> None:
    """Call a panel (a), before its title if it has one that does not say so already."""
    title = ax.get_title(loc="left")
    if not title.startswith("("):
        ax.set_title(f"({letter}) {title}".rstrip(), loc="left")


# Drawing and writing --------------------------------------------------------------------------------------------------


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
