"""Many auctions side by side as an environment of Stable-Baselines3: the batched form of `gymnasium.BidderEnv`."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    from gymnasium.spaces import Box, Discrete
    from stable_baselines3.common.vec_env import VecEnv
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"{error}: install Stable-Baselines3 with pip install stable-baselines3; it brings PyTorch"
    ) from None

from allpay.adapters.seat import Seat
from allpay.contest.game import Game
from allpay.outcome import Outcome


class BidderVecEnv(Seat, VecEnv):
    """One bidder against rivals who follow fixed strategies, in `auctions` auctions a step.

    Observations, actions and rewards are those of `gymnasium.BidderEnv`; an auction takes a fiftieth of the time that it
    takes there, since all are sampled as one array.

    Args:
        game, rivals, bidder: as of `Seat`.
        auctions: how many are played in a step; the number of environments, for Stable-Baselines3.
        seed: of the random numbers; `seed()` and a learner's own seed set it anew.

    Raises:
        AllpayError: as `Seat`, or if an action is no bid of the grid.
    """

    def __init__(
        self,
        game: Game,
        rivals: ArrayLike | Outcome | str = "equilibrium",
        bidder: int = 0,
        auctions: int = 1024,
        seed: int | None = None,
    ) -> None:
        Seat.__init__(self, game, rivals, bidder)
        self.render_mode = None
        VecEnv.__init__(self, auctions, Box(0.0, 1.0, (1,), np.float32), Discrete(self.bid_levels))
        self._random = np.random.default_rng(seed)
        self._values = np.zeros(auctions, np.int64)
        self._actions: NDArray[np.int64] = np.zeros(auctions, np.int64)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        self._random = np.random.default_rng(seed)
        return [seed] * self.num_envs

    def reset(self) -> NDArray[np.float32]:
        self._values = self.draw(self._random, self.num_envs)
        return self.observations[self._values]

    def step_async(self, actions: NDArray[np.int64]) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        seen = self.observations[self._values]
        settled, _ = self.play(self._random, self._values, self._actions)
        infos: list[dict[str, Any]] = [{"terminal_observation": last, "TimeLimit.truncated": False} for last in seen]
        return self.reset(), settled.utility[:, self.bidder].astype(np.float32), np.ones(self.num_envs, bool), infos

    def action_masks(self) -> NDArray[np.bool_]:
        """`[auctions, own bids]` which bids are allowed at the values just observed; sb3-contrib asks for it."""
        return self.may_bid(self._values)

    def close(self) -> None:
        """Nothing is held open."""

    def get_attr(self, attr_name: str, indices: int | Iterable[int] | None = None) -> list[Any]:
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: int | Iterable[int] | None = None) -> None:
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *arguments: Any, indices: int | Iterable[int] | None = None, **options: Any
    ) -> list[Any]:
        found = getattr(self, method_name)(*arguments, **options)
        return list(found) if method_name == "action_masks" else [found for _ in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: int | Iterable[int] | None = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]
