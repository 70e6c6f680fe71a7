"""The design of a contest inside anyone's Optuna study: weights as Optuna parameters, and allpay's ensemble as a sampler.

Optuna knows numbers between bounds, not the ordered simplex. A design on m ranks is m − 1 numbers in [0, 1] there: how a stick
of length 1 is broken into coordinates, see `allpay.simplex.from_sticks`. Uniform numbers give uniform designs, so that
Optuna's own samplers fare well with them too.
"""

import math
from typing import Any

import numpy as np

from allpay.versions import to_install

try:
    from optuna.distributions import BaseDistribution, FloatDistribution
    from optuna.samplers import BaseSampler, RandomSampler
    from optuna.study import Study, StudyDirection
    from optuna.trial import BaseTrial, FrozenTrial, TrialState
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{error}: install Optuna {to_install('optuna')}") from None

from allpay.acquisition import next_designs
from allpay.errors import AllpayError
from allpay.simplex import OrderedSimplex, opening, spread, to_sticks
from allpay.surrogate import QUICK, fit_surrogate

NAME = "stick"
"""The parameters are called stick_1, stick_2, …"""


def suggest_weights(trial: BaseTrial, bidders: int, prizes: int | None = None, name: str = NAME) -> tuple[float, ...]:
    """A design, suggested by whatever sampler the study has: nonincreasing weights of sum 1, `[bidders]`.

    Args:
        trial: the trial that asks for it.
        bidders: n.
        prizes: how many ranks may carry weight; all but the last if not given, both of two.
        name: of the parameters, before `_1`, `_2`, ….

    Raises:
        AllpayError: if so many ranks cannot carry weight.
    """
    simplex = _simplex(bidders, prizes)
    return _weights(simplex, [trial.suggest_float(key, 0.0, 1.0) for key in _names(simplex, name)])


def weights_of(trial: FrozenTrial, bidders: int, prizes: int | None = None, name: str = NAME) -> tuple[float, ...]:
    """The design that a finished trial was given, as `study.best_trial`.

    Raises:
        AllpayError: if it has not the parameters of such a design.
    """
    simplex = _simplex(bidders, prizes)
    missing = [key for key in _names(simplex, name) if key not in trial.params]
    if missing:
        raise AllpayError(f"trial {trial.number} has no parameter {missing[0]!r}: it was not given such a design")
    return _weights(simplex, [trial.params[key] for key in _names(simplex, name)])


class AllpaySampler(BaseSampler):
    """Suggests designs as an active study of allpay does, one after another.

    First come the corners of the space and Sobol points; then each trial is given the design at which a bound on the
    objective, by an ensemble fitted to the finished trials, is highest (`allpay.acquisition`). Parameters other than the
    design's are drawn at random, and the ensemble knows nothing of them. Trials that failed, were pruned or brought no
    finite number are left out. What is suggested is a function of the seed, the trial's number and the trials before it.

    Args:
        bidders, prizes, name: of the design, as `suggest_weights` is given them.
        seed: same seed, same trials, if they run one after another; without it, another each time.
        first: how many trials come before the ensemble; twice the ranks that may carry weight, and 8 at least, if not given.

    Raises:
        AllpayError: if so many ranks cannot carry weight, or there are too few first trials to fit; from within
            `optimize`, if the study has several objectives.

    >>> import optuna
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(sampler=AllpaySampler(bidders=3, seed=0), direction="maximize")
    >>> study.optimize(lambda trial: -((suggest_weights(trial, bidders=3)[0] - 0.7) ** 2), n_trials=12)
    >>> abs(weights_of(study.best_trial, bidders=3)[0] - 0.7) < 0.01
    True
    """

    def __init__(
        self,
        bidders: int,
        prizes: int | None = None,
        *,
        seed: int | None = None,
        first: int | None = None,
        name: str = NAME,
    ) -> None:
        self._simplex = _simplex(bidders, prizes)
        self._names = _names(self._simplex, name)
        self._first = max(8, 2 * self._simplex.m) if first is None else first
        if self._first < 5:
            raise AllpayError(f"an ensemble needs at least 5 designs to fit: got {self._first} first trials")
        self._seed = int(np.random.SeedSequence(seed).generate_state(1)[0])
        self._random = RandomSampler(seed=self._seed)

    def reseed_rng(self) -> None:
        self._random.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {key: FloatDistribution(0.0, 1.0) for key in self._names}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if len(study.directions) > 1:
            raise AllpayError(f"AllpaySampler has one objective: got a study of {len(study.directions)}")
        if not search_space:  # another sampler around this one has fixed all
            return {}
        weights = self._next(study, trial.number)
        sticks = to_sticks(self._simplex.coordinates(weights)[0])
        return {name: float(stick) for name, stick in zip(self._names, sticks, strict=True) if name in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def _next(self, study: Study, number: int) -> np.ndarray:
        """`[n]` the design of the trial of this number."""
        states = (TrialState.COMPLETE, TrialState.RUNNING)
        trials = [t for t in study.get_trials(deepcopy=False, states=states) if all(k in t.params for k in self._names)]
        ours = [t for t in trials if t.state == TrialState.COMPLETE and math.isfinite(t.value or 0.0)]
        rng = np.random.default_rng(self._seed)
        if number < self._first:
            return opening(self._simplex, self._first, rng)[number]
        if len(ours) < self._first:  # some have failed
            return spread(self._simplex, number + 1, rng, "sobol")[number]
        sign = 1.0 if study.direction == StudyDirection.MAXIMIZE else -1.0
        values = sign * np.array([t.value for t in ours], float)
        surrogate = fit_surrogate(self._designs(ours), values, self._seed, **QUICK)
        seed = int(np.random.SeedSequence(self._seed, spawn_key=(number,)).generate_state(1)[0])
        return next_designs(surrogate, self._simplex, self._designs(trials), 1, seed)[0]

    def _designs(self, trials: list[FrozenTrial]) -> np.ndarray:
        return self._simplex.from_cube(np.array([[t.params[key] for key in self._names] for t in trials]))


def _simplex(bidders: int, prizes: int | None) -> OrderedSimplex:
    return OrderedSimplex(bidders, max(2, bidders - 1) if prizes is None else prizes)


def _names(simplex: OrderedSimplex, name: str) -> list[str]:
    return [f"{name}_{k}" for k in range(1, simplex.m)]


def _weights(simplex: OrderedSimplex, sticks: list[float]) -> tuple[float, ...]:
    return tuple(simplex.from_cube(sticks).tolist())
