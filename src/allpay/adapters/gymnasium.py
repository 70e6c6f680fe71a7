"""A game as a Gymnasium environment: one bidder learns, its rivals keep to a strategy."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.versions import to_install

try:
    import gymnasium
    from gymnasium.spaces import Box, Discrete
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{error}: install Gymnasium {to_install('gymnasium')}") from None

from allpay.adapters.seat import Seat, index_of, info_of
from allpay.contest.game import Game
from allpay.errors import AllpayError
from allpay.outcome import Outcome


class BidderEnv(Seat, gymnasium.Env[NDArray[np.float32], np.int64]):
    """One bidder against rivals who follow fixed strategies; every auction is an episode of one step.

    The bidder observes its value divided by the highest it can have: a `Box` of shape (1,) in [0, 1]. Its action is the index
    of a bid of the grid, up to its cap; where overbidding is not allowed, one above its value counts as the highest that is
    (`action_masks` says which are). Where it may stay out, action 0 does. The reward is the utility that the auction brought.
    The info of a step says what the auction was, in money: `value`, `bid`, `payment`, `fee`; and `rank`, 0 for the first,
    None for one who is not ranked, since it stayed out. Where bidders may be absent, rivals are, and this bidder is there.

    What a policy is worth is known without playing: `payoff_of`, and `best_response_payoff` for the best there is.

    Args:
        game, rivals, bidder: as of `Seat`.

    Raises:
        AllpayError: as `Seat`, or if an action is no bid of the grid.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  # as Gymnasium has it

    def __init__(self, game: Game, rivals: ArrayLike | Outcome | str = "equilibrium", bidder: int = 0) -> None:
        super().__init__(game, rivals, bidder)
        self.observation_space = Box(0.0, 1.0, (1,), np.float32)
        self.action_space = Discrete(self.bid_levels)
        self._values, self._open = np.zeros(1, np.int64), False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        gymnasium.Env.reset(self, seed=seed)
        self._values, self._open = self.draw(self.np_random, 1), True
        return self.observations[self._values[0]].copy(), {}

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        if not self._open:
            raise AllpayError("the auction is over: call reset() before step()")
        self._open = False
        settled, bids = self.play(self.np_random, self._values, [index_of(action, "the bidder")])
        info = info_of(self.game, settled, bids, self._grids[self.bidder, self._values[0]], (0, self.bidder))
        reward = float(settled.utility[0, self.bidder])
        return self.observations[self._values[0]].copy(), reward, True, False, info

    def action_masks(self) -> NDArray[np.bool_]:
        """`[own bids]` which bids are allowed at the value just observed; the name is the one that sb3-contrib looks for."""
        return self.may_bid(self._values)[0]
