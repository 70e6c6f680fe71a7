"""The payoff engine against enumeration of every profile of bids and every order of a tie."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.payoffs import (
    averages_of,
    best_responses,
    evaluate,
    expected_payoffs,
    payoffs_of,
    quadrature,
    tie_averages,
)
from allpay.contest.values import Common, Private
from allpay.errors import AllpayError


def enumerated_payoffs(g: Game, rivals: np.ndarray) -> np.ndarray:
    """`[values, bids]` by brute force: every profile of the rivals' bids, the tied ranks shared equally."""
    a, p = g.mechanism.prizes, g.mechanism.payments
    total = np.zeros((len(g.value_grid), g.bid_levels))
    for mine in range(g.bid_levels):
        for profile in itertools.product(range(g.bid_levels), repeat=g.bidders - 1):
            probability = math.prod(rivals[r, bid] for r, bid in enumerate(profile))
            above = sum(bid > mine for bid in profile)
            tied = sum(bid == mine for bid in profile)
            for rank in range(above, above + tied + 1):
                money = g.value_grid * a[rank] - p[rank] * g.costs[mine]
                total[:, mine] += probability / (tied + 1) * g.utility(money)
    return total


def enumerated_outcome(g: Game, mass: np.ndarray) -> tuple[float, float]:
    """Revenue and highest bid by brute force over all profiles and all orders of the bidders."""
    revenue = highest = 0.0
    orders = list(itertools.permutations(range(g.bidders)))
    for profile in itertools.product(range(g.bid_levels), repeat=g.bidders):
        probability = math.prod(mass[i, bid] for i, bid in enumerate(profile))
        highest += probability * g.bid_grid[max(profile)]
        for order in orders:
            ranked = sorted(range(g.bidders), key=lambda i: (-profile[i], order[i]))
            paid = sum(g.mechanism.payments[k] * g.bid_grid[profile[i]] for k, i in enumerate(ranked))
            revenue += probability * paid / len(orders)
    return revenue, highest


def random_game(rng: np.random.Generator, bidders: int, bids: int) -> Game:
    prizes = tuple(np.sort(rng.random(bidders))[::-1])
    return Game(
        Mechanism(prizes, tuple(rng.random(bidders))),
        Private(levels=int(rng.integers(1, 4))) if rng.random() < 0.7 else Common(1.5),
        cost_power=float(rng.choice([1.0, 2.0])),
        risk_aversion=float(rng.choice([0.0, 2.0])),
        bid_levels=bids,
        max_bid=1.0,
    )


