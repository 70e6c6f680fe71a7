"""Rank-order mechanisms: what the weights become, and the message that each fault gets."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allpay.contest.mechanism import MOST_BIDDERS, RULES, Mechanism, all_pay, complete_weights, first_price
from allpay.errors import AllpayError


def refuses(message: str):
    """The error's message contains these words, literally, and is one line."""
    return pytest.raises(AllpayError, match=rf"\A(?=[^\n]*\Z).*{re.escape(message)}")


def test_the_two_rules():
    assert Mechanism.from_weights("prizes", 0.8, 3) == Mechanism((0.8, 0.2, 0.0), (1.0, 1.0, 1.0))
    assert Mechanism.from_weights("payments", 0.8, 3) == Mechanism((1.0, 0.0, 0.0), (0.8, 0.2, 0.0))


def test_special_cases():
    assert first_price(4) == Mechanism((1, 0, 0, 0), (1, 0, 0, 0))
    assert all_pay(4) == Mechanism((1, 0, 0, 0), (1, 1, 1, 1))
    assert all_pay(2).bidders == 2


def test_one_number_is_for_three_bidders_unless_told():
    assert complete_weights(0.7) == (0.7, 0.3, 0.0)
    assert complete_weights(1) == (1.0, 0.0, 0.0)
    assert complete_weights(0.5, 2) == (0.5, 0.5)
    assert complete_weights(0.7, 5) == (0.7, 0.3, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64])
def test_numbers_of_numpy_are_numbers(kind):
    assert complete_weights(kind(1)) == (1.0, 0.0, 0.0)
    assert complete_weights(np.array([0.5, 0.5]), 3) == (0.5, 0.5, 0.0)


def test_a_vector_is_for_as_many_bidders_as_it_has_weights():
    assert complete_weights((0.5, 0.3, 0.2)) == (0.5, 0.3, 0.2)
    assert complete_weights([1.0]) == (1.0, 0.0)
    assert complete_weights([0.6, 0.4], 4) == (0.6, 0.4, 0.0, 0.0)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("weights", "bidders", "message"),
    [
        ((0.5, 0.3), 3, "weights must sum to 1: 0.5, 0.3 sum to 0.8"),
        ((0.6, 0.5), 3, "weights must sum to 1: 0.6, 0.5 sum to 1.1"),
        ((0.2, 0.3, 0.5), 3, "weights must be nonincreasing: got 0.2 before 0.3 (positions 1, 2)"),
        ((0.5, 0.2, 0.3), 3, "weights must be nonincreasing: got 0.2 before 0.3 (positions 2, 3)"),
        (0.3, 3, "w must be at least 0.5 for (w, 1−w, 0, …): got 0.3"),
        ((1.2, -0.2), 3, "weights must not be negative: got -0.2 at position 2"),
        (-0.1, 3, "w must be at least 0.5 for (w, 1−w, 0, …): got -0.1"),
        ((0.5, math.nan, 0.5), 3, "weights must be finite numbers: got nan at position 2"),
        (math.nan, 3, "w must be a finite number for (w, 1−w, 0, …): got nan"),
        (math.inf, 3, "w must be a finite number for (w, 1−w, 0, …): got inf"),
        (10**400, 3, "weights must be finite: got a number above 1e308"),
        ("0.8", 3, "weights must be numbers: got the text '0.8'; give them without quotes"),
        (["0.5", "0.5"], 3, "weights must be a number: got '0.5'"),
        (None, 3, "weights must be a number, or several: got None"),
        (0.8, 2.5, "bidders must be a whole number: got 2.5"),
        (0.8, "3", "bidders must be a whole number: got '3'"),
        (0.8, 1_000_000_000, "bidders must be at most 100,000: got 1,000,000,000; give fewer"),
        ((math.inf,), 3, "weights must be finite numbers: got inf at position 1"),
        ((0.4, 0.3, 0.2, 0.1), 3, "too many weights: got 4 for 3 bidders; give at most one per bidder"),
        (1.5, 3, "one weight w stands for (w, 1−w, 0, …) and must be at most 1: got 1.5"),
        ((), None, "weights must sum to 1"),
        (0.8, 1, "an auction needs at least 2 bidders: got 1"),
        (0.8, 0, "an auction needs at least 2 bidders: got 0"),
        ((1.0,), 1, "an auction needs at least 2 bidders: got 1"),
    ],
)
def test_bad_weights_are_refused_by_name(rule, weights, bidders, message):
    with refuses(message):
        Mechanism.from_weights(rule, weights, bidders)


