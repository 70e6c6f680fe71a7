"""The API test that ships with the package: it passes what keeps the protocol, and sees each way of breaking it."""

import random
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from allpay.contest.game import Game, Setting
from allpay.contest.values import Private
from allpay.errors import AllpayError
from allpay.learners import learn, outcome_of, random_strategy
from allpay.learners.base import check_batch
from allpay.learners.conformance import check_learner_api
from allpay.study import Study, run


@dataclass(frozen=True)
class Fine:
    """Bidders who keep to what they begin with."""

    iterations: int = 2

    name: ClassVar[str] = "fine"
    setting: ClassVar[Setting] = Setting(Private(levels=3), bid_levels=5)
    continuous: ClassVar[bool] = True

    def learn(self, games, seeds):
        return outcome_of(self, games, seeds, self.run, auctions=50)

    def run(self, game, seed):
        for _ in range(self.iterations):
            yield random_strategy(game, seed)[None]


CALLS = iter(range(10**9))


class Thawed(Fine):
    """No dataclass of its own, but a child of one that is frozen: that is enough."""


@dataclass
class Melted:
    name: ClassVar[str] = "melted"
    setting: ClassVar[Setting] = Fine.setting
    continuous: ClassVar[bool] = True

    def learn(self, games, seeds): ...


@dataclass(frozen=True)
class Forgetful(Fine):
    """A pickled copy is another."""

    def __reduce__(self):
        return type(self), (self.iterations + 1,)


@dataclass(frozen=True)
class Unpickled(Fine):
    def __reduce__(self):
        raise TypeError("it holds a lock")


@dataclass(frozen=True)
class GlobalNumPy(Fine):
    def run(self, game, seed):
        np.random.seed(int(seed) % 2**32)  # noqa: NPY002
        return super().run(game, seed)


@dataclass(frozen=True)
class GlobalPython(Fine):
    def run(self, game, seed):
        random.seed(int(seed))
        return super().run(game, seed)


@dataclass(frozen=True)
class Counting(Fine):
    """Every call draws other numbers."""

    def run(self, game, seed):
        return super().run(game, seed + np.uint64(next(CALLS)))


@dataclass(frozen=True)
class Deaf(Fine):
    """All rounds are the same."""

    def learn(self, games, seeds):
        return super().learn(games, np.zeros_like(seeds))


@dataclass(frozen=True)
class Placed(Fine):
    """A run depends on its place in the batch."""

    def learn(self, games, seeds):
        return super().learn(games, seeds + np.arange(seeds.size, dtype=np.uint64).reshape(seeds.shape))


@dataclass(frozen=True)
class Batched(Fine):
    """A run depends on how many designs there are."""

    def learn(self, games, seeds):
        return super().learn(games, seeds + np.uint64(len(games)))


@dataclass(frozen=True)
class Ordered(Fine):
    """A run depends on which design comes first."""

    def learn(self, games, seeds):
        weight = int(1000 * games[0].mechanism.prizes[0]) if len(games) == 3 else 500
        return super().learn(games, seeds + np.uint64(weight))


@dataclass(frozen=True)
class Careless(Fine):
    """Games and seeds that do not fit together are not refused."""

    def learn(self, games, seeds):
        try:
            check_batch(games, seeds)
        except AllpayError as error:
            return self.otherwise(error)
        return super().learn(games, seeds)

    def otherwise(self, error):
        return None


@dataclass(frozen=True)
class Unseeded(Careless):
    """Games of several shapes are refused, seeds of another number are not."""

    def otherwise(self, error):
        if "seeds" not in str(error):
            raise error


@dataclass(frozen=True)
class Crashing(Careless):
    def otherwise(self, error):
        raise IndexError("list index out of range")


@dataclass(frozen=True)
class Wordy(Careless):
    def otherwise(self, error):
        raise AllpayError("no:\nthey do not fit")


def first(array, value):
    """A copy in which the first number is another."""
    array = np.array(array)
    array.flat[0] = value
    return array


def bids_above(outcome):
    """Bids of any size, also where they are not allowed."""
    if outcome.games[0].overbidding:
        return outcome
    return replace(outcome, strategy=np.full_like(outcome.strategy, 1 / outcome.strategy.shape[-1]))


CHANGES = {
    "no outcome": (lambda _: {"revenue": 1}, r"fine must return an Outcome: got \{'revenue': 1\}"),
    "bids that are not allowed": (
        bids_above,
        "fine: in design 0, round 0: a strategy plays a bid above the bidder's value",
    ),
}
"""What is done to an outcome, and what is then said of it."""

