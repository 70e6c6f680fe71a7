"""Values estimated from bids of known origin."""

import json
import re
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from allpay import Beta, Bidder, Lognormal, Mechanism, Power, Private, Setting, Uniform, equilibrium
from allpay.cli import app
from allpay.contest.game import Game
from allpay.contest.preferences import PowerCost
from allpay.contest.success import success
from allpay.contest.values import Common, Curve, bernstein, distribution, text_of
from allpay.errors import AllpayError
from allpay.estimate.advice import advise, advise_in, last_year
from allpay.estimate.conditions import Condition, Kind, in_steps, spread
from allpay.estimate.families import loss_of
from allpay.estimate.generate import past_contests
from allpay.estimate.kept import FILE, load, save
from allpay.estimate.past import Contests
from allpay.estimate.values import LEVELS, estimate_groups, estimate_values, kinds_of, tail_of, targets_of
from allpay.report.estimated import advice_in_words, estimate_in_words, last_year_in_words, study_section, warnings_of
from allpay.study import DesignSpace

LEVEL = np.array(LEVELS)


def game_of(values, bidders=5, prizes=(0.5, 0.3, 0.2), payments=None, power=2.0, presence=1.0):
    won = (*prizes, *[0.0] * (bidders - len(prizes)))[:bidders]
    paid = [1.0] * bidders if payments is None else [*payments, *[payments[-1]] * (bidders - len(payments))]
    rules = Mechanism(tuple(won), tuple(paid))
    return Setting(Private(values), cost_power=power, attendance=presence).game(rules)


def without_chance(values, games, bids_each=3000):
    """Contests whose bids are those of equally spaced quantiles: what infinitely many contests would show."""
    contest, bid, prizes, first = [], [], [], 0
    for game in games:
        n = game.bidders
        count = bids_each // n
        q = (np.arange(count * n) + 0.5) / (count * n)
        bid.append(np.random.default_rng(1).permutation(equilibrium(game).bid_at(q)))
        contest.append(np.repeat(np.arange(first, first + count), n))
        prizes += [game.mechanism.prizes] * count
        first += count
    most = max(map(len, prizes))
    table = np.array([[*row, *[0.0] * (most - len(row))] for row in prizes])
    return Contests(np.concatenate(contest), np.concatenate(bid), table)


@pytest.mark.parametrize(
    ("bidders", "prizes", "payments", "power", "presence"),
    [
        (5, (0.5, 0.3, 0.2), (1.0,), 2.0, 1.0),
        (3, (0.8, 0.2), (1.0,), 1.0, 0.7),
        (12, (1.0,), (1.0,), 3.0, 0.4),
        (4, (0.6, 0.4), (1.0, 0.5, 0.25), 1.0, 1.0),
        (3, (1.0,), (1.0, 0.0), 1.5, 1.0),
    ],
)
def test_the_condition_is_that_of_the_equilibrium(bidders, prizes, payments, power, presence):
    values = Beta(2, 3, 1.7)
    condition = Condition(Kind(bidders, prizes, payments, payments[-1], presence), spread(40))
    found = equilibrium(game_of(values, bidders, prizes, payments, power, presence))
    spent = condition.spent(values.quantile(condition.nodes))
    np.testing.assert_allclose((spent / condition.paid) ** (1 / power), found.bid_at(condition.quantiles), rtol=1e-5)
    slopes = condition.slopes(values.quantile(condition.quantiles), spent)
    step = 1e-5
    ahead, behind = (found.bid_at(condition.quantiles + h) ** power for h in (step, -step))
    steep = slopes > 2e-3 * slopes.max()
    np.testing.assert_allclose(slopes[steep], (condition.paid * (ahead - behind) / (2 * step))[steep], rtol=2e-3)


@pytest.mark.parametrize(
    ("values", "family", "near"),
    [
        (Beta(2, 3), "beta", 0.003),
        (Beta(2, 3), "curve", 0.02),
        (Power(1.5, 20.0), "power", 0.003),
        (Uniform(3.0, 10.0), "uniform", 0.003),
        (Lognormal(0.0, 0.4, float(np.exp(1.2))), "lognormal", 0.003),
        (Curve((0.0, 0.1, 0.1, 0.9, 1.0)), "curve", 0.02),
    ],
)
def test_without_chance_the_values_are_found(values, family, near):
    found = estimate_values(without_chance(values, [game_of(values)]), cost=PowerCost(2), family=family, resamples=0)
    np.testing.assert_allclose(found.values, values.quantile(LEVEL), rtol=near)
    assert found.draws == ()


