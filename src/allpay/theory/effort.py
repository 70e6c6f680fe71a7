"""What theory must know of the cost of a bid: also its inverse and its slope, as `preferences.PowerCost` has them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from allpay.contest.game import Array


class Cost(Protocol):
    """A strictly increasing cost of bids, 0 at a bid of 0. Every method takes and returns arrays of any shape."""

    def cost(self, bid: ArrayLike) -> Array:
        """c(b)."""
        ...

    def bid(self, cost: ArrayLike) -> Array:
        """The bid that costs so much, c⁻¹."""
        ...

    def slope(self, bid: ArrayLike) -> Array:
        """c′(b)."""
        ...


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

    def cost(self, bid: ArrayLike) -> Array:
        return np.asarray(self.function(np.asarray(bid, float)), float)

    def bid(self, cost: ArrayLike) -> Array:
        return np.asarray(self.inverse(np.asarray(cost, float)), float)

    def slope(self, bid: ArrayLike) -> Array:
        at = np.asarray(bid, float)
        if self.derivative is not None:
            return np.asarray(self.derivative(at), float)
        step = 1e-5 * np.maximum(at, 1e-3)
        low = np.maximum(at - step, 0.0)
        return (self.cost(at + step) - self.cost(low)) / (at + step - low)