FIELDS = {
    "revenue": [
        (lambda x: x[0], r"revenue must have the shape \[designs, rounds\] = \(3, 3\): got \(3,\)"),
        (lambda x: first(x, np.nan), "revenue must be finite: got nan"),
        (lambda x: x * 1.001, r"revenue must be that of the strategy, .* by `evaluate`: got"),
    ],
    "highest_bid": [(lambda x: x + 1e-6, "highest_bid must be that of the strategy")],
    "exploitability": [(lambda x: x / 2, "exploitability must be that of the strategy")],
    "payoff": [
        (lambda x: first(x, np.inf), "payoff must be finite: got inf"),
        (lambda x: x + 1e-6, "payoff must be that of the strategy"),
    ],
    "realised_revenue": [(lambda x: x - 9, r"realised_revenue must lie in \[0, 1\.5\]: got -")],
    "realised_highest_bid": [(lambda x: x + 9, r"realised_highest_bid must lie in \[0, ")],
    "strategy": [
        (lambda x: x[:, :, 0], r"strategy must have the shape .* = \(3, 3, 1 or 3, 4, 6\): got \(3, 3, 4, 6\)"),
        (lambda x: first(x, np.nan), "strategy must be finite: got nan"),
        (lambda x: x / 2, "fine: in design 0, round 0: a strategy must sum to 1: got 0.5"),
        (lambda x: -x, "must be finite and not negative"),
    ],
    "history": [
        (lambda x: x[:, 0], r"history must have the shape .*checkpoints\] = \(3, 3, …\): got \(3, 32\)"),
        (lambda x: x * np.nan, "history must be exploitabilities, one at least"),
        (lambda x: first(x, np.nan), "NaN only after the run has ended"),
        (lambda x: first(x, -1.0), "history must be exploitabilities"),
    ],
    "iterations": [
        (lambda x: x / 4, "iterations must be whole numbers"),
        (lambda x: x * 0, "iterations must be whole numbers, at least 1: got"),
    ],
    "auctions": [(lambda _: -1, "auctions must be at least 0: got -1")],
    "tolerance": [(lambda _: 0.0, "tolerance must be above 0: got 0")],
    "games": [(lambda x: x[::-1], "games must be those that were learned, in their order")],
    "learner": [(lambda _: "other", "learner must be the name of the learner: got 'other'")],
}
"""What is done to a field of an outcome."""

CHANGES |= {
    f"{field} {k}": (lambda o, field=field, value=value: replace(o, **{field: value(getattr(o, field))}), message)
    for field, changes in FIELDS.items()
    for k, (value, message) in enumerate(changes)
}


@dataclass(frozen=True)
class Changed(Fine):
    """Returns another outcome than it has."""

    change: str = ""

    def learn(self, games, seeds):
        return CHANGES[self.change][0](super().learn(games, seeds))


@dataclass(frozen=True)
class Greedy(Fine):
    """Takes the seeds away."""

    def learn(self, games, seeds):
        outcome = super().learn(games, seeds)
        seeds[:] = 0
        return outcome


BROKEN = {
    "no name": (type("Unnamed", (Fine,), {"name": None})(), r"Unnamed\.name must be a text"),
    "no setting": (type("Unset", (Fine,), {"setting": None})(), r"Unset\.setting must be who bids for what"),
    "no kind of grid": (type("Undecided", (Fine,), {"continuous": "yes"})(), r"Undecided\.continuous must be whether"),
    "no method": (type("Mute", (Fine,), {"learn": None})(), "a learner is needed"),
    "a class": (Fine, r"Fine is a class: call it, as Fine\(\)"),
    "not frozen": (Melted(), r"melted: .*Melted must be a frozen dataclass: put @dataclass\(frozen=True\) above it"),
    "not pickled": (
        Unpickled(),
        "workers are sent the learner, so it must be one that can be pickled: it holds a lock",
    ),
    "another when pickled": (Forgetful(), r"a pickled copy must equal it: got Forgetful\(iterations=3\)"),
    "seeds that are changed": (Greedy(), "seeds must be left as they are: learning has changed them"),
    "NumPy's global numbers": (GlobalNumPy(), "the global random state must be left alone"),
    "Python's global numbers": (GlobalPython(), "the global random state must be left alone"),
    "numbers of its own": (Counting(), "equal seeds must give equal bits: .* differed in the second of two calls"),
    "numbers by place": (Placed(), "equal seeds must give equal bits: .* differed between two rounds"),
    "the same in all rounds": (Deaf(), "other seeds must give other runs"),
    "numbers by the size of the batch": (
        Batched(),
        "a run must not depend on its batch: .* if design 0 is learned alone",
    ),
    "numbers by the order": (Ordered(), "a run must not depend on its batch: .* if "),
    "anything goes": (Careless(), "games of two shapes must be refused by an AllpayError; allpay"),
    "any number of seeds": (
        Unseeded(),
        "seeds for more designs than there are must be refused by an AllpayError; allpay",
    ),
    "a crash": (Crashing(), "games of two shapes must be refused by an AllpayError: got IndexError"),
    "many lines": (Wordy(), r"games of two shapes must be refused in one line: got 'no:\\nthey do not fit'"),
}