def test_contests_that_differ_tell_the_same_values():
    values = Beta(2, 3)
    games = [game_of(values, n, prizes) for n in (3, 5, 8) for prizes in ((0.7, 0.3), (1.0,))]
    contests = without_chance(values, games)
    found = estimate_values(contests, cost=PowerCost(2), family="beta", resamples=0)
    np.testing.assert_allclose(found.values, values.quantile(LEVEL), rtol=0.004)
    assert len(found.kinds) == 6
    for kind in found.kinds:
        np.testing.assert_allclose(kind.predicted, kind.observed, rtol=0.02, atol=1e-3)


def test_of_those_registered_some_are_absent():
    values = Beta(2, 3)
    games = [game_of(values, n, presence=0.7) for n in range(3, 9)]
    found = estimate_values(past_contests(games, 3000, seed=3), cost=PowerCost(2), family="beta", resamples=0)
    assert abs(found.presence - 0.7) < 0.01
    np.testing.assert_allclose(found.values[1:], values.quantile(LEVEL)[1:], rtol=0.06)


def test_payments_by_rank():
    values = Uniform(0, 1)
    contests = without_chance(values, [game_of(values, 4, (0.6, 0.4), (1.0, 0.5, 0.25), 1.0)])
    found = estimate_values(contests, payments=(1.0, 0.5, 0.25), family="power", resamples=0)
    np.testing.assert_allclose(found.values, values.quantile(LEVEL), rtol=0.005)


def test_the_purse_is_the_unit_of_prizes():
    values = Beta(2, 3)
    plain = past_contests(game_of(values), 50, seed=1)
    money = Contests(plain.contest, plain.bid, plain.prizes * 20_000)
    one, other = (estimate_values(c, cost=PowerCost(2), family="beta", resamples=0) for c in (plain, money))
    np.testing.assert_allclose(one.values, other.values, rtol=1e-9)
    assert other.purse == pytest.approx(20_000)


def test_residuals_of_the_true_values_have_about_the_variance_one():
    """Of 20 samples of 160 residuals each; quantiles of few bids at the ends are a little wider than a bridge."""
    values, ratios = Beta(2, 3), []
    for seed in range(20):
        sample = kinds_of(past_contests(game_of(values), 130, seed=seed), PowerCost(2), 1.0, (1.0,))
        targets = [_with_true_slopes(t, values) for t in targets_of(sample, np.ones(130))]
        ratios.append(loss_of(values, targets) / sum(len(t.slopes) for t in targets))
    assert 0.9 < np.mean(ratios) < 1.2


def _with_true_slopes(target, values):
    condition = target.bids.condition
    spent = condition.spent(values.quantile(condition.nodes))
    slopes = condition.slopes(values.quantile(condition.quantiles), spent)
    return type(target)(target.bids, target.spent, target.count, slopes)


def test_resamples_are_of_contests_and_depend_on_the_seed_alone():
    contests = past_contests(game_of(Beta(2, 3)), 100, seed=5)
    one, same, other = (
        estimate_values(contests, cost=PowerCost(2), family="curve", resamples=8, seed=s) for s in (0, 0, 1)
    )
    assert one.draws == same.draws != other.draws
    assert one.low == same.low
    assert all(a <= b for a, b in zip(one.low, one.high, strict=True))


def test_an_estimate_is_kept_as_it_is(tmp_path):
    contests = past_contests(game_of(Beta(2, 3)), 60, seed=2)
    found = estimate_values(contests, cost=PowerCost(2), resamples=3)
    save(found, tmp_path)
    again = load(tmp_path)
    assert vars(again).keys() == vars(found).keys()
    for name, value in vars(found).items():
        assert getattr(again, name) == value, name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: {**d, "distribution": "os.system(1)"}, "distribution"),
        (lambda d: {**d, "draws": ["beta(2)"]}, "takes 2 or 3 numbers"),
        (lambda d: {**d, "presence": 2.0}, "presence"),
        (lambda d: {**d, "more": 1}, "more"),
        (lambda d: {**d, "format": 99}, "format 99"),
        (lambda d: [d], "damaged"),
    ],
)
def test_a_damaged_estimate_is_one_line(tmp_path, change, message):
    found = estimate_values(
        past_contests(game_of(Beta(2, 3)), 20, seed=2), cost=PowerCost(2), family="beta", resamples=1
    )
    save(found, tmp_path)
    data = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(change(data)))
    with pytest.raises(AllpayError, match=re.escape(message)) as told:
        load(tmp_path)
    assert len(str(told.value)) <= 300
    assert "\n" not in str(told.value)


