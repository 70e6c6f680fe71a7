"""Contests as they are: exact payoffs of unlike bidders, luck, absence, reserve and fee, against enumeration."""

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from allpay.contest.attendance import Field, field, poisson_field
from allpay.contest.auction import play, settle
from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism, all_pay
from allpay.contest.payoffs import averages_of, evaluate, expected_payoffs, exploitability, payoffs_of
from allpay.contest.preferences import Cara, Crra, LossAverse, PowerCost
from allpay.contest.ranking import (
    NODES,
    WIDEST,
    _cdfs,
    _in_tie,
    _room,
    chances_at,
    gauss_rules,
    rank_averages,
    rank_chances,
    rank_slopes,
    used_ranks,
)
from allpay.contest.success import LAWS, Highest, Noise, Tullock, success
from allpay.contest.values import Beta, Common, Power, Private, Uniform, integers
from allpay.errors import AllpayError
from allpay.learners import (
    EpsilonGreedy,
    FictitiousPlay,
    InteriorPoint,
    LogitPlay,
    MultiplicativeWeights,
    RegretMatching,
    learn,
)
from allpay.learners.base import random_profile, random_strategy

OUT = -math.inf


def mixtures(game, seed, each=False):
    """`[groups or bidders, values, bids]` random strategies."""
    rng = np.random.default_rng(seed)
    limits = np.repeat(game.limits, game.counts, axis=0) if each else game.limits
    x = rng.dirichlet(np.ones(game.bid_levels), limits.shape) * (np.arange(game.bid_levels) < limits[..., None])
    return x / x.sum(axis=-1, keepdims=True)


def orders(scores, success_rule):
    """Every order of those who take part, best first, with its probability; scores are efforts."""
    present = list(range(len(scores)))
    for order in itertools.permutations(present):
        chance = 1.0
        if isinstance(success_rule, Tullock):
            left = list(order)
            for i in order:
                weights = np.array([scores[j] ** success_rule.r for j in left])
                chance *= weights[left.index(i)] / weights.sum() if weights.sum() > 0 else 1 / len(left)
                left.remove(i)
        else:
            ranked = [scores[i] for i in order]
            if any(x < y for x, y in itertools.pairwise(ranked)):
                continue
            for size in (ranked.count(x) for x in set(ranked)):
                chance /= math.factorial(size)
        if chance > 0:
            yield order, chance


def by_enumeration(game, profile):
    """Payoffs `[bidders]` of those who turn up, revenue, highest bid, fees, prizes of a profile `[bidders, values, bids]`."""
    m, n = game.mechanism, game.bidders
    which = np.repeat(np.arange(len(game.groups)), game.counts)
    field_chances = None if game.field is None else game.field.among(n)
    payoff, revenue, highest, fees, prizes = np.zeros(n), 0.0, 0.0, 0.0, 0.0
    mass = profile.mean(axis=1)
    turnout = game.turnout[which]
    for there in itertools.product((0, 1), repeat=n):
        chance = 1.0
        for i in range(n):
            p = game.presence[which[i]]
            chance *= p if there[i] else 1 - p
        if field_chances is not None:
            assert np.all(game.presence == 1)
            chance = field_chances[sum(there)] / math.comb(n, sum(there))
        if chance == 0:
            continue
        for bids in itertools.product(range(game.bid_levels), repeat=n):
            weight = chance * math.prod(mass[i, b] for i, b in enumerate(bids))
            inside = [i for i in range(n) if there[i] and not (m.may_stay_out and bids[i] == 0)]
            effort = [game.efforts[which[i], bids[i]] for i in inside]
            highest += weight * max([game.bid_grid[bids[i]] for i in inside], default=0.0)
            fees += weight * m.fee * len(inside)
            for order, part in orders(effort, m.success):
                for rank, k in enumerate(order):
                    i = inside[k]
                    pays = rank
                    if m.ties == "seconds-pay" and rank > 0 and sum(e > effort[k] for e in effort) <= 1:
                        pays = 1
                    revenue += weight * part * m.payments[pays] * game.bid_grid[bids[i]]
                    prizes += weight * part * m.prizes[rank]
                    given = profile[i, :, bids[i]] / game.value_levels / mass[i, bids[i]]
                    money = game.value_grids[which[i]] * m.prizes[rank]
                    money = money - m.payments[pays] * game.cost_grids[which[i], bids[i]] - m.fee
                    payoff[i] += weight * part * float(given @ game.utility_of(which[i], money)) / turnout[i]
    return payoff, revenue, highest, fees, prizes


