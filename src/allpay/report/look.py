"""What a user may change of every figure: formats, width, letters, colours, labels. `style` is how figures look otherwise.

A look holds for what is drawn within `looking`; `style.drawing` and `style.save`, which every figure goes through, apply it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allpay.errors import AllpayError, one_of, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
        from allpay.report.style import STYLE

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

    from allpay.report.style import COLOURS

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