def test_a_folder_without_an_estimate_says_how_to_make_one(tmp_path):
    with pytest.raises(AllpayError, match="make one with allpay estimate"):
        load(tmp_path)


def test_a_curve_rises_ends_where_it_should_and_has_a_text():
    rng = np.random.default_rng(1)
    for degree in (1, 4, 12, 40):
        given = Curve(tuple(np.cumsum(rng.exponential(size=degree + 1)).tolist()))
        q = np.linspace(0, 1, 3001)
        values = given.quantile(q)
        assert np.all(np.diff(values) >= 0)
        assert values[0] == pytest.approx(given.coefficients[0], abs=1e-12)
        assert values[-1] == given.coefficients[-1]
        assert distribution(text_of(given)) == given
        np.testing.assert_allclose(bernstein(q, degree).sum(axis=-1), 1, atol=1e-12)
    for known in (Beta(2, 3, 1.5), Power(2.5, 7.0), Uniform(0.1, 0.9), Lognormal(0.1, 0.3, 2.0)):
        assert distribution(text_of(known)) == known
    with pytest.raises(AllpayError, match="nondecreasing"):
        Curve((0.0, 2.0, 1.0))


def test_a_highest_value_is_a_scale():
    q = np.linspace(0, 1, 11)
    np.testing.assert_allclose(Beta(2, 5, 3.0).quantile(q), 3 * Beta(2, 5).quantile(q))
    np.testing.assert_allclose(Power(2, 3.0).quantile(q), 3 * Power(2).quantile(q))