SMALL = {
    "unlike": Game(
        Mechanism((0.7, 0.3, 0), (1, 0.5, 0.2)),
        [(Bidder(Uniform()), 2), (Bidder(Private(Uniform(0, 0.5), 2), cost=PowerCost(2, 1.5)), 1)],
        bid_levels=4,
        max_bid=0.9,
    ),
    "head starts that tie": Game(
        Mechanism((0.7, 0.3, 0), (1, 1, 1)),
        [(Bidder(Common(1), head_start=0.25), 1), (Bidder(Common(0.8), handicap=2.0), 2)],
        bid_levels=5,
        max_bid=1.0,
    ),
    "presence by group": Game(
        Mechanism((0.6, 0.3, 0.1), (1, 1, 1)),
        [(Bidder(Common(1), presence=0.6), 2), (Bidder(Common(0.8), presence=0.9), 1)],
        bid_levels=4,
    ),
    "absent, alike": Game(Mechanism((0.7, 0.2, 0.1), (1, 0.6, 0.1)), Private(Uniform(), 2), bid_levels=4, attendance=0.6),
    "random field": Game(
        Mechanism((0.7, 0.2, 0.1, 0), (1, 1, 1, 1)),
        [(Bidder(Common(1)), 2), (Bidder(Common(0.7)), 2)],
        bid_levels=3,
        attendance=Field((0.1, 0.2, 0.3, 0.15, 0.25)),
    ),
    "reserve and fee": Game(
        Mechanism((0.7, 0.2, 0.1), (1, 1, 1), reserve=0.2, fee=0.05),
        [(Bidder(Private(Uniform(), 2)), 2), (Bidder(Private(Power(2), 2), utility=Cara(1.5)), 1)],
        bid_levels=4,
    ),
    "reserve, alike": Game(Mechanism((0.7, 0.3, 0), (1, 1, 1), reserve=0.2), Private(Uniform(), 2), bid_levels=4),
    "fee, alike, absent, averse": Game(
        Mechanism((0.7, 0.3, 0), (1, 0.5, 0.5), fee=0.1),
        Private(Uniform(), 2),
        bid_levels=4,
        risk_aversion=1.5,
        attendance=0.7,
    ),
    "tullock": Game(Mechanism((0.6, 0.3, 0.1), (1, 1, 1), success=Tullock(1.3)), Private(Uniform(), 2), bid_levels=4),
    "tullock, unlike, payments by rank, fee": Game(
        Mechanism((0.6, 0.3, 0.1), (1, 0.7, 0.4), success=Tullock(0.8), fee=0.02),
        [(Bidder(Common(1), handicap=1.5), 1), (Bidder(Common(0.7), utility=LossAverse(2)), 2)],
        bid_levels=4,
    ),
    "tullock, random field": Game(
        Mechanism((0.6, 0.3, 0.1), (1, 1, 1), success=Tullock(2)), Common(1), bid_levels=4, attendance=field("1:3")
    ),
    "seconds pay": Game(
        Mechanism((1, 0, 0, 0), (0.7, 0.3, 0, 0), ties="seconds-pay"), Private(integers(0, 3)), bid_levels=3, max_bid=3
    ),
    "wealth": Game(
        Mechanism((0.7, 0.3, 0), (1, 1, 1)), [(Bidder(Common(1), utility=Crra(0.5, 2)), 2), (Bidder(Common(0.8)), 1)],
        bid_levels=4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("each", [False, True])
def test_payoffs_are_those_of_enumeration(name, each):
    game = SMALL[name]
    strategy = mixtures(game, 1, each)
    profile = strategy if each else np.repeat(strategy, game.counts, axis=0)
    payoff, revenue, highest, fees, prizes = by_enumeration(game, profile)
    found = evaluate(game, strategy)
    close = 1e-9 if game.mechanism.success.lucky else 1e-12
    assert found.payoff == pytest.approx(payoff, abs=close)
    assert found.revenue == pytest.approx(revenue, abs=close)
    assert found.highest_bid == pytest.approx(highest, abs=1e-12)
    assert found.fees == pytest.approx(fees, abs=1e-12)
    assert found.prizes == pytest.approx(prizes, abs=close)
    assert np.all(found.exploitability >= 0)
    assert found.share.sum() == pytest.approx(prizes, abs=close)


@pytest.mark.parametrize("name", SMALL)
def test_groups_split_in_two_are_the_same_game(name):
    game = SMALL[name]
    strategy = mixtures(game, 2)
    one, each = evaluate(game, strategy), evaluate(game, np.repeat(strategy, game.counts, axis=0))
    for what in ("revenue", "payoff", "exploitability", "win", "entry", "share"):
        assert getattr(one, what) == pytest.approx(getattr(each, what), abs=1e-11), what


def test_alike_bidders_are_one_group_and_the_fast_kernel_agrees_with_the_general_one():
    for n, prizes in ((2, (1, 0)), (5, (0.5, 0.3, 0.2, 0, 0)), (40, (0.5, 0.3, 0.2, *[0.0] * 37))):
        mechanism = Mechanism(prizes, (1,) * n)
        plain = Game(mechanism, Private(Beta(2, 3), 6), bid_levels=21)
        parts = payoffs_of(plain)
        assert parts.plain
        general = Game(
            mechanism, [(Bidder(Private(Beta(2, 3), 6)), n - 1), (Bidder(Private(Beta(2, 3), 6)), 1)], bid_levels=21
        )
        strategy = mixtures(plain, 3)
        mass = strategy.mean(axis=1)
        expected = expected_payoffs(plain, mass[0])
        assert expected_payoffs(general, np.repeat(mass, 2, axis=0), 1) == pytest.approx(expected, abs=1e-13)
        grouped = Game(mechanism, [(Bidder(Private(Beta(2, 3), 6)), n)], bid_levels=21)
        assert np.array_equal(expected_payoffs(grouped, mass), expected)


@pytest.mark.parametrize("law", [*LAWS, "tullock"])
def test_luck_is_that_of_sampled_contests(law):
    """Within four standard errors of sampled contests, whose luck is drawn from quantiles and not from the tables."""
    rule = Tullock(1.3) if law == "tullock" else Noise(law, 0.3, power=2.5)
    mechanism = Mechanism((0.6, 0.3, 0.1, 0, 0), (1, 0.8, 0.6, 0.4, 0.2), success=rule)
    game = Game(
        mechanism,
        [(Bidder(Private(Uniform(), 4)), 2), (Bidder(Private(Power(2), 4), handicap=0.7, presence=0.8), 3)],
        bid_levels=9,
    )
    strategy = mixtures(game, 4)
    auctions = 200_000
    played = play(game, strategy, auctions, 5)
    exact = evaluate(game, strategy)
    error = played.revenue.std() / math.sqrt(auctions)
    assert abs(played.revenue.mean() - exact.revenue) < 4 * error
    error = played.highest_bid.std() / math.sqrt(auctions)
    assert abs(played.highest_bid.mean() - exact.highest_bid) < 4 * error


def test_gumbel_noise_on_the_logarithm_is_tullock():
    prizes, payments = (0.6, 0.3, 0.1), (1, 0.7, 0.4)
    games = [
        Game(Mechanism(prizes, payments, success=rule), Common(1), bid_levels=11)
        for rule in (Tullock(1.7), Noise("gumbel", 1 / 1.7, log=True))
    ]
    mass = mixtures(games[0], 6)[0, 0]
    one, other = (expected_payoffs(game, mass) for game in games)
    assert one == pytest.approx(other, abs=1e-12)


def test_the_number_of_theory_for_a_mixture_under_tullock():
    """n = 4, r = 1.3, a mixture over four bids, by enumeration of Plackett–Luce."""
    game = Game(Mechanism((0.6, 0.3, 0.1, 0), (1,) * 4, success=Tullock(1.3)), Common(1), bid_levels=4)
    mass = np.array([0.1, 0.2, 0.3, 0.4])
    worth = expected_payoffs(game, mass)[0] + game.costs
    for b, found in enumerate(worth):
        total = 0.0
        for rivals in itertools.product(range(4), repeat=3):
            chance = math.prod(mass[r] for r in rivals)
            bids = [game.bid_grid[b], *(game.bid_grid[r] for r in rivals)]
            for order, part in orders(bids, game.mechanism.success):
                total += chance * part * game.mechanism.prizes[order.index(0)]
        assert found == pytest.approx(total, abs=1e-10)


@pytest.mark.parametrize("name", ["unlike", "presence by group", "tullock", "reserve and fee", "random field"])
def test_slopes_are_finite_differences(name):
    game = SMALL[name]
    parts = payoffs_of(game)
    mass = mixtures(game, 7).mean(axis=1)
    groups, bids = mass.shape
    rows = len(parts.coefficients)
    slopes = np.empty((groups, rows, bids, groups, bids))
    rank_slopes(parts.ranking, parts.coefficients, mass, slopes)
    step = 1e-6
    for h, (c, d) in itertools.product(range(groups), itertools.combinations(range(bids), 2)):
        found = np.empty((2, groups, rows, bids))
        for k, sign in enumerate((-1, 1)):
            moved = mass.copy()
            moved[h, c] += sign * step
            moved[h, d] -= sign * step
            rank_averages(parts.ranking, parts.coefficients, moved, found[k])
        difference = (found[1] - found[0]) / (2 * step)
        assert difference == pytest.approx(slopes[..., h, c] - slopes[..., h, d], abs=2e-7)


FASTER = {
    "two of 40": (Mechanism((0.5, 0.2, 0.1, 0.1, 0.1, *[0.0] * 75), (1,) * 80), (40, 40)),
    "payments by rank": (Mechanism((1.0, *[0.0] * 29), tuple(np.linspace(1, 0.2, 30))), (1, 9, 20)),
    "each alone": (Mechanism((0.6, 0.4, 0), (1, 1, 1)), (1, 1, 1)),
    "a reserve": (Mechanism((0.5, 0.3, 0.2, *[0.0] * 27), (1,) * 30, reserve=0.05), (10, 20)),
    "so many ranks that choices are large numbers": (
        Mechanism((1.0, *[0.0] * 799), np.linspace(1, 0.2, 800)),
        (2, 798),
    ),
}


@pytest.mark.parametrize("name", FASTER)
def test_all_ties_at_once_are_each_tie_by_itself(name):
    """The averages of all bids by loops over points, against one bid after the other, each place in its tie by itself."""
    mechanism, counts = FASTER[name]
    kinds = [
        Bidder(Uniform()),
        Bidder(Uniform(0, 0.6), presence=0.9, head_start=0.1),
        Bidder(Common(0.7), presence=0.5),
    ]
    levels = 3 if len(mechanism.prizes) > 100 else 41
    game = Game(mechanism, list(zip(kinds, counts, strict=False)), bid_levels=levels)
    parts, rng = payoffs_of(game), np.random.default_rng(0)
    ranking, rows = parts.ranking, parts.coefficients
    used = used_ranks(rows)
    for spread in (0.05, 1.0, 30.0) if levels > 3 else (0.05,):  # from a few wide ties to many narrow ones
        mass = rng.dirichlet(np.full(levels, spread), size=len(counts))
        cdfs = np.empty((len(counts), levels + 1))
        _cdfs(mass, cdfs)
        one_by_one = np.zeros((len(counts), len(rows), levels))
        for g, b in itertools.product(range(len(counts)), range(ranking.out, levels)):
            _in_tie(ranking, rows, used, cdfs, g, b, _room(len(counts), used), one_by_one)
        found = averages_of(parts, mass)
        assert found == pytest.approx(one_by_one, abs=1e-13)


@pytest.mark.parametrize("name", ["two of 40", "payments by rank"])
def test_chances_at_many_points_are_those_at_each(name):
    counts = np.array(FASTER[name][1])
    presence, rng = np.array([1.0, 0.7, 1.0])[: len(counts)], np.random.default_rng(1)
    q = np.concatenate(
        [rng.uniform(size=(len(counts), 20)), np.eye(len(counts), 2), np.full((len(counts), 1), 1e-9)], axis=1
    )
    for own, used in itertools.product(range(-1, len(counts)), (1, 5, 30)):
        found = chances_at(counts, presence, own, q, used)
        for i in range(q.shape[1]):
            chances = np.empty(used)
            rank_chances(counts, presence, own, -1, np.ascontiguousarray(q[:, i]), used, chances, np.empty(used))
            assert found[:, i] == pytest.approx(chances, rel=1e-12, abs=1e-15)


def test_a_thousand_bidders_in_three_groups():
    game = Game(
        Mechanism((0.5, 0.3, 0.2, *[0.0] * 997), (1,) * 1000),
        [(Bidder(Uniform()), 2), (Bidder(Uniform(0, 0.5)), 498), (Bidder(Power(3)), 500)],
        bid_levels=51,
    )
    found = evaluate(game, mixtures(game, 8))
    assert np.all(np.isfinite(found.payoff))
    assert found.win.sum() == pytest.approx(1, abs=1e-10)
    assert found.share.sum() == pytest.approx(1, abs=1e-10)


def test_prizes_for_ranks_that_nobody_fills_are_not_paid():
    game = Game(Mechanism((0.5, 0.3, 0.2), (1, 1, 1)), Common(1), bid_levels=11, attendance=field("1:3"))
    found = evaluate(game, mixtures(game, 9))
    assert found.prizes == pytest.approx((0.5 + 0.8 + 1.0) / 3, abs=1e-12)


def test_a_certain_field_changes_nothing_but_rounding():
    mechanism = Mechanism((0.5, 0.3, 0.2, 0), (1, 1, 1, 1))
    games = [Game(mechanism, Private(Uniform(), 4), bid_levels=9, attendance=who) for who in (1.0, field("4:4"))]
    strategy = mixtures(games[0], 10)
    one, other = (evaluate(game, strategy) for game in games)
    assert one.revenue == pytest.approx(other.revenue, abs=1e-13)
    assert one.highest_bid == pytest.approx(other.highest_bid, abs=1e-13)
    assert exploitability(games[0], strategy) == pytest.approx(exploitability(games[1], strategy), abs=1e-13)


def test_fields_in_words_and_numbers():
    assert field("binomial(3, 0.5)").chances == pytest.approx((0.125, 0.375, 0.375, 0.125))
    assert poisson_field(80).mean == pytest.approx(80, abs=1e-6)
    assert field("40:120").most == 120


def test_rules_are_read_from_text():
    assert success("none") == Highest()
    assert success("tullock(2)") == Tullock(2)
    assert success("pareto(0.1, 3)") == Noise("pareto", 0.1, power=3)
    assert success("normal(0.2, log)") == Noise("normal", 0.2, log=True)


def test_a_study_file_of_a_contest_is_that_of_python_and_comes_back_from_its_folder(tmp_path):
    from allpay.study.file import group, read_study, study_of

    path = tmp_path / "study.toml"
    path.write_text(
        """
[study]
samples = 6
[game]
luck = "normal(0.2)"
reserve = 0.1
bid_levels = 31
value_levels = 8
[[bidders]]
count = 2
values = "beta(2,3)"
handicap = 1.5
[[bidders]]
count = 3
values = "common(0.5)"
cost_power = 2.0
loss_aversion = 2.0
presence = 0.8
"""
    )
    study = read_study(path)
    assert study.space.bidders == 5
    game = study.game(study.designs[0])
    assert game.mechanism.success == Noise("normal", 0.2)
    assert game.groups[1][0].utility == LossAverse(2.0)
    assert game.groups[0][0].values == Private(Beta(2, 3), 8)
    assert study_of(study.specification(), trust=False) == study
    text = "3: common(0.5), cost 2, losses 2, presence 0.8"
    assert group(text).bidder(8, True) == (game.groups[1][0], 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"values": [(Bidder(), 0), (Bidder(), 3)]}, "a group must have at least 1 bidder: got 0"),
        ({"values": [(Bidder(), 2)]}, "the groups have 2 bidders together, and the mechanism has 3 ranks"),
        ({"values": []}, "there are no bidders"),
        ({"attendance": 0}, "attendance must be above 0"),
        ({"attendance": 1.2}, "attendance is the chance to turn up, at most 1: got 1.2"),
        ({"attendance": field("2:5")}, "up to 5 bidders may turn up: got 3 bidders"),
        ({"mechanism": Mechanism((1, 0, 0), (1, 1, 1), reserve=2)}, "the reserve must be below the highest bid"),
        ({"mechanism": Mechanism((1, 0, 0), (1, 1, 1), fee=1)}, "the fee must be below what the first prize is worth"),
        (
            {
                "mechanism": Mechanism((1, 0, 0), (1, 1, 1), success=Tullock()),
                "values": [(Bidder(head_start=0.1), 1), (Bidder(), 2)],
            },
            "a head start has no meaning where luck acts on the logarithm",
        ),
        ({"values": [(Bidder(cost=lambda b: -b), 3)]}, "the cost of a bid must be finite and at least 0"),
        ({"values": [(Bidder(cost=lambda b: b * (2 - b), max_bid=2), 3)]}, "the cost of a bid must not fall"),
    ],
)
def test_contests_that_cannot_be_are_refused(options, message):
    given = {"mechanism": Mechanism((1, 0, 0), (1, 1, 1)), **options}
    with pytest.raises(AllpayError) as caught:
        evaluate(game := Game(**given), mixtures(game, 1))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Tullock(0), "r of a Tullock contest must be above 0"),
        (lambda: Noise("normal", -1), "scale of normal luck must be above 0"),
        (lambda: Noise("cauchy"), "unknown kind of luck 'cauchy'"),
        (lambda: success("tullock(1, 2)"), "the luck tullock takes r"),
        (lambda: success("luck"), "unknown luck 'luck'"),
        (lambda: field("5:2"), "a range of bidders needs 0 ≤ least ≤ most"),
        (lambda: field("binomial(10, 1.5)"), "the chance to turn up must be above 0 and at most 1"),
        (lambda: field("many"), "cannot read how many bidders turn up"),
        (lambda: Mechanism((1, 0, 0), (1, 1, 1), reserve=-1), "the reserve must be at least 0"),
        (lambda: Mechanism((1, 0, 0), (1, 1, 1), ties="coin"), "unknown way to settle ties"),
        (lambda: Bidder(handicap=0), "handicap must be above 0"),
        (lambda: Bidder(utility="risk"), "utility must be a function of money"),
    ],
)
def test_parts_that_cannot_be_are_refused(make, message):
    with pytest.raises(AllpayError) as caught:
        make()
    assert message in str(caught.value)


