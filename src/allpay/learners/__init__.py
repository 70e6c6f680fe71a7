"""The ways to learn how to bid, by name. One learner, one file; those that need JAX are loaded when they are asked for."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from allpay.errors import AllpayError, meant, one_of
from allpay.learners.base import Learner, check_learner, learn, outcome_of, random_profile, random_strategy, run_seeds
from allpay.learners.epsilon_greedy import EpsilonGreedy
from allpay.learners.fictitious_play import FictitiousPlay
from allpay.learners.interior_point import InteriorPoint
from allpay.learners.level_k import LevelK
from allpay.learners.logit_equilibrium import LogitEquilibrium
from allpay.learners.logit_play import LogitPlay
from allpay.learners.multiplicative_weights import MultiplicativeWeights
from allpay.learners.own import SEPARATOR, check_kinds, check_plain, in_one_line, own_kind, own_name
from allpay.learners.regret_matching import RegretMatching

LAZY = {"DQN": "dqn", "PPO": "ppo"}
"""Classes whose modules import JAX, which takes longer than many a command: class and module, which is also the name."""

DEEP = tuple(LAZY.values())
"""The names of the learners with networks."""

EXPERIMENT = ("fictitious-play", "epsilon-greedy", *DEEP)
"""The names of the learners of the experiment that `allpay reproduce` repeats."""


class _Learners(Mapping[str, Callable[..., Learner]]):
    """Learners by name. To look at the names loads nothing."""

    def __init__(self, *kinds: Callable[..., Learner]):
        self._kinds = {kind.name: kind for kind in kinds}  # type: ignore[attr-defined]
        self._lazy = {module: name for name, module in LAZY.items()}

    def __getitem__(self, name: str) -> Callable[..., Learner]:
        return __getattr__(self._lazy[name]) if name in self._lazy else self._kinds[name]

    def __iter__(self) -> Iterator[str]:
        yield from (*self._kinds, *self._lazy)

    def __len__(self) -> int:
        return len(self._kinds) + len(self._lazy)


def __getattr__(name: str) -> Any:
    if name in LAZY:
        return getattr(import_module(f"allpay.learners.{LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


LEARNERS: Mapping[str, Callable[..., Learner]] = _Learners(
    FictitiousPlay,
    EpsilonGreedy,
    RegretMatching,
    MultiplicativeWeights,
    LogitPlay,
    InteriorPoint,
    LogitEquilibrium,
    LevelK,
)


def learner(name: str, **hyperparameters: Any) -> Learner:
    """The learner of that name; hyperparameters are the fields of its class, None leaves the default.

    The name is one of `LEARNERS`, or `package.module:Class` for a class of somebody else's, see `allpay.learners.own`.

    Raises:
        AllpayError: if there is no such learner, it does not follow the protocol, or it has no such hyperparameter or not of
            this size.
    """
    kind = kind_of(name)
    given = {key: value for key, value in hyperparameters.items() if value is not None}
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    known = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for key in given:
        if key not in known:
            raise AllpayError(f"{name} has no option {key!r}: it has {', '.join(known) or 'none'}{meant(key, known)}")
    check_plain(name, given)
    check_kinds(kind, name, given)
    try:
        made = kind(**given)
    except AllpayError:
        raise
    except Exception as error:
        raise AllpayError(f"{name} cannot be made of these options: {in_one_line(error)}") from error
    check_learner(made)
    return made


def kind_of(name: str) -> Callable[..., Learner]:
    """The class of a learner: allpay's own of that name, or the one that `package.module:Class` names.

    Raises:
        AllpayError: if there is none.
    """
    if isinstance(name, str) and SEPARATOR in name:
        return own_kind(name)
    return LEARNERS[one_of("learner", name, LEARNERS)]


def name_of(learner: Learner) -> str:
    """The name by which `kind_of` finds the class of a learner again."""
    kind = type(learner)
    return learner.name if LEARNERS.get(learner.name) is kind else own_name(kind)


if TYPE_CHECKING:
    from allpay.learners.dqn import DQN
    from allpay.learners.ppo import PPO

__all__ = [
    "DEEP",
    "DQN",
    "EXPERIMENT",
    "LEARNERS",
    "PPO",
    "EpsilonGreedy",
    "FictitiousPlay",
    "InteriorPoint",
    "Learner",
    "LevelK",
    "LogitEquilibrium",
    "LogitPlay",
    "MultiplicativeWeights",
    "RegretMatching",
    "kind_of",
    "learn",
    "learner",
    "name_of",
    "outcome_of",
    "random_profile",
    "random_strategy",
    "run_seeds",
]