def test_advice_loses_nothing_where_the_draws_agree_and_something_where_not():
    space, setting = DesignSpace("prizes", 5, 3), Setting(Private(Beta(2, 3)), cost_power=2.0)
    known = (0.7521, 0.1602, 0.0877, 0.0, 0.0)  # the best under Beta(2, 3)
    same = advise(space, setting, "revenue", known, [Beta(2, 3)] * 2)
    assert max(same.loss) < 1e-6
    np.testing.assert_allclose(same.best[0], known, atol=2e-4)
    other = advise(space, setting, "revenue", (1.0, 0.0, 0.0, 0.0, 0.0), [Beta(2, 3), Beta(2, 5)])
    assert min(other.loss) > 0.005
    assert other.within()[0][0] < other.within()[0][1] < 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"confidence": 1.0}, "confidence must lie between 0 and 1: got 1"),
        ({"resamples": -1}, "resamples must be at least 0: got -1"),
        ({"family": "bet"}, "beta"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_bound_that_is_not_kept_is_named(change, message):
    contests = past_contests(game_of(Beta(2, 3)), 20, seed=2)
    with pytest.raises(AllpayError, match=re.escape(message)):
        estimate_values(contests, **change)


def test_one_contest_or_equal_bids_tell_nothing():
    plain = past_contests(game_of(Beta(2, 3)), 20, seed=2)
    with pytest.raises(AllpayError, match="one contest cannot tell"):
        estimate_values(Contests(plain.contest[:5], plain.bid[:5], plain.prizes[:1]))
    with pytest.raises(AllpayError, match="all bids are equal"):
        estimate_values(Contests(plain.contest, np.full_like(plain.bid, 0.3), plain.prizes))


def run(*line):
    return CliRunner().invoke(app, list(map(str, line)))


def test_from_a_table_to_the_next_prizes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = run(
        "simulate", "--weights", "500,300,200", "--bidders", 5, "--cost-power", 2, "--contests", 80, "--out", "past.csv"
    )
    assert made.exit_code == 0, made.output
    told = run("estimate", "past.csv", "--cost-power", 2, "--resamples", 4, "--out", "known", "--family", "beta")
    assert told.exit_code == 0, told.output
    assert "80 contests with 5 bidders each" in told.stdout
    assert (
        "if that made the whole purse (1000 on average) theirs for sure: they work as if it were worth more"
        in told.stdout
    )
    names = {path.name for path in (tmp_path / "known").iterdir()}
    pages = {"estimate.json", "summary.txt", "values.csv", "study.toml", "figure.png", "figure.pdf"}
    assert names == {*pages, "command.txt"}
    # nothing of the table is kept but sums
    rows = (tmp_path / "past.csv").read_text().splitlines()[1:]
    kept = (tmp_path / "known" / "estimate.json").read_text()
    assert not any(row.split(",")[2] in kept for row in rows[:100] if row.split(",")[2])
    tomllib.loads((tmp_path / "known" / "study.toml").read_text())
    best = run("design", "--values-from", "known", "--bidders", 5, "--prizes", 2, "--method", "theory", "--json")
    assert best.exit_code == 0, best.output
    found = json.loads(best.stdout)
    assert len(found["resamples"]["loss"]) == 4
    assert "'cost_power': 2.0" in str(found)
    assert max(found["resamples"]["loss"]) < 0.02
    several = run("run", "known/study.toml", "--method", "theory", "--json")  # each resample is a scenario
    assert several.exit_code == 0, several.output
    assert [s["name"] for s in json.loads(several.stdout)["scenarios"]] == [f"resample {k}" for k in (1, 2, 3, 4)]
    judged = " ".join(run("judge", 1200, 800, "--values-from", "known", "--bidders", 5).stdout.split())
    assert "face value" not in judged  # nothing tells what an effort costs in the money of new prizes
    assert re.search(r"an effort of [\d.]+, which costs them [\d.]+ times what a bid of 1 costs", judged)
    assert "of the past contests (1000 on average) was worth to it, in units of what a bid of 1 cost there" in judged
    assert "one of 1 costs a bidder a value of 1, and one of 0.5 costs 0.25 of that (the cost of b is b^2)" in judged
    words = run("design", "--values-from", "known", "--bidders", 5, "--prizes", 2, "--method", "theory").stdout
    assert re.search(r"over 95% of 4 resamples of your contests the best design has the first prize ", words)
    assert re.search(
        r"last year: in 80 contests with 5 bidders and prizes 0\.5, 0\.3, 0\.2, the total was [\d.]+ ± ", words
    )
    (year,) = found["last_year"]
    rows = [row.split(",") for row in (tmp_path / "past.csv").read_text().splitlines()[1:]]
    bids = np.array([float(row[2]) for row in rows]).reshape(80, 5)
    assert year["seen"][0] == pytest.approx([bids.sum(axis=1).mean(), bids.sum(axis=1).std(ddof=1) / 80**0.5])
    assert year["seen"][1][0] == pytest.approx(bids.max(axis=1).mean())
    assert year["old"][0] == pytest.approx(year["seen"][0][0], rel=0.05)
    assert year["new"][0] >= year["old"][0]
    assert year["change"][0][0] <= year["new"][0] / year["old"][0] - 1 <= year["change"][0][1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("design", "--values-from", "nothing"), "--values-from: nothing holds no estimate"),
        (
            ("design", "--values-from", "known", "--cost-power", 3),
            "--cost-power is part of what --values-from known says",
        ),
        (("design", "--values-from", "known", "--distribution", "power(2)"), "--distribution is part of what"),
        (("estimate", "past.csv", "--family", "betta"), "betta"),
        (("estimate", "past.csv", "--out", "other"), "other holds something else"),
        (("estimate", "none.csv"), "none.csv"),
    ],
)
def test_what_cannot_be_estimated_is_one_line(tmp_path, monkeypatch, line, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "past.csv").write_text("contest,bid,prize\n1,0.5,1\n1,0.2,0\n2,0.4,1\n2,0.1,0\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("")
    if "known" in line:
        contests = past_contests(game_of(Beta(2, 3)), 20, seed=2)
        (tmp_path / "known").mkdir()
        save(estimate_values(contests, cost=PowerCost(2), family="beta", resamples=1), tmp_path / "known")
    done = run(*line)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) <= 310


def test_bids_that_do_not_answer_to_prizes_as_assumed_are_noticed():
    games = [game_of(Beta(2, 3), n, (0.7, 0.3)) for n in (3, 8)]
    contests = past_contests(games, 300, seed=4)
    right, wrong = (estimate_values(contests, cost=PowerCost(p), family="beta", resamples=1) for p in (2.0, 1.3))
    assert max(abs(kind.beyond / kind.error) for kind in right.kinds) < 3
    assert min(abs(kind.beyond / kind.error) for kind in wrong.kinds) > 4
    assert "bids answer to prizes and rivals as assumed" in estimate_in_words(right)
    assert "Bids do not answer to prizes or rivals as assumed" in estimate_in_words(wrong)
    assert "cannot test whether bids answer" in estimate_in_words(
        estimate_values(past_contests(games[0], 30, seed=1), cost=PowerCost(2), family="beta", resamples=0)
    )