@pytest.mark.parametrize("function", [lambda z: -z, lambda z: np.where(z > 0, np.nan, z)])
def test_utilities_that_fall_or_are_no_numbers_are_refused(function):
    game = Game(Mechanism((1, 0, 0), (1, 1, 1)), [(Bidder(utility=function), 3)], bid_levels=11)
    with pytest.raises(AllpayError, match="the utility of money must"):
        payoffs_of(game)


@pytest.mark.parametrize("law", [*LAWS, "normal, on the logarithm", "tullock"])
def test_luck_of_any_scale_is_resolved_or_refused_with_the_smallest(law):
    def with_luck(scale):
        log = law == "normal, on the logarithm"
        rule = Tullock(1 / scale) if law == "tullock" else Noise(law.split(",")[0], scale, log)
        return Game(Mechanism((0.6, 0.3, 0.1), (1, 0.5, 0.2), success=rule), Private(levels=4), bid_levels=51)

    def found(game, strategy):
        try:
            return evaluate(game, strategy).revenue, ""
        except AllpayError as error:
            return math.nan, str(error)

    refused = 0
    for scale in 10.0 ** np.arange(-13, 2):
        game = with_luck(scale)
        strategy = mixtures(game, 1)
        revenue, message = found(game, strategy)
        if message:
            refused += 1
            assert "or leave it out, so that ranks are decided by bids alone" in message
            told = re.search(r"give at (least|most) ([\d.e+-]+)", message)
            assert told or "chances add up to" in message
            if told:
                enough = 1 / float(told[2]) if law == "tullock" else float(told[2])
                assert enough > scale
                evaluate(with_luck(enough), strategy)  # raises nothing
        else:
            sampled = play(game, strategy, 5_000, 3).revenue
            assert abs(revenue - sampled.mean()) < 4.5 * sampled.std() / np.sqrt(len(sampled)), scale
            if scale <= 1e-5 and law != "pareto":  # nothing is left of it beside the steps of the grid
                without = replace(game, mechanism=replace(game.mechanism, success=Highest()))
                assert revenue == pytest.approx(evaluate(without, strategy).revenue, abs=1e-8)
    assert refused < 12


