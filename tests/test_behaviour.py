"""Models of behaviour fitted to bids that were drawn from them."""

import numpy as np
import pytest

from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import all_pay
from allpay.contest.values import Common, Private
from allpay.errors import AllpayError
from allpay.estimate.behaviour import Bids, fit_behaviour, loglikelihoods
from allpay.learners import LogitEquilibrium

COMMON = Game.from_weights("prizes", 1.0, 3, values="common", bid_levels=51)
EDGES = np.concatenate([[0.0], (COMMON.bid_grid[1:] + COMMON.bid_grid[:-1]) / 2, [1.0]])


def drawn(game, played, contests, seed, noise):
    """Bids of people who play the logit equilibrium of a game, uniform over what a bid of the grid stands for."""
    rng = np.random.default_rng(seed)
    x = LogitEquilibrium(noise).solve(played).strategy[0]
    value = rng.integers(len(x), size=contests * game.bidders)
    bid = (rng.random(len(value))[:, None] > np.cumsum(x, axis=1)[value]).sum(axis=1)
    step, top = game.bid_grid[1], game.top_bid
    low, high = np.maximum(bid * step - step / 2, 0), np.minimum(bid * step + step / 2, top)
    money = None if len(x) == 1 else game.value_grids[0][value]
    return Bids(rng.uniform(low, high), money, contest=np.repeat(np.arange(contests), game.bidders))


def test_the_noise_of_500_contests_is_found():
    """1,500 bids know the noise to 13 %, which is all that is in them: so says the curvature of the likelihood, and so do the
    fits. Bids that are spread as they are expected to be, without chance, give it to a few percent."""
    fits = [fit_behaviour(COMMON, drawn(COMMON, COMMON, 500, seed, 0.1), folds=0)[0] for seed in range(1, 5)]
    found = np.array([fit.parameters["noise"] for fit in fits])
    errors = np.array([fit.errors["noise"] for fit in fits])
    assert found.mean() == pytest.approx(0.1, rel=0.1)
    assert np.all(np.abs(found - 0.1) < 3 * errors)
    np.testing.assert_allclose(errors, 0.013, atol=0.002)
    chances = LogitEquilibrium(0.1).solve(COMMON).strategy[0, 0]
    spread = np.interp((np.arange(1500) + 0.5) / 1500, np.concatenate([[0], np.cumsum(chances)]), EDGES)
    (fit,) = fit_behaviour(COMMON, Bids(spread), folds=0)
    assert fit.parameters["noise"] == pytest.approx(0.1, rel=0.02)


def test_the_likelihood_is_that_of_a_density():
    x = LogitEquilibrium(0.1).solve(COMMON).strategy
    middles = (np.arange(4000) + 0.5) / 4000
    logs = loglikelihoods(COMMON, x, Bids(middles))
    assert np.exp(logs).mean() == pytest.approx(1.0, abs=1e-3)
    assert logs[0] == pytest.approx(np.log(x[0, 0, 0] / 0.01))  # the lowest bid stands for half a step
    private = Game.from_weights("prizes", 0.8, 3, bid_levels=31, values=Private(levels=4), overbidding=False)
    x = LogitEquilibrium(0.1).solve(private).strategy
    for v in private.value_grid:
        own = np.exp(loglikelihoods(private, x, Bids(middles * v * 0.999, np.full(4000, v)))).mean() * v
        assert own == pytest.approx(1.0, abs=0.02)


def test_who_enjoys_winning_is_told_from_who_errs():
    joyful = Game(all_pay(3), [(Bidder(Common(1.0), joy=0.4), 3)], max_bid=1.5, bid_levels=31)
    plain = Game(all_pay(3), Common(1.0), max_bid=1.5, bid_levels=31)
    fits = fit_behaviour(plain, drawn(plain, joyful, 150, 5, 0.1), ("logit", "joy"), folds=2)
    assert fits[0].model == "joy"
    assert fits[0].held_out > fits[1].held_out
    assert fits[0].parameters["joy"] == pytest.approx(0.4, abs=0.15)
    assert fits[0].parameters["noise"] == pytest.approx(0.1, rel=0.3)


def test_another_unit_of_money_is_another_unit_of_noise():
    large = Game(all_pay(3), Common(1000.0), bid_levels=51)
    seen = drawn(COMMON, COMMON, 100, 1, 0.1)
    (one,) = fit_behaviour(COMMON, seen, folds=0)
    (other,) = fit_behaviour(large, Bids(1000 * seen.bid), folds=0)
    assert other.parameters["noise"] == pytest.approx(1000 * one.parameters["noise"], rel=1e-2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Bids([0.1, -1.0]), "bids must be a list of finite numbers of at least 0"),
        (lambda: Bids([0.1, 0.2], value=[1.0]), "there must be a value for each of 2 bids"),
        (lambda: fit_behaviour(COMMON, Bids([0.5, 1.5])), "bids must be at most 1, the highest of the game: got 1.5"),
        (lambda: fit_behaviour(COMMON, Bids([0.5], group=[1])), "groups must lie in 0 … 0: got 1 to 1"),
        (lambda: fit_behaviour(COMMON, Bids([0.5]), ("logitt",)), "unknown model of behaviour 'logitt'"),
    ],
)
def test_bids_that_do_not_fit_are_refused(call, message):
    with pytest.raises(AllpayError, match=message):
        call()