def test_last_year_is_told_of_purses_as_they_were_and_of_contests_nobody_came_to():
    values = Beta(2, 3)
    plain = past_contests(game_of(values, 3, (0.6, 0.4), presence=0.6), 400, seed=3)
    double = np.where(np.arange(400)[:, None] % 2 == 0, plain.prizes, 2 * plain.prizes)
    found = estimate_values(Contests(plain.contest, plain.bid, double), cost=PowerCost(2), resamples=0, family="beta")
    space, setting = (
        DesignSpace("prizes", 3, 2),
        Setting(Private(found.distribution), cost_power=2.0, attendance=found.presence),
    )
    told = last_year(found, space, setting, (0.6, 0.4, 0.0))
    assert sorted(sum(kind.prizes) for kind in told) == pytest.approx([2 / 3, 4 / 3])
    for kind in told:
        assert kind.old == pytest.approx(kind.new)  # the same split of the same purse
        own = np.isclose(double.sum(axis=1), sum(kind.prizes) * double.sum(axis=1).mean())
        bids = np.nan_to_num(plain.bid).reshape(400, 3)[own]
        assert kind.seen[0][0] == pytest.approx(bids.sum(axis=1).mean())
        assert kind.seen[1][0] == pytest.approx(bids.max(axis=1).mean())
        assert kind.within is None
    assert np.any(~plain.there.reshape(400, 3).any(axis=1))
    theirs = last_year(found, space, replace(setting, luck=success("normal(0.3)")), (0.6, 0.4, 0.0))
    assert theirs is None
    assert "no formula" in last_year_in_words(theirs, 3)
    assert last_year(found, DesignSpace("prizes", 4, 2), setting, (0.6, 0.4, 0.0, 0.0)) == ()
    assert "last year: no past contest of the data had 4 bidders" in last_year_in_words((), 4)


def test_bids_that_no_family_explains_are_told():
    """Bids of people to whom effort costs its fourth power, taken as if it cost what it is."""
    games = [game_of(Beta(2, 3), bidders=n, power=4.0) for n in (3, 8)]
    found = estimate_values(past_contests(games, 60, seed=0), resamples=0)
    told = estimate_in_words(found, "What was read.")
    assert told.startswith("Do not use these values: no distribution of them explains the bids")
    assert "was taken to be b^1: give allpay estimate another, as --cost-power 2, or --cost-power estimate." in told
    assert told.index("What was read.") < told.index("Found: ")
    assert warnings_of(found) == [told.split("\n\n")[0]]
    rightly = estimate_values(past_contests(games, 60, seed=0), cost=PowerCost(4), resamples=0)
    assert "No family explains" not in estimate_in_words(rightly)


@pytest.mark.parametrize(
    ("contests", "bidders", "step"), [(100, 5, 0.0), (30, 20, 0.0), (400, 5, 0.02), (100, 5, 0.01)]
)
def test_the_true_model_is_seldom_said_to_explain_no_bids(contests, bidders, step):
    """Lowest bids are far from straight in their quantiles, and files hold bids in steps: neither is the model's fault."""
    found = []
    for seed in range(8):
        past = past_contests(game_of(Uniform(0, 1), bidders=bidders), contests, seed=seed)
        bid = np.round(past.bid / step) * step if step else past.bid
        found.append(estimate_values(replace(past, bid=bid), cost=PowerCost(2), resamples=0))
    assert all(one.explains for one in found)
    assert max(one.misfit for one in found) < 2.0
    assert not any(warnings_of(one) for one in found)


def test_a_wrong_power_of_cost_is_said_to_explain_no_bids():
    found = []
    for seed in range(6):
        past = past_contests([game_of(Uniform(0, 1), bidders=n) for n in (3, 8)], 100, seed=seed)
        found.append(estimate_values(past, cost=PowerCost(1), resamples=0))
    assert not any(one.explains for one in found)
    assert all(one.apart > 0.1 for one in found)


def test_what_other_contests_foretell_wrongly_is_said_first():
    games = [game_of(Uniform(0, 1), bidders=n, prizes=(0.6, 0.3, 0.1)) for n in (3, 5, 8)]
    past = past_contests(games, 450, seed=1)
    wrong = estimate_values(past, cost=PowerCost(4), resamples=1)
    told = estimate_in_words(wrong)
    assert told.startswith("Doubt these values: bids do not answer to prizes or rivals as assumed.")
    assert "try --cost-power estimate" in warnings_of(wrong)[0]
    assert not warnings_of(estimate_values(past, cost=PowerCost(2), resamples=1))