BROKEN |= {name: (Changed(change=name), message) for name, (_, message) in CHANGES.items()}


FIELDS_ALONE = {
    "revenue": [
        (lambda x: x.astype(str), r"revenue must be a NumPy array of numbers: got an array of <U32"),
        (lambda x: x.astype(object), "revenue must be a NumPy array of numbers: got an array of object"),
        (lambda x: x + 0j, "revenue must be a NumPy array of numbers: got an array of complex128"),
        (lambda x: x > 0, "revenue must be a NumPy array of numbers: got an array of bool"),
        (lambda x: x.tolist(), r"revenue must be a NumPy array of numbers: got \[\["),
        (lambda _: None, "revenue must be a NumPy array of numbers: got None"),
        (lambda x: first(x, -np.inf), "revenue must be finite: got -inf"),
        (lambda x: first(x, -1e-3), r"revenue must lie in \[0, 1\.5\]: got -0\.001"),
        (lambda x: first(x, 1e9), r"revenue must lie in \[0, 1\.5\]: got 1e\+09"),
    ],
    "highest_bid": [
        (lambda x: first(x, np.inf), "highest_bid must be finite: got inf"),
        (lambda x: x + 9, r"highest_bid must lie in \[0, "),
    ],
    "exploitability": [
        (lambda x: first(x, np.nan), "exploitability must be finite: got nan"),
        (lambda x: x - 9, r"exploitability must lie in \[0, inf\]: got -"),
    ],
    "realised_revenue": [(lambda x: first(x, np.nan), "realised_revenue must be finite: got nan")],
    "realised_highest_bid": [(lambda x: first(x, np.inf), "realised_highest_bid must be finite: got inf")],
    "strategy": [
        (lambda x: x + 0j, "strategy must be a NumPy array of numbers: got an array of complex128"),
        (lambda x: x.tolist(), "strategy must be a NumPy array of numbers: got"),
    ],
    "history": [
        (lambda x: first(x, np.inf), "history must be exploitabilities"),
        (lambda x: x.astype(str), "history must be a NumPy array of numbers"),
    ],
    "iterations": [(lambda x: x.astype(float) * np.nan, "iterations must be finite: got nan")],
    "auctions": [
        (lambda _: "many", "auctions must be at least 0: got 'many'"),
        (lambda _: 2.5, "auctions must be at least 0: got 2.5"),
    ],
    "tolerance": [
        (lambda _: np.nan, "tolerance must be above 0: got nan"),
        (lambda _: np.inf, "tolerance must be above 0: got inf"),
        (lambda _: "0.1", "tolerance must be above 0: got '0.1'"),
    ],
}
"""What is done to a field, that can be seen without evaluating any strategy."""

CHANGES |= {
    f"{field} alone {k}": (lambda o, field=field, value=value: replace(o, **{field: value(getattr(o, field))}), message)
    for field, changes in FIELDS_ALONE.items()
    for k, (value, message) in enumerate(changes)
}


CHEAP = [name for name, (_, message) in CHANGES.items() if "that of the strategy" not in message and name != "games 0"]
"""Changes that are seen without evaluating a strategy; one game is its own reverse."""


@pytest.mark.parametrize("name", CHEAP)
def test_what_cannot_be_an_outcome_enters_no_table(name):
    """The checks that cost nothing are made whenever somebody else's learner has learned."""
    learner, game = Changed(change=name), Game.from_weights("prizes", 0.8, 3, values=Private(levels=4), bid_levels=6)
    if name == "bids that are not allowed":
        game = replace(game, overbidding=False)
    with pytest.raises(AllpayError, match=r"^fine( must|: )") as error:
        learn(game, learner, rounds=3)
    assert len(str(error.value)) <= 300
    study = Study(learner=learner, setting=Setting(game.values, bid_levels=6, overbidding=game.overbidding), samples=2)
    with pytest.raises(AllpayError, match=r"^batch 0 .* failed: fine( must|: )"):
        run(study)


def test_seeds_are_left_alone():
    game = Game.from_weights("prizes", 0.8, 3, values=Private(levels=4), bid_levels=6)
    with pytest.raises(AllpayError, match="fine: seeds must be left as they are"):
        learn(game, Greedy(), rounds=3)


@pytest.mark.parametrize("learner", [Fine(), Fine(iterations=40), Thawed()])
def test_what_keeps_the_protocol_passes(learner):
    check_learner_api(learner)


@pytest.mark.parametrize(("learner", "message"), BROKEN.values(), ids=BROKEN)
def test_what_breaks_it_is_told_how(learner, message):
    with pytest.raises(AllpayError, match=message) as error:
        check_learner_api(learner)
    assert "\n" not in str(error.value)