def test_a_tail_that_has_no_end_is_refused():
    game = Game(Mechanism((1, 0, 0), (1, 1, 1), success=Noise("pareto", 0.1, power=0.05)), Common(), bid_levels=11)
    with pytest.raises(
        AllpayError, match=r"its tail too long, to be resolved: its chances add up to 0\.\d+; give a larger"
    ):
        payoffs_of(game)


@pytest.mark.parametrize("rule", range(len(NODES)))
def test_what_a_rule_leaves_of_a_tie(rule):
    """Of the widest tie that it is used for, anywhere, for each of the first ranks; against forty nodes."""
    nodes, weights = gauss_rules()
    x, w = np.polynomial.legendre.leggauss(40)
    for n in (10, 100, 1000):
        width = WIDEST[rule] / n
        places = np.concatenate([np.linspace(0, 1 - width, 60), 1 - width - np.geomspace(1e-6, 1 - width, 60) * 0.999])
        ranks = np.arange(min(n, 12))[:, None, None]
        few = (
            binom.pmf(ranks, n - 1, 1 - (places[:, None] + width * nodes[rule, : NODES[rule]]))
            @ weights[rule, : NODES[rule]]
        )
        many = binom.pmf(ranks, n - 1, 1 - (places[:, None] + width * (x + 1) / 2)) @ w / 2
        assert np.abs(few - many).max() < 3e-13