def test_of_groups_too_only_the_wrong_model_is_said_to_explain_no_bids():
    rules = Mechanism((1.0, 0.0), (1.0, 1.0))
    game = Game(rules, [(Bidder(Private(values)), 1) for values in (Uniform(0, 1), Uniform(0, 0.5))])
    for seed in range(4):
        past = past_contests(game, 500, seed=seed)
        assert all(part.explains for part in estimate_groups(past, resamples=0).parts)
        wrong = estimate_groups(past, cost=PowerCost(0.3), resamples=0)
        assert not all(part.explains for part in wrong.parts)
        assert "of group 1" in warnings_of(wrong)[0] or "of group 2" in warnings_of(wrong)[0]


def test_what_is_left_unexplained_is_a_step_of_quantiles():
    """Costs that the distribution foretells at other quantiles are off by just these quantiles, and no more than by slopes."""
    condition, values = Condition(Kind(5, (0.5, 0.3, 0.2)), spread(8)), Uniform(0, 1)
    slopes = condition.slopes(values.quantile(condition.quantiles), condition.foreseen(values))
    moved = condition.quantiles + 0.07 * np.exp(-20 * condition.quantiles)
    spent = np.interp(moved, condition.fine.quantiles, condition.fine.foreseen(values))
    left = condition.left(spent, values, slopes)
    steps = condition.residuals(moved - condition.quantiles, np.ones(8))
    first = condition.residuals(spent - condition.foreseen(values), slopes)
    np.testing.assert_allclose(left, steps, atol=0.02)
    assert abs(first[0]) > 2 * abs(left[0])  # the lowest quantile, where costs are curved most


@pytest.mark.parametrize("power", [0.4, 1.0, 2.0])
@pytest.mark.parametrize("highest", [20, 100])
def test_where_bids_lay_before_they_were_rounded_is_found(power, highest):
    """Bids of which a share (b/highest)^power lies below b, to within chance and a tenth of a step."""
    bids = highest * np.sort(np.random.default_rng(3).random(4000)) ** (1 / power)
    likely, edges = in_steps(np.round(bids), 1.0)
    np.testing.assert_allclose(np.round(likely), np.round(bids))
    steps = np.arange(highest) + 0.5
    np.testing.assert_allclose(edges, steps[steps > bids[0]])
    inner = slice(100, -200)  # where bids end, half a step may be empty
    assert np.max(np.abs(likely - bids)[inner]) < 0.4
    assert np.sqrt(np.mean((likely - bids)[inner] ** 2)) < 0.1
    if power < 1:  # the lowest, where the distribution is steep
        at = np.searchsorted(bids, 0.4) // 3
        assert likely[at] == pytest.approx(bids[at], rel=0.5)  # spread evenly it would be eight times as much


def test_in_which_steps_bids_are_recorded_is_seen_from_them():
    def lain(bids):
        contests = Contests(np.zeros(len(bids), np.int64), np.array(bids), np.ones((1, 1)))
        return in_steps(np.array(bids), contests.step)

    np.testing.assert_allclose(lain([0.0, 1, 1, 2, 4])[1], [0.5, 1.5, 2.5, 3.5])
    meant = [0.0, 0.0, 0.3123, 0.3124, 0.9]  # nobody rounds to a ten-thousandth part
    assert np.max(np.abs(lain(meant)[0] - meant)) < 1e-4
    assert lain([0.1, 0.2, 0.4])[1].size == lain([0.5, 0.5])[1].size == 0


def test_of_bids_in_steps_those_between_two_steps_tell_values():
    """Where bids are known between steps alone the values of infinitely many bids come out as if all bids were known; a split
    of the lowest step, as of 20 equal ones, has as many nodes as it needs."""
    values, kind = Beta(2, 3), Kind(20, (0.1,) * 10)
    at = np.array([0.3, 0.55, 0.8])
    coarse, exact = Condition(kind, at), Condition(kind, np.sort(np.concatenate([spread(200), at])))
    costs = exact.foreseen(values)[np.searchsorted(exact.quantiles, at)]
    np.testing.assert_allclose(coarse.foreseen(values), costs, rtol=1e-5)
    assert len(coarse.nodes) > 2 * len(at)
    contests = past_contests(game_of(values), 400, seed=3)
    rounded = replace(contests, bid=np.round(contests.bid / 0.05) * 0.05)  # in 11 steps
    assert len(np.unique(rounded.bid)) < 12
    (bids,) = kinds_of(rounded, PowerCost(2), 1.0, (1.0,))
    between, below = np.sqrt(bids.at_quantiles()[0]), bids.condition.quantiles
    np.testing.assert_allclose(between, np.round(between / 0.05 - 0.5) * 0.05 + 0.025, atol=1e-3)
    np.testing.assert_allclose([np.mean(contests.bid < b) for b in between], below, atol=2e-3)
    found = estimate_values(rounded, cost=PowerCost(2), resamples=0)
    np.testing.assert_allclose(found.values[4:-1], values.quantile(np.array(LEVELS))[4:-1], rtol=0.1)


