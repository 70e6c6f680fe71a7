"""Numbers as they come in: whoever gave them, they are Python's own from then on."""

import dataclasses
import json
import math
import re
from fractions import Fraction

import numpy as np
import pytest

from allpay import (
    Bidder,
    Common,
    DesignSpace,
    EpsilonGreedy,
    FictitiousPlay,
    Game,
    Private,
    Setting,
    Study,
    Uniform,
    exact_design,
    learn,
)
from allpay import all_pay as all_pay_of
from allpay.contest.mechanism import Mechanism
from allpay.contest.values import Beta, Discrete, Lognormal, Power, integers
from allpay.errors import AllpayError
from allpay.learners import LEARNERS, run_seeds
from allpay.scalars import real, truth, whole
from allpay.simplex import Box, OrderedSimplex

WHOLE = [np.int8, np.uint8, np.int64, np.uint64, np.array, lambda x: np.array(x, np.int32)]
REAL = [np.float32, np.float64, np.float16, np.longdouble, np.array, Fraction]


def plain(value: object) -> bool:
    """Whether a value holds nothing but Python's own numbers, texts and dataclasses of them."""
    if dataclasses.is_dataclass(value):
        return all(plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init)
    if isinstance(value, tuple):
        return all(plain(part) for part in value)
    return value is None or type(value) in {bool, int, float, str} or isinstance(value, (int, str))


@pytest.mark.parametrize("kind", WHOLE)
def test_whole_numbers_of_numpy_become_plain(kind):
    assert type(whole("n", kind(3))) is int
    space = DesignSpace("prizes", kind(4), kind(2))
    study = Study(
        space, FictitiousPlay(iterations=kind(5), auctions=kind(7)), samples=kind(6), rounds=kind(2), seed=kind(1)
    )
    same = Study(DesignSpace("prizes", 4, 2), FictitiousPlay(iterations=5, auctions=7), samples=6, rounds=2, seed=1)
    assert json.dumps(study.specification()) == json.dumps(same.specification())
    assert plain(study.space)
    assert plain(study.learner)
    assert study == same


@pytest.mark.parametrize("kind", REAL)
def test_numbers_of_numpy_become_plain(kind):
    setting = Setting(Private(Uniform(kind(0.0), kind(0.5))), cost_power=kind(1.5), max_bid=kind(0.25))
    assert plain(setting)
    assert setting == Setting(Private(Uniform(0, 0.5)), cost_power=1.5, max_bid=0.25)
    for made in (Beta(kind(2), kind(5)), Power(kind(2)), Lognormal(kind(0), kind(1), kind(2)), Common(kind(2))):
        assert plain(made)
    assert plain(Discrete((kind(0), kind(0.5))))
    assert plain(Mechanism.from_weights("prizes", kind(0.75), 3))
    assert plain(OrderedSimplex(3, 2, first_at_most=kind(0.75)))
    assert plain(Box(3, (kind(0),), (kind(1),)))
    game = Game(all_pay_of(3), cost_power=kind(1.5), risk_aversion=kind(0.5), max_bid=kind(0.5))
    assert plain(game)


def test_a_small_kind_of_number_does_not_overflow():
    study = Study(DesignSpace(bidders=np.int8(100)), samples=np.int8(100), rounds=np.int8(100))
    assert study.samples * study.rounds == 10_000


@pytest.mark.parametrize("given", [np.False_, np.array(False), False])
def test_truths_of_numpy_become_plain(given):
    setting = Setting(overbidding=given)
    assert setting.overbidding is False
    assert json.dumps(Study(setting=setting).specification()["setting"]["overbidding"]) == "false"
    assert Game(all_pay_of(3), overbidding=given).overbidding is False
    assert EpsilonGreedy(restart=given).restart is False


