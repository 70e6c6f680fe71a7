"""A stored result belongs to its question: what a study is written as, and what `dataclasses.replace` makes of one."""

import copy
import importlib
import json
import pickle
import sys
from dataclasses import dataclass, make_dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
import polars as pl
import pytest

from allpay import (
    DesignSpace,
    EpsilonGreedy,
    FictitiousPlay,
    Game,
    Outcome,
    Private,
    Setting,
    Study,
    Uniform,
    all_pay,
    equilibrium,
    evaluate,
    integers,
    learn,
    play,
    why_no_equilibrium,
)
from allpay.contest.game import Array
from allpay.errors import AllpayError
from allpay.learners import PPO
from allpay.learners.base import Seeds
from allpay.study import run
from allpay.study.file import study_of
from allpay.study.store import read_folder


@dataclass(frozen=True)
class Data:
    """Values drawn from observed ones, in whatever they come."""

    observed: object

    def quantile(self, q):
        values = np.sort(np.asarray(self.observed, float))
        return np.quantile(values, np.asarray(q, float))


def specified(distribution) -> dict:
    study = Study(setting=Setting(Private(distribution, 4)))
    return json.loads(json.dumps(study.specification(), allow_nan=False))["setting"]["values"]["distribution"]


LONG = np.linspace(0.1, 1.0, 5000)
OTHER = np.concatenate([LONG[:2000], LONG[2000:3000] ** 2 / LONG[2000], LONG[3000:]])  # `repr` shows the same of both


@pytest.mark.parametrize(
    "kind",
    [
        np.asarray,
        pd.Series,
        pl.Series,
        lambda a: pd.DataFrame({"a": a})["a"],
        tuple,
        lambda a: a.astype(np.float32),
        list,
    ],
)
def test_two_data_sets_are_two_studies(kind, tmp_path):
    one, other = Data(kind(LONG)), Data(kind(OTHER))
    assert specified(one) == specified(Data(kind(LONG.copy())))
    assert specified(one) != specified(other)
    learner = FictitiousPlay(iterations=3, auctions=10)
    run(Study(learner=learner, setting=Setting(Private(one, 4), bid_levels=5), samples=1, rounds=1), tmp_path / "study")
    with pytest.raises(AllpayError, match="holds another study"):
        run(
            Study(learner=learner, setting=Setting(Private(other, 4), bid_levels=5), samples=1, rounds=1),
            tmp_path / "study",
        )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.array([0.1, 0.2]), np.array([0.1, 0.3])),
        (np.array([0.5, 1.0]), np.array([0.5, 1.0], np.float32)),
        (np.array([[0.5, 1.0]]), np.array([0.5, 1.0])),
        (np.array([0.5, 1.0]), (0.5, 1.0)),
        (np.float32(0.1), 0.1),
        (float("nan"), float("inf")),
        ({"a": 1}, {"a": 2}),
        ({1, 2}, {1, 3}),
        (b"ab", b"ac"),
        (1 + 2j, 1 + 3j),
        (np.ma.array([1.0, 2.0], mask=[True, False]), np.ma.array([1.0, 2.0], mask=[False, True])),
        (np.array(["a", None], object), np.array(["b", None], object)),
        (np.array([(1, 2.0)], [("a", int), ("b", float)]), np.array([(1, 2.0)], [("a", int), ("c", float)])),
        (pd.Series([1.0, 2.0], index=[0, 1]), pd.Series([1.0, 2.0], index=[1, 0])),
        (pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1.0]})),
        (pl.DataFrame({"a": [1.0]}), pl.DataFrame({"a": [2.0]})),
        (pl.Series([1.0, None]), pl.Series([1.0, float("nan")])),
        (np.sin, np.cos),
        (Uniform(0, 1), Uniform(0, 0.5)),
    ],
)
def test_what_differs_is_written_differently(one, other):
    @dataclass(frozen=True)
    class Holding:
        held: object

        def quantile(self, q):
            return np.asarray(q, float)

    assert specified(Holding(one)) == specified(Holding(copy.deepcopy(one)))
    assert specified(Holding(one)) != specified(Holding(other))


@pytest.mark.parametrize("held", [lambda x: x, object(), np.random.default_rng(0), (i for i in [1.0]), open])
def test_what_cannot_be_written_down_is_refused_in_one_line(held):
    if held is open:
        held = iter([])
    with pytest.raises(AllpayError, match="observed of Data cannot be kept in a study folder: got ") as caught:
        Study(setting=Setting(Private(Data(held) if hasattr(held, "__len__") else _constant(held), 4))).specification()
    assert len(str(caught.value)) <= 300
    assert "\n" not in str(caught.value)


