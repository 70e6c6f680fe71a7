"""The ways to learn how to bid, by name. One learner, one file."""

import dataclasses
from collections.abc import Callable
from typing import Any

from allpay.errors import AllpayError, one_of
from allpay.learners.base import Learner, learn, run_seeds
from allpay.learners.epsilon_greedy import EpsilonGreedy
from allpay.learners.fictitious_play import FictitiousPlay
from allpay.learners.interior_point import InteriorPoint
from allpay.learners.logit_play import LogitPlay
from allpay.learners.multiplicative_weights import MultiplicativeWeights
from allpay.learners.regret_matching import RegretMatching

LEARNERS: dict[str, Callable[..., Learner]] = {
    kind.name: kind
    for kind in (FictitiousPlay, EpsilonGreedy, RegretMatching, MultiplicativeWeights, LogitPlay, InteriorPoint)
}


def learner(name: str, **hyperparameters: Any) -> Learner:
    """The learner of that name; hyperparameters are the fields of its class, None leaves the default.

    Raises:
        AllpayError: if there is no such learner, or it has no such hyperparameter or not of this size.
    """
    kind = LEARNERS[one_of("learner", name, LEARNERS)]
    given = {key: value for key, value in hyperparameters.items() if value is not None}
    known = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in given:
        if key not in known:
            raise AllpayError(f"{name} has no option {key!r}: it has {', '.join(known)}")
    return kind(**given)


__all__ = [
    "LEARNERS",
    "EpsilonGreedy",
    "FictitiousPlay",
    "InteriorPoint",
    "Learner",
    "LogitPlay",
    "MultiplicativeWeights",
    "RegretMatching",
    "learn",
    "learner",
    "run_seeds",
]