def test_what_compiled_loops_are_given_is_checked_before():
    game = Game(
        Mechanism((1, 0, 0), (1, 1, 1)), [(Bidder(Private(levels=3)), 1), (Bidder(Private(levels=3)), 2)], bid_levels=4
    )
    mass, seeds = np.full((2, 4), 0.25), np.array([[-1]])

    class Lists(Game):
        def utility(self, money):
            return [0.0, 1.0]

    class Nothing(Game):
        def utility(self, money):
            return np.asarray(money) * np.nan

    alike = (Mechanism((1, 0, 0), (1, 1, 1)), Private(levels=3))
    calls = {
        "group must lie in 0 … 1": lambda: expected_payoffs(game, mass, 2),
        "group must be a whole number": lambda: expected_payoffs(game, mass, 0.5),
        "group must lie": lambda: expected_payoffs(game, mass, -1),
        "bids must be numbers, one for each of 3 bidders": lambda: settle(game, np.ones(2), np.ones(2), np.ones(2)),
        "ties must be numbers": lambda: settle(game, np.ones(3), np.ones(3), np.ones(2)),
        "values must be finite": lambda: settle(game, [1, math.inf, 1], np.ones(3), np.ones(3)),
        "bids must be finite": lambda: settle(game, np.ones(3), [math.nan, 1, 1], np.ones(3)),
        "bids must not be negative": lambda: settle(game, np.ones(3), [-0.1, 1, 1], np.ones(3)),
        "seeds must be at least 0": lambda: FictitiousPlay(iterations=2, auctions=1).learn([game], seeds),
        "seed must be at least 0": lambda: random_profile(game, -1),
        "a Game is needed: got 'x'": lambda: EpsilonGreedy(iterations=9, exploration=1).learn(["x"], seeds + 1),
        "a Game is needed": lambda: random_strategy("x", np.uint64(1)),
        "Lists.utility must give a finite number": lambda: payoffs_of(Lists(*alike, bid_levels=4)),
        "Nothing.utility must give a finite number": lambda: payoffs_of(Nothing(*alike, bid_levels=4)),
    }
    for message, call in calls.items():
        with pytest.raises(AllpayError, match=message):
            call()