def test_values_not_to_be_used_are_named_wherever_they_are_taken(tmp_path, monkeypatch):
    """One value for all does not explain these bids; yet theory takes it, and each command says what speaks against it."""
    monkeypatch.chdir(tmp_path)
    contests = past_contests(game_of(Beta(2, 3), power=3.0), 60, seed=2)
    found = estimate_values(contests, resamples=2)
    assert len(set(found.distribution.coefficients)) == 1
    (tmp_path / "known").mkdir()
    save(found, tmp_path / "known")
    for line in (("design", "--bidders", 5, "--method", "theory"), ("equilibrium", "--weights", "1,0,0,0,0")):
        done = run(*line, "--values-from", "known", "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["warnings"] == warnings_of(found)
        assert done.stderr.count("allpay: --values-from known: Do not use these values") == 1
    told = run("design", "--bidders", 5, "--method", "theory", "--values-from", "known").stdout
    assert "How sure the data make it, and what would have happened last year, is not told. Do not use" in told
    (tmp_path / "study.toml").write_text(study_section(found))
    done = run("run", "study.toml", "--method", "theory", "--json")
    assert json.loads(done.stdout)["warnings"] == warnings_of(found)
    assert done.stderr.count("allpay: study.toml: Do not use these values") == 1
    other = run("equilibrium", "--weights", "1,0,0", "--json")
    assert "warnings" not in json.loads(other.stdout)


def test_an_answer_that_is_replaced_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "past.csv").write_text("contest,bid,prize\n1,1,3\n1,2,5\n2,2,3\n2,3,5\n3,2,5\n3,1,3\n")
    line = ("estimate", "past.csv", "--resamples", 0)
    assert run(*line).stderr == run(*line).stderr == ""
    assert "is replaced: allpay estimate past.csv --resamples 0; to keep both" in run(*line, "--cost-power", 2).stderr
    (tmp_path / "estimate" / "command.txt").write_bytes(b"\xff")
    assert run(*line).exit_code == 0


def test_ranges_hold_the_estimate_and_resamples_without_a_formula_are_counted():
    contests = past_contests(game_of(Beta(2, 3)), 40, seed=2)
    found = estimate_values(contests, cost=PowerCost(2), family="beta", resamples=2)
    off = replace(found, low=tuple(found.values * 2), high=tuple(found.values * 3))
    assert off.low == pytest.approx(found.values)
    assert off.high == pytest.approx(found.values * 3)
    space, setting = DesignSpace("prizes", 5, 2), Setting(Private(Beta(2, 3)), cost_power=2.0)
    draws = (Beta(2, 3), Atoms())
    told = advise(space, setting, "revenue", (0.6, 0.4, 0, 0, 0), draws)
    assert (len(told.best), told.without, told.flat) == (1, 1, 0)
    same = advise_in(space, [Setting(Common(2.0)), *[setting] * 2], "revenue", (0.6, 0.4, 0, 0, 0))
    assert (len(same.best), same.without, same.flat) == (2, 0, 1)
    assert "In 1 more all designs bring the same." in advice_in_words(same, ["the first prize"])
    none = advise_in(space, [Setting(Common(2.0))] * 2, "revenue", (0.6, 0.4, 0, 0, 0))
    assert "in all 2 resamples of your contests theory tells no design from another" in advice_in_words(none, [])
    low = replace(found, distribution=Beta(2, 3), draws=(Beta(2, 3, 2.0), Beta(2, 3, 3.0), Atoms()))
    (year,) = last_year(low, space, setting, (0.6, 0.4, 0, 0, 0))
    assert year.within[0][0] == year.new[0]  # below those of both resamples
    assert year.without == 1
    assert "In 1 more resamples theory has no formula." in last_year_in_words([year], 5)


