"""What a bid costs its bidder: a power with a scale, or any strictly increasing function. No game, no equilibrium."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from allpay.contest.game import Array
from allpay.theory.noformula import check_number


class Cost(Protocol):
    """A strictly increasing cost of bids, 0 at a bid of 0. Every method takes and returns arrays of any shape."""

    def of(self, bid: ArrayLike) -> Array:
        """c(b)."""
        ...

    def bid(self, cost: ArrayLike) -> Array:
        """The bid that costs so much, c⁻¹."""
        ...

    def slope(self, bid: ArrayLike) -> Array:
        """c′(b)."""
        ...


@dataclass(frozen=True)
class PowerCost:
    """c(b) = scale·b^power.

    >>> PowerCost(2.0).bid(0.25)
    array(0.5)
    """

    power: float = 1.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_number("cost power", self.power, above=True)
        check_number("cost scale", self.scale, above=True)

    def of(self, bid: ArrayLike) -> Array:
        return np.asarray(self.scale * np.asarray(bid, float) ** self.power)

    def bid(self, cost: ArrayLike) -> Array:
        return np.asarray((np.asarray(cost, float) / self.scale) ** (1 / self.power))

    def slope(self, bid: ArrayLike) -> Array:
        with np.errstate(divide="ignore"):  # without bound at 0 where the cost is concave
            return np.asarray(self.scale * self.power * np.asarray(bid, float) ** (self.power - 1))


@dataclass(frozen=True)
class AnyCost:
    """A cost given by its function and the inverse of it.

    Attributes:
        function: c, strictly increasing, c(0) = 0; arrays to arrays.
        inverse: c⁻¹.
        derivative: c′; without it, a central difference, right to about 1e-8 of it.
    """

    function: Callable[[Array], ArrayLike]
    inverse: Callable[[Array], ArrayLike]
    derivative: Callable[[Array], ArrayLike] | None = None

    def of(self, bid: ArrayLike) -> Array:
        return np.asarray(self.function(np.asarray(bid, float)), float)

    def bid(self, cost: ArrayLike) -> Array:
        return np.asarray(self.inverse(np.asarray(cost, float)), float)

    def slope(self, bid: ArrayLike) -> Array:
        at = np.asarray(bid, float)
        if self.derivative is not None:
            return np.asarray(self.derivative(at), float)
        step = 1e-5 * np.maximum(at, 1e-3)
        low = np.maximum(at - step, 0.0)
        return (self.of(at + step) - self.of(low)) / (at + step - low)
