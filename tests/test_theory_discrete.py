"""Values that have a probability of their own: mixtures against exact sums, indifference, exact payoffs, learning."""

import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from typer.testing import CliRunner

from allpay.cli import app
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism, first_price, mechanism
from allpay.contest.payoffs import evaluate
from allpay.contest.values import Discrete, Private, Uniform, integers, steps
from allpay.errors import AllpayError
from allpay.learners import InteriorPoint, learn
from allpay.report.curves import draw_equilibrium
from allpay.theory import design_objective, equilibrium, why_no_equilibrium
from allpay.verify import on_grid


class Atoms:
    """A distribution of the user's own: 0 for a fifth of the bidders, 1 for three tenths, then uniform on [1, 2]."""

    breaks = (0.2, 0.5)

    def quantile(self, q):
        q = np.asarray(q, float)
        return np.where(q < 0.2, 0.0, np.where(q < 0.5, 1.0, 2 * q))


class Half(Atoms):
    """Kept apart by its breaks alone."""

    breaks = (0.5,)

    def quantile(self, q):
        return np.where(np.asarray(q, float) < 0.5, 1.0, 3.0)


MECHANISMS = [
    mechanism("prizes", [0.6, 0.4, 0]),
    mechanism("payments", [0.8, 0.2, 0]),
    first_price(4),
    Mechanism([0.6, 0.3, 0.1], [0.9, 0.8, 0.5]),
]
VALUES = [integers(0, 9), Discrete((1, 1, 2, 5)), steps(1, 2, 2)]


def solved(g):
    found = equilibrium(g)
    assert found is not None, why_no_equilibrium(g)
    return found


def chances(n, q):
    """P_k(q) by the formula as it is printed, exact if q is."""
    return [math.comb(n - 1, k - 1) * q ** (n - k) * (1 - q) ** (k - 1) for k in range(1, n + 1)]


def exact_cost(g, q):
    """Σ_j v_j (Π(q_j) − Π(q_{j−1})) / S(q) over the values up to quantile q, in fractions."""
    points, n = [Fraction(v) for v in g.values.distribution.points], g.bidders
    prizes, payments = ([Fraction(x) for x in weights] for weights in (g.mechanism.prizes, g.mechanism.payments))

    def expected(weights, x):
        return sum(w * p for w, p in zip(weights, chances(n, x), strict=True))

    edges = [min(q, Fraction(j, len(points))) for j in range(len(points) + 1)]
    shares = [expected(prizes, x) for x in edges]
    worth = sum(v * (b - a) for v, a, b in zip(points, shares, shares[1:], strict=False))
    return worth / expected(payments, q)