def test_bands_of_few_contests_are_wider_than_resamples_scatter():
    """Of a mean of few normal numbers, with resamples of them, the expanded band holds nearly as often as it says."""
    rng, held = np.random.default_rng(4), []
    for count in (5, 12):
        tail = tail_of(count, 0.9)
        for _ in range(400):
            seen = rng.normal(size=count)
            means = rng.choice(seen, (400, count)).mean(axis=1)
            low, high = np.quantile(means, [tail, 1 - tail])
            held.append(low <= 0 <= high)
    assert 0.86 < np.mean(held) < 0.92
    assert tail_of(10**6, 0.9) == pytest.approx(0.05, abs=1e-6)
    few = estimate_values(past_contests(game_of(Beta(2, 3)), 3, seed=1), cost=PowerCost(2), family="beta", resamples=3)
    assert "Too few contests: 3 do not show how much contests differ" in warnings_of(few)[-1]
    enough = estimate_values(past_contests(game_of(Beta(2, 3)), 5, seed=1), cost=PowerCost(2), resamples=3)
    assert not any("Too few" in text for text in warnings_of(enough))


class Atoms:
    """Two values, of which theory is not told where they part."""

    def quantile(self, q):
        return np.where(np.asarray(q) < 0.5, 0.2, 0.7)


def test_beta_values_are_known_at_all_quantiles():
    """SciPy has none for these at some of the quantiles below 1e-16."""
    values = Beta(1.0158299154389672, 0.906178001774011, 2.0).quantile(10.0 ** np.arange(-200, -1, 2.3))
    assert np.all(np.isfinite(values))
    assert np.all(np.diff(values) > 0)


def test_values_above_the_highest_step_are_said_to_be_guessed():
    """Where a third of the bids are recorded as the highest nothing tells how high values are there."""
    alike = game_of(Beta(2, 3), bidders=20, prizes=(0.1,) * 10)  # beyond the tenth place all bid nearly the same
    for game, steps, guessed in ((alike, 20, True), (game_of(Beta(2, 3)), 100, False)):
        contests = past_contests(game, 60, seed=2)
        step = float(contests.bid.max()) / steps
        coarse = replace(contests, bid=np.round(contests.bid / step) * step)
        assert coarse.step == pytest.approx(step)
        found = estimate_values(coarse, cost=PowerCost(2), resamples=40)
        assert ("recorded with the highest bid" in estimate_in_words(found)) == guessed
        assert found.high[-2] / found.low[-2] > (2 if guessed else 1)
        assert not warnings_of(found)
        assert estimate_values(contests, cost=PowerCost(2), resamples=2).highest == 0


def test_values_of_bidders_in_equilibrium_are_not_said_to_be_sure_for_others(tmp_path, monkeypatch):
    """Who errs, or is afraid of losses, would have shown other values by the same bids."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "known").mkdir()
    save(
        estimate_values(past_contests(game_of(Beta(2, 3)), 40, seed=2), cost=PowerCost(2), resamples=3),
        tmp_path / "known",
    )
    small = ("--samples", 5, "--rounds", 1, "--value-levels", 3, "--bid-levels", 5)
    for line, why in (
        (("--learner", "logit-equilibrium", "--noise", 0.1), "here bids are a logit equilibrium"),
        (("--risk-aversion", 2, "--iterations", 20), "here bidders are not risk-neutral"),
        (("--iterations", 20), ""),
    ):
        done = run("design", "--values-from", "known", *line, *small)
        assert done.exit_code == 0
        assert ("How sure the data make it" in done.stdout) == (not why)
        assert why in done.stderr
        assert done.stderr.count("would have shown other values") == bool(why)


def test_what_chance_alone_would_hardly_leave_is_a_reason_to_doubt_other_prizes():
    games = [game_of(Beta(2, 3), n, (0.7, 0.3)) for n in (3, 8)]
    wrong = estimate_values(past_contests(games, 300, seed=4), cost=PowerCost(1.8), family="beta", resamples=1)
    (kind, other) = wrong.kinds
    told = replace(wrong, kinds=(replace(kind, beyond=0.03, error=0.01), replace(other, beyond=0.0, error=0.01)))
    (text,) = warnings_of(told)
    assert text.startswith("A reason to doubt what follows for other prizes: Bids with")
    assert (
        "3% above what the other contests foretell, 3.0 standard errors. By chance alone the kind furthest off is more than 2.2"
        in text
    )
    assert "and this is more: a reason to doubt that" in estimate_in_words(told)
    assert not warnings_of(replace(told, kinds=(replace(kind, beyond=0.02, error=0.01), told.kinds[1])))