def mixtures(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random mixtures, with some bids never made so that ties and gaps both occur."""
    rows = rng.random(shape) * (rng.random(shape) < 0.7)
    rows[..., 0] += 1e-3
    return rows / rows.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("bidders", [2, 3, 4])
@pytest.mark.parametrize("bids", [2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_payoffs_equal_enumeration(bidders, bids, seed):
    rng = np.random.default_rng([bidders, bids, seed])
    g = random_game(rng, bidders, bids)
    one = mixtures(rng, bids)
    same = np.tile(one, (bidders - 1, 1))
    np.testing.assert_allclose(expected_payoffs(g, one), enumerated_payoffs(g, same), rtol=0, atol=1e-12)
    differ = mixtures(rng, bidders - 1, bids)
    np.testing.assert_allclose(expected_payoffs(g, differ), enumerated_payoffs(g, differ), rtol=0, atol=1e-12)


@pytest.mark.parametrize("rule", ["prizes", "payments"])
@pytest.mark.parametrize("bidders", [2, 3, 4])
def test_both_rules_equal_enumeration(rule, bidders):
    rng = np.random.default_rng(bidders)
    for w in (0.5, 0.8, 1.0):
        g = Game.from_weights(rule, w, bidders, bid_levels=4, max_bid=1.0)
        same = np.tile(mixtures(rng, 4), (bidders - 1, 1))
        np.testing.assert_allclose(expected_payoffs(g, same[0]), enumerated_payoffs(g, same), rtol=0, atol=1e-12)


@pytest.mark.parametrize("bidders", [2, 3])
@pytest.mark.parametrize("symmetric", [True, False])
def test_evaluation_equals_enumeration(bidders, symmetric):
    rng = np.random.default_rng(bidders)
    g = random_game(rng, bidders, 4)
    strategy = mixtures(rng, 1 if symmetric else bidders, len(g.value_grid), 4)
    everyone = np.repeat(strategy, bidders, axis=0) if symmetric else strategy
    mass = everyone.mean(axis=1)
    found = evaluate(g, strategy)
    revenue, highest = enumerated_outcome(g, mass)
    assert found.revenue == pytest.approx(revenue, abs=1e-12)
    assert found.highest_bid == pytest.approx(highest, abs=1e-12)
    for i in range(bidders):
        u = enumerated_payoffs(g, np.delete(mass, i, axis=0))
        assert found.payoff[i] == pytest.approx((u * everyone[i]).sum() / len(u), abs=1e-12)
        assert found.exploitability[i] == pytest.approx(
            (u.max(axis=1) - (u * everyone[i]).sum(axis=1)).mean(), abs=1e-12
        )


@pytest.mark.parametrize("bidders", [17, 40])
def test_many_bidders_agree_with_rivals_counted_one_by_one(bidders):
    rng = np.random.default_rng(bidders)
    g = random_game(rng, bidders, 6)
    mass = mixtures(rng, 6)
    np.testing.assert_allclose(
        expected_payoffs(g, mass), expected_payoffs(g, np.tile(mass, (bidders - 1, 1))), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("bidders", [1000, 5000])
def test_a_thousand_bidders_are_stable(bidders):
    """Against the antiderivative of P_k, (1/n) P(Binomial(n, q) ≥ n − k + 1): a formula the engine does not use."""
    from scipy.stats import binom

    rng = np.random.default_rng(0)
    cdf = np.concatenate([[0.0], np.sort(np.concatenate([rng.random(9), 1 - rng.random(10) / bidders])), [1.0]])
    ranks = np.array([0, 1, 5, 19])
    coefficients = (np.arange(bidders) == ranks[:, None]).astype(float)
    rule = quadrature(bidders)
    out = np.empty((len(ranks), len(cdf) - 1))
    tie_averages(coefficients, cdf, rule.nodes, rule.weights, rule.log_binomials, out)
    phi = binom.sf(bidders - ranks[:, None] - 1, bidders, cdf[None, :]) / bidders
    np.testing.assert_allclose(out, np.diff(phi, axis=1) / np.diff(cdf), rtol=0, atol=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), bidders=st.integers(2, 30))
def test_rank_probabilities_sum_to_one(seed, bidders):
    rng = np.random.default_rng(seed)
    cdf = np.concatenate([[0.0], np.cumsum(mixtures(rng, 7))])
    cdf[-1] = 1.0
    rule = quadrature(bidders)
    out = np.empty((bidders, 7))
    tie_averages(np.eye(bidders), cdf, rule.nodes, rule.weights, rule.log_binomials, out)
    np.testing.assert_allclose(out.sum(axis=0), 1.0, atol=1e-12)
    assert out.min() >= -1e-13


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), bidders=st.integers(2, 5))
def test_exploitability_is_never_negative_and_labels_do_not_matter(seed, bidders):
    rng = np.random.default_rng(seed)
    g = random_game(rng, bidders, 5)
    strategy = mixtures(rng, bidders, len(g.value_grid), 5)
    found = evaluate(g, strategy)
    assert found.exploitability.min() >= 0
    order = rng.permutation(bidders)
    again = evaluate(g, strategy[order])
    np.testing.assert_allclose(again.exploitability, found.exploitability[order], atol=1e-12)
    assert again.revenue == pytest.approx(found.revenue, abs=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), bidders=st.integers(2, 6))
def test_revenue_is_value_shared_out_less_payoffs(seed, bidders):
    """The accounting identity of risk-neutral bidders with linear cost: what is not kept is paid."""
    rng = np.random.default_rng(seed)
    prizes = tuple(np.sort(rng.random(bidders))[::-1])
    g = Game(Mechanism(prizes, tuple(rng.random(bidders))), Common(2.0), bid_levels=6, max_bid=1.0)
    found = evaluate(g, mixtures(rng, bidders, 1, 6))
    assert found.revenue == pytest.approx(2.0 * sum(prizes) - found.payoff.sum(), abs=1e-12)


def test_one_bid_for_all_shares_everything_equally():
    g = Game.from_weights("prizes", 0.8, 3, values="common", bid_levels=3, max_bid=1.0)
    assert expected_payoffs(g, np.array([0.0, 1.0, 0.0]))[0] == pytest.approx([0.0, 1 / 3 - 0.5, 0.8 - 1.0])


def test_bad_mixtures_are_refused():
    g = Game.from_weights("prizes", 0.8, 3, bid_levels=3)
    with pytest.raises(AllpayError, match=r"sum to 1: got 0\.9"):
        expected_payoffs(g, np.array([0.4, 0.5, 0.0]))
    with pytest.raises(AllpayError, match="not negative"):
        expected_payoffs(g, np.array([1.5, -0.5, 0.0]))
    with pytest.raises(AllpayError, match="shape"):
        expected_payoffs(g, np.ones(4) / 4)
    with pytest.raises(AllpayError, match="shape"):
        evaluate(g, np.ones((2, 64, 3)) / 3)
    strict = Game.from_weights("prizes", 0.8, 3, bid_levels=3, overbidding=False, max_bid=1.0)
    with pytest.raises(AllpayError, match="above the bidder's value"):
        evaluate(strict, np.ones((1, 64, 3)) / 3)


@pytest.mark.parametrize("bids", [3, 16, 17, 40])
@pytest.mark.parametrize("what", ["prizes", "payments", "joy", "fee and reserve", "flat"])
def test_best_responses_are_the_lowest_of_the_best_bids(bids, what):
    """Looking at stretches of bids finds what looking at each bid finds, to the last bit, where many are equally good too."""
    rng = np.random.default_rng(bids)
    mechanism = Mechanism((0.7, 0.3, 0), (1, 1, 1) if what != "payments" else (1, 0.5, 0.5))
    if what == "fee and reserve":
        mechanism = Mechanism((0.7, 0.3, 0), (1, 1, 1), fee=0.02, reserve=0.1)
    bidder = Bidder(Private(levels=9), joy=0.1 if what == "joy" else 0.0)
    g = Game(mechanism, [(bidder, 3)], bid_levels=bids)
    parts = payoffs_of(g)
    assert parts.lines.shape[1] == len(parts.coefficients)
    for k in range(20):
        mass = rng.dirichlet(np.full(bids, 0.1))[None]
        averages = averages_of(parts, mass)
        if what == "flat":
            averages[:] = np.round(averages, 1)
        worth = np.zeros((9, bids))
        for term, average in zip(parts.table[0], averages[0], strict=True):
            worth += term.T * average
        best, payoff, u = np.empty(9, np.int64), np.empty(9), np.empty(9)
        best_responses(parts, 0, averages[0], best, payoff, u)
        if len(parts.coefficients) == 2:  # sums of two are the same in any order
            np.testing.assert_array_equal(best, worth.argmax(axis=1), err_msg=str(k))
            np.testing.assert_array_equal(payoff, worth.max(axis=1))
        np.testing.assert_allclose(payoff, worth.max(axis=1), rtol=0, atol=1e-15)
        np.testing.assert_allclose(worth[np.arange(9), best], payoff, rtol=0, atol=1e-15)


@pytest.mark.parametrize("bidders", [17, 18, 60, 300, 3000])
@pytest.mark.parametrize("used", [1, 4, 16])
def test_many_bidders_need_few_nodes(bidders, used):
    """Where ties are narrow, wide, or empty, against the polynomial through its logarithms at 200 nodes."""
    rng = np.random.default_rng(bidders)
    cdf = np.concatenate([[0.0], np.sort(1 - rng.random(30) ** 3), [1.0]])
    cdf[5] = cdf[4]
    coefficients = np.zeros((1, bidders))
    coefficients[0, :used] = np.sort(rng.random(used))[::-1] + 0.1
    rule = quadrature(bidders)
    out = np.empty((1, len(cdf) - 1))
    tie_averages(coefficients, cdf, rule.nodes, rule.weights, rule.log_binomials, out)
    x, w = np.polynomial.legendre.leggauss(400)
    q = cdf[:-1, None] + (x + 1) / 2 * np.diff(cdf)[:, None]
    k = np.arange(used)[:, None, None]
    with np.errstate(divide="ignore"):
        logs = rule.log_binomials[:used, None, None] + (bidders - 1 - k) * np.log(q) + k * np.log1p(-q)
    exact = np.einsum("k,kbm,m->b", coefficients[0, :used], np.exp(logs), w / 2)
    np.testing.assert_allclose(out[0], exact, rtol=0, atol=1e-12)
