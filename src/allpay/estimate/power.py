"""How fast the cost of bids rises, where contests that differ tell it.

Of one kind of contest each power p above a bound explains all bids, with values of its own. Contests that differ in prizes or
rivals have bidders with the same values, and only near the true p do bids of all kinds follow from one distribution. So p is
sought where that fits best; whatever form the distribution has, it is not that form which tells p.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from allpay.contest.preferences import PowerCost
from allpay.errors import AllpayError, short
from allpay.estimate.conditions import Bids
from allpay.estimate.past import Contests
from allpay.scalars import holding, real

Array = NDArray[np.float64]

USUAL = (0.3, 6.0)
"""The power is sought between these if nothing else is said."""

BOUNDS = (0.05, 20.0)
"""No range may go beyond."""

STEP = 0.05
"""Distance of powers that are tried, in their logarithm, at most; between them the loss is a parabola."""

EVERY = 3
"""The first search tries every third of them over the whole range."""


@dataclass(frozen=True)
class Sought:
    """A power of cost that is to be found.

    Attributes:
        low, high: between these.
        given: whether the user named them, and so wants to see them all where data tell no power.

    Raises:
        AllpayError: if a number is out of bounds, or they do not rise.
    """

    low: float = USUAL[0]
    high: float = USUAL[1]
    given: bool = False

    def __post_init__(self) -> None:
        for x in (self.low, self.high):
            if not BOUNDS[0] <= real("cost power", x) <= BOUNDS[1]:
                raise AllpayError(
                    f"the range of the cost power must lie within {BOUNDS[0]:g}:{BOUNDS[1]:g}: got {short(x)}"
                )
        if not self.low < self.high:
            raise AllpayError(
                f"a range of the cost power rises, as 1:3: got {self.low:g}:{self.high:g}; for one power give one number"
            )

    @property
    def steps(self) -> int:
        """How many steps it takes from the lowest to the highest."""
        return max(4, int(np.ceil(np.log(self.high / self.low) / STEP)))

    @property
    def step(self) -> float:
        """Their distance, in the logarithm."""
        return float(np.log(self.high / self.low)) / self.steps

    def power(self, place: float) -> float:
        """The power so many steps above the lowest."""
        return self.low * float(np.exp(self.step * place))


def cost_of(text: str | float) -> PowerCost | Sought:
    """What a user says of the cost of bids: a power, `estimate`, or the range in which to seek it, as `1:3`.

    Raises:
        AllpayError: if it cannot be read, or is out of bounds.

    >>> cost_of("2"), cost_of("1:3"), cost_of("estimate").high
    (PowerCost(power=2.0, scale=1.0), Sought(low=1.0, high=3.0, given=True), 6.0)
    """
    said = str(text).strip().lower()
    if said == "estimate":
        return Sought()
    try:
        numbers = [float(part) for part in said.split(":")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise AllpayError(
            f"--cost-power is a number, as 2, a range in which it is sought, as 1:3, or estimate: got {short(text, 40)}"
        )
    return PowerCost(numbers[0]) if len(numbers) == 1 else Sought(numbers[0], numbers[1], given=True)


Samples = Sequence[Sequence[Bids]]
"""`[groups][kinds]` bids."""


@dataclass(frozen=True)
class FoundPower:
    """The power of cost that contests which differ show.

    Attributes:
        number: the power.
        band: between these it is to lie with the confidence; None where there are fewer than two resamples.
        draws: the power in each resample.
        within: the range that was looked at.
        kinds: of contests that told it.
    """

    number: float
    band: tuple[float, float] | None
    draws: tuple[float, ...]
    within: tuple[float, float]
    kinds: int

    def __post_init__(self) -> None:
        if self.band is not None:
            object.__setattr__(self, "band", holding(*self.band, self.number))

    @classmethod
    def of(
        cls, sought: Sought, power: float, draws: Sequence[float], confidence: float, samples: Samples
    ) -> "FoundPower":
        """What was found, of these bids.

        The band is the estimate and as many standard errors of its logarithm, those of the resamples, to either side: quantiles
        of resamples are off twice by what the estimate is off on average, and hold the truth less often (measured).
        """
        band, within = None, (sought.low, sought.high)
        if len(draws) > 1:
            off = NormalDist().inv_cdf(0.5 + 0.5 * confidence) * float(np.std(np.log(draws), ddof=1))
            band = max(within[0], power * float(np.exp(-off))), min(within[1], power * float(np.exp(off)))
        return cls(power, band, tuple(draws), within, told_by(samples))

    @property
    def at_end(self) -> bool:
        """Whether it lies at an end of what was looked at, so that contests may ask for one beyond."""
        return any(abs(np.log(self.number / end)) < 1e-9 for end in self.within)


def costing(samples: Samples, cost: PowerCost) -> list[list[Bids]]:
    """The same bids, whose costs were told as bids, with what they cost."""
    return [[bids.costing(cost) for bids in sample] for sample in samples]


def differ(contests: Contests) -> bool:
    """Whether contests have other bidders or prizes than each other."""
    counts = [contests.registered]
    if contests.group is not None:
        counts += [
            np.bincount(contests.contest[contests.group == g], minlength=contests.contests)
            for g in range(len(contests.groups))
        ]
    return len(np.unique(np.column_stack([*counts, contests.prizes]), axis=0)) > 1


def told_by(samples: Samples) -> int:
    """How many kinds of contests tell the power, in the group that has most."""
    return max(len(sample) for sample in samples)


def lowest(sought: Sought, loss: Callable[[float], float], begin: float | None = None) -> float:
    """The power of the least loss: over all of the range, or downhill from where to begin."""
    losses: dict[int, float] = {}

    def at(place: int) -> float:
        if place not in losses:
            losses[place] = loss(sought.power(place))
        return losses[place]

    last = sought.steps
    if begin is None:
        k = min(range(0, last + 1, EVERY), key=at)
    else:
        k = int(np.clip(round(np.log(begin / sought.low) / sought.step), 0, last))
    while (lower := min((j for j in (k - 1, k, k + 1) if 0 <= j <= last), key=at)) != k:
        k = lower
    middle = min(max(k, 1), last - 1)
    before, here, after = (at(middle + step) for step in (-1, 0, 1))
    curve = before - 2 * here + after
    shift = k - middle if curve <= 0 else float(np.clip(0.5 * (before - after) / curve, -1, 1))
    return min(max(sought.power(middle + shift), sought.low), sought.high)


def check_told(samples: Samples) -> None:
    """Raise AllpayError unless contests differ, without which bids tell no power of cost."""
    if told_by(samples) < 2:
        raise AllpayError(
            "all contests have the same prizes and bidders, whose bids more than one power of cost explains: give contests "
            "that differ, the power, as --cost-power 2, or a range, as --cost-power 1:3, over which to see the best split"
        )