# --- learners, against cases whose answer is known


def contest(name):
    """A game, and the revenue that theory gives it."""
    return {
        "Stein 2002": (
            Game(
                Mechanism((1, 0, 0), (1, 1, 1), success=Tullock(1)),
                [(Bidder(Common(v)), 1) for v in (1, 0.8, 0.5)],
                bid_levels=101,
                max_bid=0.5,
            ),
            0.470588,
        ),
        "Amann & Leininger 1996": (
            Game(Mechanism((1, 0), (1, 1)), [(Bidder(Uniform()), 1), (Bidder(Power(2)), 1)], bid_levels=101, max_bid=0.7),
            0.406544,
        ),
        "Lazear & Rosen 1981": (
            Game(Mechanism((0.7, 0.3, 0), (1, 1, 1), success=Noise("normal", 0.5)), Common(), cost_power=2, bid_levels=101,
                 max_bid=0.5),
            3 * 0.197466,
        ),
        "absence": (Game(Mechanism((1, 0, 0), (1, 1, 1)), attendance=0.5), 0.1875),
        "random field": (Game(Mechanism((0.7, 0.3, 0, 0), (1,) * 4), attendance=field("2:4")), 0.321111),
        "reserve": (Game(Mechanism((1, 0, 0), (1, 1, 1), reserve=0.1)), 0.530376),
        "fee": (Game(Mechanism((1, 0, 0), (1, 1, 1), fee=0.125)), 11 / 32),
    }[name]  # fmt: skip


