"""What a bid costs its bidder, and what money is worth to it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.errors import AllpayError
from allpay.scalars import LEAST, MOST, Bound, above_zero, plain_fields

Array = NDArray[np.float64]


class Cost(Protocol):
    """What a bid costs when it is paid in full. Any object with these two methods will do."""

    def cost(self, bid: ArrayLike) -> Array:
        """The cost of bids ≥ 0, same shape; 0 for 0, increasing."""
        ...

    def bid(self, cost: float) -> float:
        """The bid that costs so much."""
        ...


@dataclass(frozen=True)
class PowerCost:
    """A bid b costs scale·b^power.

    Raises:
        AllpayError: if a number is not above 0 and finite.
    """

    power: Annotated[float, Bound(above=0), Bound(at_least=0.01, at_most=100)] = 1.0
    scale: Annotated[float, Bound(above=0), Bound(at_least=LEAST, at_most=MOST)] = 1.0

    def __post_init__(self) -> None:
        plain_fields(self, power="cost power", scale="cost scale")

    def cost(self, bid: ArrayLike) -> Array:
        costs = np.asarray(bid, float) ** self.power
        return costs if self.scale == 1 else self.scale * costs

    def bid(self, cost: Any) -> Any:
        """The bid that costs so much; a number for a number, an array for an array."""
        return (cost / self.scale) ** (1.0 / self.power)

    def slope(self, bid: ArrayLike) -> Array:
        """The marginal cost of bids, same shape."""
        with np.errstate(divide="ignore"):  # without bound at 0 where the cost is concave
            return np.asarray(self.scale * self.power * np.asarray(bid, float) ** (self.power - 1))


@dataclass(frozen=True)
class OwnCost:
    """A cost of one's own: any increasing function of the bid that is 0 at 0.

    Attributes:
        function: from an array of bids to their costs.
    """

    function: Callable[[Any], Any]

    def cost(self, bid: ArrayLike) -> Array:
        b = np.asarray(bid, float)
        costs = _numbers_of("cost", self.function, b)
        if not np.all(np.isfinite(costs)) or np.any(costs < 0):
            raise AllpayError("the cost of a bid must be finite and at least 0: look at the cost function")
        if b.ndim == 1 and np.any(np.diff(costs[np.argsort(b)]) < 0):
            raise AllpayError("the cost of a bid must not fall as the bid rises: look at the cost function")
        return np.array(costs)

    def bid(self, cost: float) -> float:
        """By doubling, then halving, an interval around it."""
        high = 1.0
        while float(self.cost(high)) < cost:
            high *= 2.0
            if high > 1e12:
                raise AllpayError(f"no bid up to 1e12 costs {cost:g}: give max_bid")
        low = 0.0
        for _ in range(100):
            middle = 0.5 * (low + high)
            if float(self.cost(middle)) < cost:
                low = middle
            else:
                high = middle
        return high


def _numbers_of(what: str, function: Callable[[Any], Any], at: Array) -> Array:
    """What a function of somebody else gives for an array, in its shape.

    Raises:
        AllpayError: if it fails, or gives no such numbers.
    """
    try:
        return np.broadcast_to(np.asarray(function(at), float), at.shape)
    except AllpayError:
        raise
    except Exception as error:
        raise AllpayError(f"the {what} function fails: {type(error).__name__}: {str(error)[:120]}") from error


class Utility(Protocol):
    """What money is worth. Any object with this method will do."""

    def utility(self, money: ArrayLike) -> Array:
        """Utility of money payoffs, any shape: 0 for 0, nondecreasing."""
        ...


@dataclass(frozen=True)
class Neutral:
    """Money is worth itself."""

    def utility(self, money: ArrayLike) -> Array:
        return np.asarray(money, float)


@dataclass(frozen=True)
class Cara:
    """Constant absolute risk aversion ρ: (1 − e^{−ρz})/ρ."""

    aversion: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "aversion", above_zero("risk aversion", self.aversion))

    def utility(self, money: ArrayLike) -> Array:
        return -np.expm1(-self.aversion * np.asarray(money, float)) / self.aversion


@dataclass(frozen=True)
class Crra:
    """Constant relative risk aversion γ at a wealth W: ((W + z)^{1−γ} − W^{1−γ})/(1 − γ)·W^γ, which is z for small z.

    Attributes:
        aversion: γ ≥ 0; 1 is the logarithm.
        wealth: W, above all that a bidder can lose.
    """

    aversion: float
    wealth: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "aversion", above_zero("relative risk aversion", self.aversion))
        object.__setattr__(self, "wealth", above_zero("wealth", self.wealth))

    def utility(self, money: ArrayLike) -> Array:
        relative = 1.0 + np.asarray(money, float) / self.wealth
        if np.any(relative <= 0):
            raise AllpayError(
                f"a bidder of wealth {self.wealth:g} can lose all of it: give it more, or a lower cap on bids"
            )
        power = 1.0 - self.aversion
        return self.wealth * (np.log(relative) if power == 0 else (relative**power - 1.0) / power)


@dataclass(frozen=True)
class LossAverse:
    """Losses count λ times: z for z ≥ 0, λz below (Kahneman & Tversky 1979, without their curvature).

    Attributes:
        losses: λ, above 0; 2 or so for people.
    """

    losses: float = 2.25

    def __post_init__(self) -> None:
        object.__setattr__(self, "losses", above_zero("loss aversion", self.losses))

    def utility(self, money: ArrayLike) -> Array:
        z = np.asarray(money, float)
        return np.where(z < 0, self.losses * z, z)


@dataclass(frozen=True)
class OwnUtility:
    """A utility of one's own: any nondecreasing function of money. It is shifted to be 0 for 0.

    Attributes:
        function: from an array of money to its utility.
    """

    function: Callable[[Any], Any]

    def utility(self, money: ArrayLike) -> Array:
        z = np.asarray(money, float)
        found = _numbers_of("utility", self.function, z)
        nothing = float(_numbers_of("utility", self.function, np.zeros(1))[0])
        if not np.all(np.isfinite(found)) or not math.isfinite(nothing):
            raise AllpayError("the utility of money must be finite: look at the utility function")
        order = np.argsort(z, axis=None)
        if np.any(np.diff(found.ravel()[order]) < -1e-12 * (1.0 + np.abs(found).max(initial=0.0))):
            raise AllpayError("the utility of money must not fall as money rises: look at the utility function")
        return found - nothing