@pytest.mark.parametrize("name", list(LEARNERS))
def test_every_number_of_every_learner_becomes_plain_or_is_refused(name):
    usual = LEARNERS[name]()
    for field in dataclasses.fields(usual):
        value = getattr(usual, field.name)
        if isinstance(value, (bool, int, float)):
            wrong = "no" if isinstance(value, bool) else str(value)
            with pytest.raises(AllpayError, match=field.name):
                dataclasses.replace(usual, **{field.name: wrong})
            same = dataclasses.replace(usual, **{field.name: np.asarray(value)[()]})
            assert same == usual
            assert type(getattr(same, field.name)) is type(np.asarray(value).item())
        if type(value) is int:
            with pytest.raises(AllpayError, match=f"{field.name} must be a whole number"):
                dataclasses.replace(usual, **{field.name: float(value)})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Study(samples=2.0), "samples must be a whole number: got 2.0"),
        (lambda: Study(rounds=np.float64(2)), "rounds must be a whole number"),
        (lambda: Study(seed=1.0), "seed must be a whole number"),
        (lambda: Study(seed=True), "seed must be a whole number: got True"),
        (lambda: DesignSpace(bidders=3.0), "bidders must be a whole number"),
        (lambda: DesignSpace(ranks=2.0), "ranks must be a whole number"),
        (lambda: DesignSpace(first_at_most="0.8"), "first_at_most must be a number"),
        (lambda: Setting(bid_levels=11.0), "bid levels must be a whole number"),
        (lambda: Setting(overbidding="no"), "overbidding must be True or False: got 'no'"),
        (lambda: Setting(overbidding=0), "overbidding must be True or False: got 0"),
        (lambda: Private(levels=4.0), "value levels must be a whole number"),
        (lambda: learn(Game(all_pay_of(3)), FictitiousPlay(), rounds=2.0), "rounds must be a whole number"),
        (lambda: run_seeds(0, 2.0, 1), "designs must be a whole number"),
        (lambda: OrderedSimplex(3.0, 2), "n must be a whole number"),
        (lambda: Discrete("123"), "discrete values must be several numbers: got '123'"),
        (lambda: Discrete(b"123"), "discrete values must be several numbers"),
        (lambda: Discrete({1.0, 2.0}), "discrete values must be several numbers"),
        (lambda: Discrete({1: 2}), "discrete values must be several numbers"),
        (lambda: Discrete(("1", "2")), "discrete values must be a number: got '1'"),
        (lambda: Common(10**400), "a common value must be finite"),
        (lambda: integers(0, "9"), "high must be a number"),
        (lambda: whole("n", "9" * 1000), "n must be a whole number: got '9"),
        (lambda: truth("t", None), "t must be True or False"),
    ],
)
def test_what_is_no_such_number_is_refused_in_one_line(make, message):
    with pytest.raises(AllpayError) as caught:
        make()
    text = str(caught.value)
    assert text.startswith(message)
    assert "\n" not in text
    assert len(text) <= 300


def test_jax_scalars_are_numbers():
    import jax.numpy as jnp

    assert type(whole("n", jnp.asarray(3))) is int
    assert type(real("x", jnp.asarray(0.5))) is float
    assert truth("t", jnp.asarray(False)) is False


def test_seeds_do_not_depend_on_the_kind_of_number():
    assert np.array_equal(run_seeds(np.int64(3), np.int64(2), np.int32(2)), run_seeds(3, 2, 2))


@pytest.mark.parametrize(
    "make",
    [
        lambda over: Game.from_weights("prizes", over),
        lambda over: Mechanism((1.0, 0.0), (over, 0.0)),
        lambda over: Bidder(presence=over),
        lambda over: EpsilonGreedy(exploration=over),
        lambda over: exact_design(DesignSpace("prizes"), within=over),
    ],
)
def test_a_number_just_out_of_its_bounds_is_not_told_as_the_bound(make):
    for over in (1.0000001, math.nextafter(1, 2)):
        with pytest.raises(AllpayError, match=re.escape(f"got {over!r}")):
            make(over)