CASES = ("Stein 2002", "Amann & Leininger 1996", "Lazear & Rosen 1981", "absence", "random field", "reserve", "fee")


@pytest.mark.parametrize("name", CASES)
def test_fictitious_play_finds_what_theory_says(name):
    game, revenue = contest(name)
    found = learn(game, FictitiousPlay(iterations=2000, auctions=5000), rounds=1)
    assert found.revenue[0, 0] == pytest.approx(revenue, rel=0.012)
    assert found.realised_revenue[0, 0] == pytest.approx(found.revenue[0, 0], rel=0.05)


@pytest.mark.parametrize("name", ["Stein 2002", "Amann & Leininger 1996", "reserve"])
def test_the_solver_solves_games_of_several_groups(name):
    game, revenue = contest(name)
    found = learn(game, InteriorPoint(auctions=100), rounds=1)
    assert found.exploitability[0, 0] < 1e-8
    assert found.revenue[0, 0] == pytest.approx(revenue, rel=0.01)


def test_the_solver_finds_what_fictitious_play_does_not_where_values_are_known():
    """Hillman & Riley 1989: only the two strongest bid, and bring v2/2 + v2²/(2 v1)."""
    game = Game(Mechanism((1, 0, 0), (1, 1, 1)), [(Bidder(Common(v)), 1) for v in (1, 0.8, 0.5)], bid_levels=101)
    found = learn(game, InteriorPoint(auctions=100), rounds=1)
    assert found.exploitability[0, 0] < 1e-8
    assert found.revenue[0, 0] == pytest.approx(0.72, rel=0.02)


def mean_scores(found):
    """`[groups]` the mean score of each group in the only round."""
    game = found.games[0]
    return np.einsum("ivb,ib->i", found.strategy[0, 0], game.efforts) / game.value_levels


def test_each_of_three_unlike_bidders_with_luck_bids_what_theory_says():
    """Stein 2002, 201 bids. The third bids so little that its grid is finer: a fifth of the score at a fifth of the cost."""
    kinds = [
        (Bidder(Common(v), handicap=part, cost=PowerCost(scale=part), max_bid=0.3), 1)
        for v, part in ((1, 1), (0.8, 1), (0.5, 0.2))
    ]
    game = Game(Mechanism((1, 0, 0), (1, 1, 1), success=Tullock(1)), kinds, bid_levels=201)
    bids = mean_scores(learn(game, FictitiousPlay(iterations=500, auctions=100), rounds=1))
    np.testing.assert_allclose(bids, (0.249135, 0.193772, 0.027682), rtol=0.01)
    assert bids.sum() == pytest.approx(0.470588, rel=0.005)