@pytest.mark.parametrize("values", VALUES, ids=lambda d: str(d.points))
@pytest.mark.parametrize("mech", MECHANISMS, ids=lambda m: f"{m.prizes}{m.payments}")
def test_bids_by_exact_sums(mech, values):
    g = Game(mech, Private(values), cost_power=1.5)
    found = solved(g)
    for q in (Fraction(1, 100), Fraction(1, 10), Fraction(1, 4), Fraction(37, 100), Fraction(1, 2), Fraction(9, 10), 1):
        expected = float(exact_cost(g, Fraction(q))) ** (1 / 1.5)
        assert found.bid_at(float(q)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("values", VALUES, ids=lambda d: str(d.points))
@pytest.mark.parametrize("mech", MECHANISMS, ids=lambda m: f"{m.prizes}{m.payments}")
def test_revenue_is_surplus_less_payoffs(mech, values):
    """What is won, over every profile of values; and the payoff of the lowest value, which rises as others win more often."""
    g, n = Game(mech, Private(values)), mech.bidders
    found = solved(g)
    profiles = list(itertools.product(values.points, repeat=n))
    surplus = sum(np.sort(profile)[::-1] @ mech.prizes for profile in profiles) / len(profiles)
    assert found.revenue == pytest.approx(surplus - n * found.payoff, rel=1e-10)
    # a value earns what the one below it does, and the difference of the two for every share that the lower one's best bid wins
    m, share = (
        len(values.points),
        [float(np.dot(mech.prizes, chances(n, j / len(values.points)))) for j in range(1, 20)],
    )
    payoffs = [values.points[0] * mech.prizes[-1]]
    for j in range(1, m):
        payoffs.append(payoffs[-1] + (values.points[j] - values.points[j - 1]) * share[j - 1])
    assert found.payoff == pytest.approx(np.mean(payoffs), rel=1e-10)


def expected_utility(g, value, q, bid):
    money = value * np.array(g.mechanism.prizes) - bid**g.cost_power * np.array(g.mechanism.payments)
    rho = g.risk_aversion
    return float(np.dot(chances(g.bidders, q), money if rho == 0 else (1 - np.exp(-rho * money)) / rho))


@pytest.mark.parametrize("rho", [0.0, 0.7])
@pytest.mark.parametrize("values", [*VALUES, Atoms()], ids=lambda d: str(getattr(d, "points", "atoms")))
@pytest.mark.parametrize("mech", MECHANISMS, ids=lambda m: f"{m.prizes}{m.payments}")
def test_a_value_is_indifferent_between_its_bids_and_likes_no_other(mech, values, rho):
    g = Game(mech, Private(values), risk_aversion=rho)
    found = solved(g)
    edges = np.concatenate([[0.0], values.breaks, [1.0]])
    q = np.concatenate([a + (b - a) * np.array([0.01, 0.3, 0.5, 0.9, 0.999]) for a, b in itertools.pairwise(edges)])
    own = values.quantile(q)
    for value in np.unique(own):
        worth = np.array([expected_utility(g, value, x, b) for x, b in zip(q, found.bid_at(q), strict=True)])
        best = worth[own == value]
        np.testing.assert_allclose(best, best[0], atol=1e-8)
        assert worth.max() <= best[0] + 1e-8


@pytest.mark.parametrize(
    "g",
    [
        Game(mechanism("payments", 0.8, 3), Private(integers(0, 9)), max_bid=8.0),
        Game(mechanism("prizes", 0.5, 3), Private(Discrete((1, 1, 2, 5))), risk_aversion=0.3, max_bid=2.0),
        Game(mechanism("prizes", 1.0, 3), Private(integers(0, 9)), cost_power=2, max_bid=3.0),
    ],
)
def test_exploitability_on_the_grid_vanishes(g):
    """At first order in the step, or faster: the bid 0 stands for all up to half a step, and ties with them for nothing."""
    found, gains, grids = solved(g), [], np.array([101, 201, 401, 801])
    for levels in grids.tolist():
        fine = Game(g.mechanism, g.values, g.cost_power, g.risk_aversion, levels, g.max_bid)
        played = evaluate(fine, on_grid(fine, found))
        gains.append(played.exploitability[0])
    assert -np.polyfit(np.log(grids - 1), np.log(gains), 1)[0] > 0.95
    assert gains[-1] < 0.2 * np.diff(fine.costs).max()
    assert played.revenue == pytest.approx(found.revenue, abs=fine.bid_grid[1] / 2)
    assert played.payoff[0] == pytest.approx(found.payoff, abs=fine.bid_grid[1] / 2)


@pytest.mark.parametrize("rule", ["prizes", "payments"])
def test_a_solver_of_the_grid_game_comes_to_the_same(rule):
    g = Game(mechanism(rule, 0.8, 3), Private(integers(0, 9)), max_bid=8.0)
    found = solved(g)
    off = []
    for levels in (51, 201):
        fine = Game(g.mechanism, g.values, bid_levels=levels, max_bid=8.0)
        outcome = learn(fine, InteriorPoint(auctions=100), rounds=1)
        assert outcome.exploitability.max() < 1e-8
        assert outcome.highest_bid.mean() == pytest.approx(found.highest_bid, abs=fine.bid_grid[1])
        off.append(abs(outcome.revenue.mean() - found.revenue))
    assert off[1] < 0.25 * off[0]
    assert off[1] < 0.01


@pytest.mark.parametrize("objective", ["revenue", "highest-bid"])
@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize(("rule", "rho"), [("prizes", 0.0), ("payments", 0.0), ("prizes", 1.0), ("payments", 1.0)])
@pytest.mark.parametrize("values", [integers(0, 3), Discrete((1, 1, 2, 5)), Atoms()], ids=["integers", "four", "atoms"])
def test_gradient_is_the_limit_of_differences(values, rule, rho, power, objective):
    w, h = np.array([0.4, 0.35, 0.2, 0.05]), 1e-5
    g = Game(mechanism(rule, w), Private(values), cost_power=power, risk_aversion=rho)
    f = design_objective(g, rule, objective)
    value, gradient = f(w)
    assert value == pytest.approx(getattr(solved(g), objective.replace("-", "_")), rel=1e-9)
    differences = (f(w + h * np.eye(4))[0] - f(w - h * np.eye(4))[0]) / (2 * h)
    np.testing.assert_allclose(gradient, differences, atol=1e-6, rtol=1e-6)


def test_many_values_come_to_the_continuous_game():
    """A thousand values in equal steps are uniform ones but for the step, and not mistaken for them."""
    uniform = solved(Game(mechanism("prizes", 0.8, 3)))
    found = solved(Game(mechanism("prizes", 0.8, 3), Private(steps(0, 1, 1000))))
    assert found.revenue == pytest.approx(uniform.revenue, abs=1e-3)
    assert found.revenue != pytest.approx(uniform.revenue, abs=1e-6)
    np.testing.assert_allclose(found.bid, uniform.bid, atol=2e-3)


def test_no_bid_above_the_own_value():
    """Value v of 0…9 bids at most c(q) = Σ_{j ≤ v} j (2j + 1)/100 / S(q) at q = (v + 1)/10; all of it must be allowed."""
    for w, ends in ((0.65, "at quantile 1"), (0.7, None)):
        g = Game(mechanism("payments", w, 3), Private(integers(0, 9)), overbidding=False)
        value = design_objective(g, "payments")([w, 1 - w, 0])[0]
        if ends is None:
            assert solved(g).revenue == pytest.approx(4.5)
            assert value == pytest.approx(4.5)
        else:
            assert ends in why_no_equilibrium(g)
            assert math.isnan(value)


@pytest.mark.parametrize("beyond", [-1e-6, 1e-6])
def test_the_upper_end_of_what_a_value_bids_counts(beyond):
    """Under (w, 1−w, 0) the value 1, if it is the lowest, bids q/(wq + 2(1−w)(1−q)): above 1 from q = 2/3 on, whatever w."""

    class Two:
        breaks = (2 / 3 + beyond,)

        def quantile(self, q):
            return np.where(np.asarray(q, float) < self.breaks[0], 1.0, 100.0)

    g = Game(mechanism("payments", 0.7, 3), Private(Two(), levels=3), overbidding=False)
    value = design_objective(g, "payments")([0.7, 0.3, 0])[0]
    if beyond > 0:  # by less than lies between a node and the end of its panel
        assert "exceed the bidder's value (at quantile 0.667)" in why_no_equilibrium(g)
        assert math.isnan(value)
    else:
        assert solved(g).revenue == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(
    ("breaks", "shown"), [((0.5, 0.2), "0.5, 0.2"), ((0.0, 0.5), "0.0"), ((math.nan,), "nan"), ("half", "nan")]
)
def test_breaks_that_are_none(breaks, shown):
    class Wrong(Half):
        pass

    Wrong.breaks = breaks
    with pytest.raises(AllpayError, match=f"breaks of .* between 0 and 1, increasing: got .*{shown}"):
        equilibrium(Game(first_price(3), Private(Wrong(), levels=2)))


def test_a_distribution_of_ones_own_with_two_values():
    own, discrete = (solved(Game(first_price(3), Private(d))) for d in (Half(), Discrete((1, 3))))
    assert own.revenue == pytest.approx(discrete.revenue, rel=1e-12)


def test_breaks_without_a_jump_change_nothing():
    class Halves(Uniform):
        breaks = (0.25, 0.7)

    plain, broken = (solved(Game(mechanism("prizes", 0.8, 3), Private(d), cost_power=2)) for d in (Uniform(), Halves()))
    assert broken.revenue == pytest.approx(plain.revenue, rel=1e-10)


# What is shown --------------------------------------------------------------------------------------------------------


def run(*args):
    done = CliRunner().invoke(app, [str(a) for a in args])
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_equilibrium_of_whole_numbers(tmp_path):
    ask = ("equilibrium", "--rule", "payments", "--weights", 0.8, "--distribution", "integers(0,9)")
    values = json.loads(run(*ask, "--json"))
    assert values["revenue"] == pytest.approx(4.5)
    assert values["bid"][-1] == pytest.approx(6.15 / 0.8)
    assert values["reason"] is None
    text = run(*ask, "--plot", tmp_path / "bids.png")
    # the bids of value 1 end where v dΠ = 3/100 is paid with S = .8/25 + .4·.16
    assert f"       1       0.0000  {0.03 / 0.096:11.4f}" in text
    assert (tmp_path / "bids.png").stat().st_size > 5_000
    many = run("equilibrium", "--weights", 0.8, "--distribution", "integers(0,99)")
    assert "quantile" in many


def test_the_figure_spans_the_bids_of_each_value(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    kept = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **options: kept.append(self))
    g = Game(mechanism("payments", 0.8, 3), Private(integers(0, 3)))
    found = solved(g)
    draw_equilibrium(g, found, tmp_path / "bids.png")
    left, right = kept[0].axes
    spans = [line.get_xydata() for line in left.lines if line.get_marker() != "o"]
    assert [set(span[:, 0]) for span in spans] == [{0.0}, {1.0}, {2.0}, {3.0}]
    ends = found.bid_at([0.25, 0.5, 0.75, 1.0])
    assert [span[-1, 1] for span in spans] == pytest.approx(ends)
    assert [span[0, 1] for span in spans] == pytest.approx([0, *ends[:-1]])
    assert [text.get_text().strip() for text in right.texts] == ["25%"]  # a quarter are worth nothing, and bid nothing
