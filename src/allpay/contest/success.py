"""Who beats whom: the highest bid, or a bid and luck. Nothing about prizes, values, or how anybody bids.

Every rule gives a bid a score, adds a random number to it where there is luck, and ranks bidders by the sum. Where there is
luck, a bidder whose sum is t beats a rival who bids b with probability G(t − s(b)), whatever the bidder's own bid was, G being
the distribution function of the random number. So two tables on one grid of sums t serve every expectation: these
probabilities, and the density of a bidder's own sum given its bid (theory: Lazear & Rosen 1981; Tullock's contest as Gumbel
noise on the logarithm of the bid: Jia 2008).
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.errors import AllpayError, one_of
from allpay.scalars import above_zero, truth

Array = NDArray[np.float64]

MOST_NODES = 8192
"""Luck so small that its grid of sums would need more nodes than this is refused: ranks are decided by bids alone there."""

PANEL_NODES = 8
"""Gauss–Legendre nodes on a stretch of sums between two kinks of a density that has kinks."""

LEFT_OUT = 1e-15
"""What the grid of sums leaves out at each end, as a probability."""


UNRESOLVED = 1e-8
"""Chances on the grid of sums add up to 1 within this, or the luck is refused."""


class Law(Protocol):
    """The distribution of the random number, its scale being 1."""

    kinks: ClassVar[tuple[float, ...]]
    """Where the density jumps; empty if it is analytic on the whole line."""

    step: ClassVar[float]
    """Distance of nodes at which the trapezoidal rule leaves about 1e-12, for an analytic density."""

    def below(self, x: Array) -> Array:
        """The distribution function."""
        ...

    def density(self, x: Array) -> Array:
        """Its derivative."""
        ...

    def quantile(self, u: ArrayLike, xp: Any = np) -> Any:
        """The inverse of the distribution function, an array of the namespace: NumPy's, or JAX's."""
        ...


def _special(xp: Any) -> Any:
    """The special functions that go with an array namespace."""
    return import_module(f"{xp.__name__.replace('numpy', 'scipy')}.special")


class _Normal:
    kinks: ClassVar[tuple[float, ...]] = ()
    step: ClassVar[float] = 0.2

    def below(self, x: Array) -> Array:
        from scipy.special import ndtr

        return ndtr(x)

    def density(self, x: Array) -> Array:
        return np.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)

    def quantile(self, u: ArrayLike, xp: Any = np) -> Any:
        return _special(xp).ndtri(xp.asarray(u, float))


class _Logistic:
    kinks: ClassVar[tuple[float, ...]] = ()
    step: ClassVar[float] = 0.4

    def below(self, x: Array) -> Array:
        from scipy.special import expit

        return expit(x)

    def density(self, x: Array) -> Array:
        from scipy.special import expit

        return expit(x) * expit(-x)

    def quantile(self, u: ArrayLike, xp: Any = np) -> Any:
        return _special(xp).logit(xp.asarray(u, float))


class _Gumbel:
    kinks: ClassVar[tuple[float, ...]] = ()
    step: ClassVar[float] = 0.25

    def below(self, x: Array) -> Array:
        return np.exp(-np.exp(-np.maximum(x, -700.0)))

    def density(self, x: Array) -> Array:
        x = np.maximum(x, -700.0)
        return np.exp(-x - np.exp(-x))

    def quantile(self, u: ArrayLike, xp: Any = np) -> Any:
        return -xp.log(-xp.log(xp.asarray(u, float)))


class _Uniform:
    kinks: ClassVar[tuple[float, ...]] = (-1.0, 1.0)
    step: ClassVar[float] = 1.0

    def below(self, x: Array) -> Array:
        return np.clip((x + 1) / 2, 0.0, 1.0)

    def density(self, x: Array) -> Array:
        return np.where(np.abs(x) <= 1, 0.5, 0.0)

    def quantile(self, u: ArrayLike, xp: Any = np) -> Any:
        return 2 * xp.asarray(u, float) - 1


class _Exponential:
    kinks: ClassVar[tuple[float, ...]] = (0.0,)
    step: ClassVar[float] = 1.0

    def below(self, x: Array) -> Array:
        return -np.expm1(-np.maximum(x, 0.0))

    def density(self, x: Array) -> Array:
        return np.where(x >= 0, np.exp(-np.maximum(x, 0.0)), 0.0)

    def quantile(self, u: ArrayLike, xp: Any = np) -> Any:
        return -xp.log1p(-xp.asarray(u, float))


@dataclass(frozen=True)
class _Pareto:
    power: float

    kinks: ClassVar[tuple[float, ...]] = (1.0,)
    step: ClassVar[float] = 1.0

    def below(self, x: Array) -> Array:
        return np.where(x >= 1, 1 - np.maximum(x, 1.0) ** -self.power, 0.0)

    def density(self, x: Array) -> Array:
        return np.where(x >= 1, self.power * np.maximum(x, 1.0) ** (-self.power - 1), 0.0)

    def quantile(self, u: ArrayLike, xp: Any = np) -> Any:
        return (1 - xp.asarray(u, float)) ** (-1 / self.power)


LAWS: dict[str, Callable[..., Law]] = {
    "normal": _Normal,
    "logistic": _Logistic,
    "gumbel": _Gumbel,
    "uniform": _Uniform,
    "exponential": _Exponential,
    "pareto": _Pareto,
}
"""The kinds of noise, by name. A Pareto distribution has its power beside its scale."""


@dataclass(frozen=True)
class Sums:
    """A grid of sums of score and luck, and what rank chances need there.

    Attributes:
        below: `[groups, bids, sums]` the chance that a rival of a group who makes this bid ends below the sum.
        density: `[groups, sums, bids]` the weight of each sum for a bidder of a group who makes this bid; adds up to 1 over the
            sums.
    """

    below: Array
    density: Array


class Success(Protocol):
    """A rule that ranks bidders by what they bid."""

    lucky: ClassVar[bool]
    """Whether chance has a say in the rank, beyond ties."""

    @property
    def words(self) -> str:
        """How ranks are decided, for the user: ends the sentence "Ranks are decided by …"."""
        ...

    def scores(self, effort: Any, xp: Any = np) -> Any:
        """The score of each bid, any shape; −∞ for one that every other beats. Arrays are of the namespace `xp`."""
        ...

    def luck(self, uniform: Any, xp: Any = np) -> Any:
        """What is added to scores, from numbers uniform in (0, 1), same shape; zeros where there is no luck."""
        ...

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """The same, drawn."""
        ...

    def sums(self, scores: Array) -> Sums:
        """The tables of a game with luck, for scores `[groups, bids]`; empty where there is none."""
        ...


@dataclass(frozen=True)
class Highest:
    """The highest bid wins; bids that tie are ranked at random."""

    lucky: ClassVar[bool] = False

    @property
    def words(self) -> str:
        return "bids alone"

    def scores(self, effort: Any, xp: Any = np) -> Any:
        return effort

    def luck(self, uniform: Any, xp: Any = np) -> Any:
        return xp.zeros_like(uniform)

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.zeros(shape)

    def sums(self, scores: Array) -> Sums:
        groups, bids = scores.shape
        return Sums(np.zeros((groups, bids, 0)), np.zeros((groups, 0, bids)))


@dataclass(frozen=True)
class Noise:
    """A random number is added to each bid, or to its logarithm, and the highest sum wins.

    Attributes:
        law: `normal`, `logistic`, `gumbel`, `uniform` (on [−scale, scale]), `exponential` or `pareto` (from scale up).
        scale: of the random number, above 0: in units of bids, or of their logarithm.
        log: whether it is added to the logarithm; a bid of 0 then loses to every other.
        power: of a Pareto distribution, above 0.

    Raises:
        AllpayError: if the law is unknown, or a number is out of its bounds.
    """

    law: str = "normal"
    scale: float = 1.0
    log: bool = False
    power: float = 2.0

    lucky: ClassVar[bool] = True

    def __post_init__(self) -> None:
        one_of("kind of luck", self.law, LAWS)
        for name in ("scale", "power"):
            given = above_zero(f"{name} of {self.law} luck", getattr(self, name))
            object.__setattr__(self, name, given)
        object.__setattr__(self, "log", truth(f"log of {self.law} luck", self.log))

    @property
    def words(self) -> str:
        on = "the logarithm of the bid" if self.log else "the bid"
        power = f", power {self.power:g}" if self.law == "pareto" else ""
        return f"{on} and luck ({self.law}, scale {self.scale:g}{power})"

    def scores(self, effort: Any, xp: Any = np) -> Any:
        if not self.log:
            return xp.asarray(effort, float)
        with np.errstate(divide="ignore"):
            return xp.log(xp.asarray(effort, float))

    def luck(self, uniform: Any, xp: Any = np) -> Any:
        return self.scale * self._law.quantile(uniform, xp)

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.asarray(self.luck(rng.uniform(np.finfo(float).tiny, 1.0, shape)))

    def sums(self, scores: Array) -> Sums:
        def too_little(larger: float, bids: int) -> str:
            least = f"{self.scale * larger * 1.04:.2g}"  # rounded up
            return f"luck of scale {self.scale:.3g} is too small for {bids:,} bids that reach so far: give at least {least}"

        return _sums(self._law, self.scale, scores, too_little)

    @property
    def _law(self) -> Law:
        return _Pareto(self.power) if self.law == "pareto" else LAWS[self.law]()


def law_of(rule: "Noise | Tullock") -> Law:
    """The distribution of the random number of a rule, its scale being 1."""
    return _Gumbel() if isinstance(rule, Tullock) else rule._law


@dataclass(frozen=True)
class Tullock:
    """The chance to win is proportional to bid^r, and each further rank is decided in the same way among those who are left.

    These are the ranks of r·ln b plus Gumbel noise (Plackett–Luce). Bids of 0 lose to all others; among themselves chance
    decides.

    Attributes:
        r: how much a bid counts, above 0: near 0 all is luck, and as it grows the highest bid wins.

    Raises:
        AllpayError: if r is not above 0 and finite.
    """

    r: float = 1.0

    lucky: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "r", above_zero("r of a Tullock contest", self.r))

    @property
    def words(self) -> str:
        return (
            f"luck, with chances in proportion to bid^{self.r:g} (Tullock)"
            if self.r != 1
            else ("luck, with chances in proportion to bids (Tullock)")
        )

    def scores(self, effort: Any, xp: Any = np) -> Any:
        with np.errstate(divide="ignore"):
            return self.r * xp.log(xp.asarray(effort, float))

    def luck(self, uniform: Any, xp: Any = np) -> Any:
        return _Gumbel().quantile(uniform, xp)

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return rng.gumbel(size=shape)

    def sums(self, scores: Array) -> Sums:
        def too_little(larger: float, bids: int) -> str:
            most = f"{self.r / larger * 0.96:.2g}"  # rounded down
            return f"r {self.r:.4g} of a Tullock contest leaves too little luck for {bids:,} bids: give at most {most}"

        return _sums(_Gumbel(), 1.0, scores, too_little)


LUCK = ("none", "tullock", *LAWS)
"""The names that `success` reads."""


def success(text: str) -> Success:
    """The rule that a text names: `none`, `tullock(1)`, `normal(0.2)`, `normal(0.2, log)`, `pareto(0.1, 2)`.

    Raises:
        AllpayError: if the name is unknown or the numbers do not fit it.

    >>> success("normal(0.2)"), success("tullock(2)")
    (Noise(law='normal', scale=0.2, log=False, power=2.0), Tullock(r=2.0))
    """
    match = re.fullmatch(r"\s*([a-z-]+)\s*(?:\(([^()]*)\))?\s*", str(text).lower())
    if not match:
        raise AllpayError(f"cannot read the luck {str(text)[:60]!r}: write it as tullock(1) or normal(0.2)")
    name = one_of("luck", match[1], LUCK)
    words = [word.strip() for word in match[2].split(",")] if match[2] and match[2].strip() else []
    log = bool(words) and words[-1] == "log"
    try:
        numbers = [float(word) for word in (words[:-1] if log else words)]
    except ValueError:
        raise AllpayError(f"cannot read the numbers of {str(text)[:60]!r}: write it as normal(0.2)") from None
    most = {"none": 0, "pareto": 2}.get(name, 1)
    if len(numbers) > most or (log and name in ("none", "tullock")):
        takes = {"none": "nothing", "tullock": "r", "pareto": "scale, power and log"}.get(name, "scale and log")
        raise AllpayError(f"the luck {name} takes {takes}: got {str(text)[:60]!r}")
    if name == "none":
        return Highest()
    if name == "tullock":
        return Tullock(*numbers)
    return Noise(name, numbers[0] if numbers else 1.0, log, numbers[1] if len(numbers) > 1 else 2.0)


INSTEAD = ", or leave it out, so that ranks are decided by bids alone"
"""What can be done about luck that is too little to be resolved, beside having more of it."""


def _sums(law: Law, scale: float, scores: Array, too_little: Callable[[float, int], str]) -> Sums:
    """The tables of a law for scores `[groups, bids]`, those of −∞ apart: their density is 0, and every sum beats them.

    Args:
        law, scale: of the luck.
        scores: of bids.
        too_little: what to say if it takes so many times the scale to be resolved for so many bids.
    """
    known = np.unique(scores[np.isfinite(scores)]) / scale
    if len(known) == 0:
        raise AllpayError("no bid has a score: with luck on the logarithm of bids, some bid must be above 0")
    nodes, weights = (_kinked if law.kinks else _smooth)(law, known, too_little)
    finite = np.isfinite(scores)[..., None]
    x = nodes - np.where(finite, scores[..., None] / scale, 0.0)
    below = np.where(finite, law.below(x), 1.0)
    density = np.where(finite, law.density(x) * weights, 0.0)
    total = np.where(finite, density.sum(axis=-1, keepdims=True), 1.0)
    if np.any(np.abs(total - 1.0) > UNRESOLVED):
        raise AllpayError(
            f"luck of scale {scale:.3g} is too small, or its tail too long, to be resolved: its chances add up to "
            f"{total.flat[np.argmax(np.abs(total - 1))]:.6g}; give a larger scale, or a higher power{INSTEAD}"
        )
    density /= total
    return Sums(np.ascontiguousarray(below), np.ascontiguousarray(density.transpose(0, 2, 1)))


def _smooth(law: Law, known: Array, too_little: Callable[[float, int], str]) -> tuple[Array, Array]:
    """Equally spaced nodes: for analytic functions that vanish at both ends the trapezoidal rule converges geometrically."""
    below, above = float(law.quantile(LEFT_OUT)), _highest(law)
    low, high = known[0] + below, known[-1] + above
    count = math.ceil((high - low) / law.step) + 1
    if count > MOST_NODES:
        larger = (known[-1] - known[0]) / ((MOST_NODES - 2) * law.step - (above - below))
        raise AllpayError(too_little(larger, len(known)) + INSTEAD)
    return np.linspace(low, high, count), np.full(count, (high - low) / (count - 1))


def _highest(law: Law) -> float:
    """Above this, in units of its scale, the random number is with a negligible probability."""
    with np.errstate(over="ignore"):
        highest = float(law.quantile(1.0 - 1e-16))
    return 40.0 if math.isinf(highest) else min(highest, 1e30)


def _kinked(law: Law, known: Array, too_little: Callable[[float, int], str]) -> tuple[Array, Array]:
    """Gauss–Legendre nodes between all kinks, which lie at each score plus those of the law.

    A long way between two kinks is cut into stretches that resolve the density there: of length 1 at first, and then each as
    long as the way from the score below, up to where nothing is left of that score's density.
    """
    edges = _kinks(law, known)
    cut = _stretches(law, known, edges)
    per = min(PANEL_NODES, MOST_NODES // (len(cut) - 1))
    if per < PANEL_NODES and np.sum(cut <= edges[-1]) > len(edges):
        larger = 2.0
        while len(_stretches(law, known / larger, _kinks(law, known / larger))) - 1 > MOST_NODES // PANEL_NODES:
            larger *= 2.0
        raise AllpayError(too_little(larger, len(known)) + INSTEAD)
    if per < 2:
        raise AllpayError(
            f"luck with kinks takes at most {MOST_NODES // 2:,} different bids: got {len(known):,}; give fewer bid levels"
        )
    x, w = np.polynomial.legendre.leggauss(per)
    width = np.diff(cut)[:, None]
    return (cut[:-1, None] + width * (x + 1) / 2).ravel(), (width * w / 2).ravel()


def _kinks(law: Law, known: Array) -> Array:
    """Where densities and distribution functions have kinks, apart as far as numbers tell them."""
    edges = np.unique(np.add.outer(known, np.asarray(law.kinks)))
    keep = np.concatenate([[True], np.diff(edges) > 1e-13 * np.maximum(1.0, np.abs(edges[1:]))])
    return edges[keep]


def _stretches(law: Law, known: Array, edges: Array) -> Array:
    """The ends of all stretches: the kinks, the end of the highest score's density, and the cuts between."""
    reach = _highest(law)
    ends = np.append(edges[1:], max(known[-1] + reach, edges[-1]))
    score = known[np.maximum(np.searchsorted(known, edges, side="right") - 1, 0)]
    long = (ends - edges > 1) & (edges < score + reach)
    last = np.minimum(ends, score + reach)
    cuts = [np.fromiter(_cuts(*row), float) for row in zip(edges[long], score[long], last[long], strict=True)]
    return np.unique(np.concatenate([edges, ends[-1:], *cuts]))


def _cuts(begin: float, score: float, end: float) -> Iterator[float]:
    """Where a way that begins at a kink is cut, its end included."""
    place = begin
    while place < end:
        place = min(place + max(1.0, place - score), end)
        yield place
