"""What a study is: the designs to try, the bidders who learn under each, and how often. Running it is in `sweep`."""

import dataclasses
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from allpay.errors import AllpayError, one_of
from allpay.game import Array, Game, Setting
from allpay.learners import FictitiousPlay, Learner, name_of
from allpay.learners.base import check_learner, check_rounds
from allpay.mechanism import RULES, Mechanism, check_bidders
from allpay.simplex import sample_ordered_simplex

OBJECTIVES = ("revenue", "highest-bid")
"""What a design can be chosen for: the expected sum of payments, or the expected highest bid."""

_DESIGNS, TRAINING, CHECKING = 0, 1, 2
"""Streams of random numbers under a study's seed. What is trained on and what checks the result never share one."""


@dataclass(frozen=True)
class DesignSpace:
    """The designs under one rule: nonincreasing weights of sum 1 on the first `ranks` ranks, nothing on the others.

    Attributes:
        rule: `prizes` or `payments`, see `mechanism`.
        bidders: n.
        ranks: m, how many ranks may carry weight; without it all but the last, and both of two. With n = 3 that is
            (w, 1−w, 0) for w in [½, 1].
    """

    rule: str = "prizes"
    bidders: int = 3
    ranks: int | None = None

    def __post_init__(self) -> None:
        one_of("rule", self.rule, RULES)
        check_bidders(self.bidders)
        if self.ranks is None:
            object.__setattr__(self, "ranks", max(2, self.bidders - 1))
        if not 2 <= self.dimension <= self.bidders:
            raise AllpayError(
                f"between 2 and {self.bidders} ranks of {self.bidders} can carry weight: got {self.ranks}"
            )

    @property
    def dimension(self) -> int:
        """m, how many ranks may carry weight."""
        assert self.ranks is not None
        return self.ranks

    def mechanism(self, weights: float | Sequence[float]) -> Mechanism:
        """The mechanism of a design."""
        return Mechanism.from_weights(self.rule, weights, self.bidders)

    def sample(self, count: int, seed: int) -> Array:
        """`[count, bidders]` designs, uniform on the space; a longer sample begins with the shorter one."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_DESIGNS,)))
        return sample_ordered_simplex(count, self.bidders, self.dimension, rng)


@dataclass(frozen=True)
class Study:
    """Designs drawn from a space, `rounds` independent rounds of learning under each.

    Attributes:
        space: where the designs come from.
        learner: how the bidders learn.
        setting: who bids for what; the learner's usual setting if not given.
        samples: how many designs are drawn.
        rounds: how many times each is learned anew.
        objective: what the best design is best for, `revenue` or `highest-bid`.
        seed: of everything random in it.
    """

    space: DesignSpace = field(default_factory=DesignSpace)
    learner: Learner = field(default_factory=FictitiousPlay)
    setting: Setting | None = None
    samples: int = 50
    rounds: int = 10
    objective: str = "revenue"
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("objective", self.objective, OBJECTIVES)
        check_learner(self.learner)
        if self.setting is None:
            object.__setattr__(self, "setting", self.learner.setting)
        check_rounds(self.rounds)
        for name, least in (("samples", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise AllpayError(f"{name} must be at least {least}: got {getattr(self, name)}")

    @cached_property
    def designs(self) -> Array:
        """`[samples, bidders]` the weights of every design."""
        return self.space.sample(self.samples, self.seed)

    def game(self, weights: float | Sequence[float]) -> Game:
        """The game under one design."""
        assert self.setting is not None
        return self.setting.game(self.space.mechanism(weights))

    def specification(self) -> dict[str, Any]:
        """All that the results depend on, as plain JSON values; two studies with equal ones have equal results."""
        return {key: _plain(value) for key, value in vars(self).items() if key in self.__dataclass_fields__}


def versions() -> dict[str, str]:
    """The versions of what computes the results."""
    found = {"python": platform.python_version()}
    for package in ("allpay", "numpy", "scipy", "numba", "jax", "equinox", "optax", "polars"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        kind = name_of(value) if callable(getattr(value, "learn", None)) else type(value).__name__  # type: ignore[arg-type]
        return {"type": kind, **fields}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)