@pytest.mark.parametrize(
    ("given_name", "nearest"),
    [("prize", "prizes"), ("payment", "payments"), ("Prizes", "prizes"), ("paymnets", "payments")],
)
def test_a_misspelt_rule_is_told_the_nearest(given_name, nearest):
    with refuses(f"unknown rule {given_name!r}: choose from prizes, payments; did you mean {nearest!r}?"):
        Mechanism.from_weights(given_name, 0.8)


def test_a_rule_like_no_other_gets_the_list_and_no_guess():
    with pytest.raises(AllpayError, match=r"choose from prizes, payments$"):
        Mechanism.from_weights("xyz", 0.8)


@pytest.mark.parametrize(
    ("prizes", "payments", "message"),
    [
        ("10", (1.0, 1.0), "prizes must be numbers: got the text '10'"),
        ((1.0, 0.0), 1.0, "payments must be a number, or several: got 1.0"),
        ((1.0,), (1.0,), "an auction needs at least 2 bidders: got 1"),
        ((), (), "an auction needs at least 2 bidders: got 0"),
        ((1.0, 0.0), (1.0,), "prizes and payments must have one number per rank: got 2 and 1"),
        ((0.0, 1.0), (1.0, 1.0), "prizes must be nonincreasing: got 0 before 1 (positions 1, 2)"),
        ((1.0, -1.0), (1.0, 1.0), "prizes must not be negative: got -1 at position 2"),
        ((math.nan, 0.0), (1.0, 1.0), "prizes must be finite numbers: got nan at position 1"),
        ((1.0, 0.0), (1.0, 1.5), "payments must lie in [0, 1]: got 1.5 at position 2"),
        ((1.0, 0.0), (-0.5, 1.0), "payments must not be negative: got -0.5 at position 1"),
        ((1.0, 0.0), (math.inf, 1.0), "payments must be finite numbers: got inf at position 1"),
    ],
)
def test_a_mechanism_given_by_hand_is_checked_too(prizes, payments, message):
    with refuses(message):
        Mechanism(prizes, payments)


def test_the_most_bidders_are_as_many_as_the_bound_says():
    assert all_pay(np.int64(MOST_BIDDERS)).bidders == MOST_BIDDERS
    for make in (first_price, all_pay):
        with refuses("bidders must be at most"):
            make(MOST_BIDDERS + 1)


@pytest.mark.parametrize("bidders", [0, 1, -3])
def test_the_special_cases_need_two_bidders(bidders):
    for make in (first_price, all_pay):
        with refuses(f"an auction needs at least 2 bidders: got {bidders}"):
            make(bidders)


def test_payments_of_a_mechanism_need_no_order():
    assert Mechanism((1, 0), (0.2, 1)).payments == (0.2, 1.0)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(w=st.floats(0.5, 1.0), bidders=st.integers(2, 12), rule=st.sampled_from(RULES))
def test_any_w_between_a_half_and_one_makes_a_mechanism(w, bidders, rule):
    m = Mechanism.from_weights(rule, w, bidders)
    weights = m.prizes if rule == "prizes" else m.payments
    assert m.bidders == len(m.prizes) == len(m.payments) == bidders
    assert weights[0] == w
    assert math.fsum(weights) == pytest.approx(1.0, abs=1e-14)
    assert Mechanism.from_weights(rule, weights) == m


def test_money_that_rises_is_refused_in_the_words_of_who_pays_it():
    with pytest.raises(AllpayError, match="prizes must not rise: rank 3 gets 7,500, more than the 2,500 of rank 2"):
        Mechanism.from_weights("prizes", (5000, 2500, 7500))
    with pytest.raises(AllpayError, match="weights must be nonincreasing"):
        Mechanism.from_weights("payments", (0.2, 0.8))