@pytest.mark.parametrize(
    ("prizes", "bid"), [((1, 0, 0), 0.282095), ((0.7, 0.3, 0), 0.197466), ((0.6, 0.4, 0, 0, 0), 0.179157)]
)
def test_bids_of_a_tournament_are_learned(prizes, bid):
    """Lazear & Rosen 1981."""
    mechanism = Mechanism(prizes, (1,) * len(prizes), success=Noise("normal", 0.5))
    game = Game(mechanism, Common(), cost_power=2, bid_levels=201, max_bid=0.5)
    found = learn(game, FictitiousPlay(iterations=500, auctions=100), rounds=1)
    assert mean_scores(found)[0] == pytest.approx(bid, rel=0.01)


@pytest.mark.parametrize(
    ("learner", "gain"), [(FictitiousPlay(auctions=100), 0.005), (InteriorPoint(auctions=100), 1e-8)]
)
def test_two_unlike_bidders_on_a_fine_grid(learner, gain):
    game = Game(all_pay(2), [(Bidder(Uniform()), 1), (Bidder(Power(2)), 1)], bid_levels=141)
    found = learn(game, learner, rounds=1)
    assert found.revenue[0, 0] == pytest.approx(0.406544, rel=0.01)
    assert found.exploitability_by_bidder.max() <= gain


def test_the_solver_comes_nearer_to_theory_on_finer_grids_where_values_are_known():
    off = []
    for bids in (26, 51, 101):
        game = Game(all_pay(3), [(Bidder(Common(v)), 1) for v in (1, 0.8, 0.5)], bid_levels=bids)
        found = learn(game, InteriorPoint(auctions=100), rounds=1)
        assert found.exploitability_by_bidder.max() <= 1e-6
        off.append(abs(found.revenue[0, 0] - 0.72))
    assert off[0] <= 0.02 * 0.72
    assert off[0] > off[1] > off[2]


@pytest.mark.parametrize(
    "luck", [Tullock(0.5), Tullock(5), Noise("gumbel", 0.1)], ids=["r = 0.5", "r = 5", "difference"]
)
def test_lotteries_of_two_are_solved_and_learned(luck):
    game = Game(Mechanism((1, 0), (1, 1), success=luck), Private(), bid_levels=64, max_bid=0.5)
    for learner, most in ((InteriorPoint(auctions=100), 1e-6), (FictitiousPlay(iterations=300, auctions=100), 1e-3)):
        found = learn(game, learner, rounds=2)
        assert (found.exploitability / (found.payoff + found.exploitability)).max() <= most


@pytest.mark.parametrize(("learner", "off"), [(RegretMatching, 0.01), (MultiplicativeWeights, 0.04), (LogitPlay, 0.04)])
def test_other_learners_settle_with_luck(learner, off):
    """The last two still hedge after so few iterations, and so bid a little more."""
    game, revenue = contest("Stein 2002")
    found = learn(game, learner(iterations=600, auctions=100), rounds=1)
    assert found.revenue[0, 0] == pytest.approx(revenue, rel=off)


def test_epsilon_greedy_bidders_play_every_contest():
    """Two strong bidders and a weak one who may stay out: the greedy profile's revenue is near what was realised."""
    game = Game(
        Mechanism((0.7, 0.3, 0), (1, 1, 1), success=Tullock(1), fee=0.02),
        [(Bidder(Private(Uniform(), 5)), 2), (Bidder(Private(Uniform(0, 0.5), 5), presence=0.9), 1)],
        bid_levels=8,
    )
    found = learn(game, EpsilonGreedy(iterations=60_000, exploration=12_000, halving=2000, tail=20_000), rounds=1)
    assert found.strategy.shape == (1, 1, 3, 5, 8)
    assert found.realised_revenue[0, 0] == pytest.approx(found.revenue[0, 0], rel=0.15)
    assert found.relative_exploitability[0, 0] < 0.1


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("each", [False, True])
def test_sampled_auctions_of_every_kind_bring_what_is_expected(name, each):
    """Losers who tie for second pay as second, those who stay out pay nothing, and so on: within four standard errors."""
    game = SMALL[name]
    strategy = mixtures(game, 3)
    strategy = np.repeat(strategy, game.counts, axis=0) if each else strategy
    played, exact = play(game, strategy, 50_000, 1), evaluate(game, strategy)
    for sampled, known in ((played.revenue, exact.revenue), (played.highest_bid, exact.highest_bid)):
        assert abs(sampled.mean() - known) < 4 * sampled.std() / math.sqrt(len(sampled))