def _constant(held):
    made = Data(held)
    object.__setattr__(made, "quantile", lambda q: np.asarray(q, float))
    return made


def test_a_distribution_that_is_no_dataclass_is_refused():
    class Mine:
        def quantile(self, q):
            return np.asarray(q, float)

    study = Study(setting=Setting(Private(Mine(), 4)))
    with pytest.raises(
        AllpayError,
        match=r"distribution of Private cannot be kept.*; use numbers, texts, arrays, or",
    ):
        study.specification()


def test_a_users_lognormal_is_not_ours():
    fields = [("mean", float, 0.0), ("deviation", float, 1.0), ("high", float, 1.0)]
    own = make_dataclass("Lognormal", fields, frozen=True, namespace={"quantile": lambda self, q: np.asarray(q) ** 2})
    changed = make_dataclass(
        "Lognormal", fields, frozen=True, namespace={"quantile": lambda self, q: np.asarray(q) ** 3}
    )
    from allpay.contest.values import Lognormal

    names = {json.dumps(specified(kind())) for kind in (own, changed, Lognormal)}
    assert len(names) == 3
    assert specified(Lognormal())["type"] == "Lognormal"
    assert specified(own())["type"].endswith(":Lognormal")


def test_the_numbers_of_a_learners_array_are_part_of_it(tmp_path):
    @dataclass(frozen=True)
    class Mine:
        start: object
        name: ClassVar[str] = "mine"
        setting: ClassVar[Setting] = Setting(Private(levels=2), bid_levels=3)
        continuous: ClassVar[bool] = True

        def learn(self, games, seeds: Seeds) -> Outcome:
            return FictitiousPlay(iterations=2, auctions=10).learn(games, seeds)

    one, other = Mine(LONG), Mine(OTHER)
    assert repr(one) == repr(other)
    assert Study(learner=one).specification() != Study(learner=other).specification()


def test_our_own_classes_come_back_from_their_specification():
    study = Study(DesignSpace(bidders=4), EpsilonGreedy(iterations=500_000), samples=7, given=(0.8,))
    assert study_of(json.loads(json.dumps(study.specification()))).specification() == study.specification()


@pytest.mark.parametrize(
    ("before", "changes", "read", "expected"),
    [
        (DesignSpace(bidders=3), {"bidders": 10}, "ranks", 9),
        (DesignSpace(bidders=10), {"bidders": 3}, "ranks", 2),
        (DesignSpace("payments", region="box"), {"region": "simplex"}, "ranks", 2),
        (DesignSpace(bidders=5, ranks=3), {"bidders": 6}, "ranks", 3),
        (Study(), {"learner": EpsilonGreedy()}, "setting", EpsilonGreedy.setting),
        (Study(setting=Setting(bid_levels=7)), {"learner": EpsilonGreedy()}, "setting", Setting(bid_levels=7)),
        (Study(), {"strategy": "active"}, "sampling", "sobol"),
        (Study(strategy="active"), {"strategy": "sample"}, "sampling", "uniform"),
        (Study(sampling="grid", samples=20), {"sampling": "uniform"}, "samples", 20),
        (Study(sampling="grid", samples=20), {"space": DesignSpace(bidders=4)}, "samples", 15),
        (Study(given=(0.8, 0.9)), {"given": None}, "samples", 50),
        (Study(given=(0.8,)), {"space": DesignSpace(bidders=2)}, "given", ((0.8, 0.2),)),
        (
            Study(DesignSpace(bidders=5, ranks=2), given=((0.4, 0.3, 0.3),)),
            {"given": None},
            "space",
            DesignSpace(bidders=5, ranks=2),
        ),
        (Private(), {"distribution": integers(0, 9)}, "levels", 10),
        (Private(integers(0, 9)), {"distribution": Uniform()}, "levels", 64),
        (Private(integers(0, 9), 20), {"distribution": Uniform()}, "levels", 20),
        (PPO(), {"bids": "continuous"}, "entropy", PPO(bids="continuous").entropy),
        (PPO(), {"bids": "continuous"}, "final_entropy", PPO(bids="continuous").final_entropy),
    ],
)
@pytest.mark.parametrize("through", [lambda x: x, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_replace_keeps_what_was_asked_and_derives_the_rest(before, changes, read, expected, through):
    after = replace(through(before), **changes)
    assert getattr(after, read) == expected


@pytest.mark.parametrize(
    "made", [Study(), Study(given=(0.8,)), DesignSpace(), Private(), Setting(), PPO(), EpsilonGreedy()]
)
def test_replacing_nothing_changes_nothing(made):
    assert replace(made) == made
    assert replace(replace(made)) == made
    assert repr(replace(made)) == repr(made)


class Cautious(Game):
    """Losses count double."""

    def utility(self, money):
        z = np.asarray(money, float)
        return np.where(z < 0, 2 * z, z)


def test_a_utility_of_a_subclass_is_followed_by_exact_payoffs_too():
    game = Cautious(all_pay(3), Private(levels=4), bid_levels=5)
    strategy = np.full((1, 4, 5), 0.2)
    rng = np.random.default_rng(0)
    values, bids = rng.integers(0, 4, (100_000, 3)), rng.integers(0, 5, (100_000, 3))
    from allpay.contest.auction import settle

    sampled = settle(game, game.value_grid[values], game.bid_grid[bids], rng.random((100_000, 3))).utility.mean()
    assert evaluate(game, strategy).payoff.mean() == pytest.approx(sampled, abs=0.005)
    assert evaluate(Game(all_pay(3), Private(levels=4), bid_levels=5), strategy).payoff.mean() > sampled + 0.1
    assert equilibrium(game) is None
    assert "utility of its own" in why_no_equilibrium(game)
    tame = learn(game, FictitiousPlay(iterations=200, auctions=100), rounds=1)
    bold = learn(
        Game(all_pay(3), Private(levels=4), bid_levels=5), FictitiousPlay(iterations=200, auctions=100), rounds=1
    )
    assert tame.revenue.mean() < bold.revenue.mean()


def test_a_subclass_may_not_say_otherwise_what_follows_from_the_fields():
    with pytest.raises(AllpayError, match=r"may have a utility of its own: got costs"):

        class Dear(Game):
            @property
            def costs(self) -> Array:
                return 2 * self.bid_grid


def test_outcomes_and_evaluations_can_be_compared():
    game = Game(all_pay(3), Private(levels=4), bid_levels=5)
    one, same, other = (learn(game, FictitiousPlay(iterations=5, auctions=10), rounds=2, seed=s) for s in (0, 0, 1))
    assert one == same
    assert one != other
    assert one != "outcome"
    assert one in [other, same]
    assert hash(one) == hash(same)
    strategy = np.full((1, 4, 5), 0.2)
    assert evaluate(game, strategy) == evaluate(game, strategy)
    assert play(game, strategy, 5, 1) == play(game, strategy, 5, 1)
    assert play(game, strategy, 5, 1) != play(game, strategy, 5, 2)
    assert equilibrium(game) == equilibrium(game)


@pytest.mark.parametrize("made", [Game(all_pay(3)), DesignSpace(), Study()])
def test_what_is_read_of_a_thing_does_not_change_its_pickle(made):
    before = pickle.dumps(made)
    for name in ("value_grid", "bid_grid", "costs", "allowed", "polytope", "designs", "stages"):
        getattr(made, name, None)
    assert pickle.dumps(made) == before


OWN = """
from dataclasses import dataclass
import numpy as np

@dataclass(frozen=True)
class Squared:
    scale: float = 1.0
    start: object = None

    def quantile(self, q):
        return self.scale * np.asarray(q, float) ** {power}
"""


def test_a_study_of_an_importable_distribution_goes_on_from_its_folder(tmp_path, monkeypatch):
    (tmp_path / "own_values.py").write_text(OWN.format(power=2))
    monkeypatch.syspath_prepend(str(tmp_path))
    from own_values import Squared

    values = Private(Squared(np.float64(2), np.array([1.0, np.inf], np.float32)), 3)
    learner = FictitiousPlay(iterations=3, auctions=10)
    study = Study(learner=learner, setting=Setting(values, bid_levels=4), samples=4, rounds=1)
    whole = run(study, tmp_path / "study", batch=2).table
    (tmp_path / "study" / "batches" / "batch-00001.parquet").unlink()
    held = study_of(read_folder(tmp_path / "study").specification)
    assert type(held.setting.values.distribution) is Squared
    assert run(held, tmp_path / "study").table.equals(whole)


def test_a_distribution_whose_code_has_changed_is_another(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    found = []
    for power in (2, 3):
        (tmp_path / "changing.py").write_text(OWN.format(power=power))
        sys.modules.pop("changing", None)
        importlib.invalidate_caches()
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        found.append(specified(importlib.import_module("changing").Squared()))
    assert found[0]["type"] == found[1]["type"] == "changing:Squared"
    assert found[0] != found[1]
