"""The power of the cost of bids, found from contests that differ, without luck and with it; tests of the model with luck."""

import json
import re
import tomllib

import numpy as np
import pytest
from typer.testing import CliRunner

from allpay import Beta, Bidder, Common, Game, Mechanism, Noise, Private, Setting, Tullock, Uniform
from allpay.cli import app
from allpay.contest.preferences import PowerCost
from allpay.errors import AllpayError
from allpay.estimate.advice import settings_of
from allpay.estimate.generate import as_table, past_contests
from allpay.estimate.kept import load, save
from allpay.estimate.luck import Standing
from allpay.estimate.past import Contests
from allpay.estimate.power import FoundPower, Sought, cost_of, lowest
from allpay.estimate.values import estimate_groups, estimate_values
from allpay.estimate.with_luck import _unlike, estimate_with_luck
from allpay.report.estimated import answers_in_words, estimate_in_words, identification


def game_of(values, prizes, power, bidders=5, presence=1.0):
    won = (*prizes, *[0.0] * (bidders - len(prizes)))
    setting = Setting(Private(values), cost_power=power, attendance=presence)
    return setting.game(Mechanism(won, (1.0,) * bidders))


def of_tables(power, tables=((0.5, 0.3, 0.2), (1.0,)), contests=400, seed=1, values=None, **more):
    values = values or Beta(2, 3)
    return past_contests([game_of(values, prizes, power, **more) for prizes in tables], contests, seed=seed)


@pytest.mark.parametrize(
    ("power", "values", "tables"),
    [
        (2.0, Beta(2, 3), ((0.5, 0.3, 0.2), (1.0,))),
        (1.5, Uniform(0.2, 1), ((0.5, 0.3, 0.2), (1.0,))),
        (1.0, Beta(2, 3), ((0.7, 0.3), (0.35, 0.15))),  # the same split of another purse
    ],
)
def test_contests_that_differ_tell_the_power(power, values, tables):
    found = estimate_values(of_tables(power, tables, values=values), cost=Sought(), resamples=0)
    assert abs(found.power.number / power - 1) < 0.15
    assert found.cost == PowerCost(found.power.number)
    assert found.power.kinds == 2
    assert not found.power.at_end


def test_another_number_of_bidders_tells_it_too_and_so_do_groups():
    games = [game_of(Beta(2, 3), (0.7, 0.3), 2.0, n, 0.9) for n in (3, 6)]
    found = estimate_values(past_contests(games, 500, seed=2), cost=Sought(), resamples=0, family="beta")
    assert abs(found.power.number / 2 - 1) < 0.15
    bidders = [(Bidder(Private(Uniform(0, high)), cost=2.0), 1) for high in (1.0, 0.7)]
    games = [Game(Mechanism((purse, 0.0), (1.0, 1.0)), bidders) for purse in (1.0, 2.0)]
    groups = estimate_groups(past_contests(games, 500, seed=1), cost=Sought(1.4, 3), resamples=0, family="curve")
    assert {part.power for part in groups.parts} == {groups.parts[0].power}
    assert abs(groups.parts[0].power.number / 2 - 1) < 0.15


def test_the_band_and_the_values_of_resamples_go_with_their_power(tmp_path):
    found = estimate_values(of_tables(2.0), cost=Sought(1, 4), resamples=6, family="beta")
    assert found.power.band[0] < found.power.number < found.power.band[1]
    save(found, tmp_path)
    again = load(tmp_path)
    assert again.power == found.power
    settings = settings_of(again, Setting(Private(found.distribution), cost_power=found.cost.power))
    assert [s.cost_power for s in settings] == list(found.power.draws)
    assert len(set(found.power.draws)) == 6


def test_three_kinds_test_the_model_beside_the_power_and_two_do_not(monkeypatch):
    monkeypatch.setattr("allpay.estimate.values.TEST_DRAWS", 7)
    three = estimate_values(
        of_tables(2.0, ((0.5, 0.3, 0.2), (1.0,), (0.7, 0.3)), 300, seed=6),
        cost=Sought(1.4, 3),
        resamples=1,
        family="beta",
    )
    assert [kind.error is not None for kind in three.kinds] == [True] * 3
    assert "Bids do not answer" not in answers_in_words(three)
    two = estimate_values(of_tables(2.0), cost=Sought(1.4, 3), resamples=2, family="beta")
    assert "two kinds tell the power of cost, and so cannot test it" in answers_in_words(two)
    told = estimate_in_words(two)
    assert re.search(r"a bid b costs b\^\d\.\d+ \(\d\.\d+ to \d\.\d+ in 90%\)", told)
    assert "the power of the cost of bids, from contests that differ" in told
    assert "--cost-power estimate" in str(identification(estimate_values(of_tables(2.0), resamples=0, family="beta")))


def test_contests_alike_tell_no_power():
    with pytest.raises(
        AllpayError,
        match=r"more than one power of cost explains: .* as --cost-power 2, or a range, as --cost-power 1:3",
    ):
        estimate_values(of_tables(2.0, ((1.0,),), 20), cost=Sought(), resamples=0)
    plain = estimate_values(of_tables(2.0, ((1.0,),), 60), cost=PowerCost(2), resamples=0, family="beta")
    assert "the power of the cost of bids: contests that are alike do not tell it" in str(
        identification(plain)["not_identified"]
    )


def test_a_power_beyond_the_range_is_said():
    found = estimate_values(of_tables(2.0), cost=Sought(0.5, 1.2), resamples=0, family="beta")
    assert found.power.number == pytest.approx(1.2)
    assert found.power.at_end
    assert "That is an end of the range in which it was sought, 0.5 to 1.2" in estimate_in_words(found)


def test_the_search_finds_the_lowest_loss():
    for truth in (0.31, 0.9, 2.2, 5.9):
        sought = Sought()
        loss = lambda p, truth=truth: np.log(p / truth) ** 2  # noqa: E731
        assert lowest(sought, loss) == pytest.approx(truth, rel=1e-9 if truth < 5 else 1e-3)
        assert lowest(sought, loss, begin=1.0) == pytest.approx(truth, rel=1e-3)


def test_what_is_said_of_cost():
    assert cost_of("2") == PowerCost(2)
    assert cost_of(" Estimate ") == Sought()
    assert cost_of("1:3") == Sought(1, 3, given=True)
    for text, words in (
        ("1:x", "1:x"),
        ("3:1", "rises, as 1:3: got 3:1"),
        ("0:2", "within 0.05:20: got 0"),
        ("-1", "above 0"),
    ):
        with pytest.raises(AllpayError, match=words):
            cost_of(text)


def tullock(purse, power=1.5):
    bidders = [(Bidder(Common(1.0), cost=power), 2), (Bidder(Common(0.7), cost=power), 3)]
    return Game(Mechanism((purse, *[0.0] * 4), (1.0,) * 5, success=Tullock(1)), bidders)


def test_with_luck_the_power_is_found_beside_it():
    contests = past_contests([tullock(1.0), tullock(2.0)], 300, seed=1)
    found = estimate_with_luck(contests, "tullock(1)", cost=Sought(), resamples=2)
    assert found.parts[0].power.number == pytest.approx(1.5, rel=0.01)
    for part, truth in zip(found.parts, (1.0, 0.7), strict=True):
        np.testing.assert_allclose(
            part.values * 1.5, truth * 2.25, rtol=0.02
        )  # prizes are parts of the mean purse, 1.5
    both = estimate_with_luck(contests, "tullock", cost=Sought(), resamples=0)
    assert abs(both.luck.number - 1) < 0.3
    assert both.parts[0].power.number == pytest.approx(1.5, rel=0.02)
    assert "two kinds tell the power of cost, and so cannot test it" in answers_in_words(both.parts[0])


def test_kinds_whose_values_rise_and_fall_with_bids_are_unlike():
    """Though the values are the same ones: who bids more in equilibrium has the higher value."""
    half, one = np.full(2, 0.5), np.ones(2)
    rising, falling = (
        Standing(np.array([1.0, 2.0]), half, 10.0, one, one, 1 / np.array(values), np.zeros(2))
        for values in ((1.0, 2.0), (2.0, 1.0))
    )
    assert _unlike([[rising, rising]], PowerCost(1)) == 0
    assert _unlike([[rising, falling]], PowerCost(1)) > 0.05


def test_with_luck_bids_answer_to_prizes_or_do_not(monkeypatch):
    monkeypatch.setattr("allpay.estimate.with_luck.TEST_DRAWS", 5)
    contests = past_contests([tullock(1.0), tullock(2.0)], 100, seed=1)
    right, wrong = (
        estimate_with_luck(contests, "tullock(1)", cost=PowerCost(power), resamples=1).parts for power in (1.5, 1.0)
    )
    for part in right:
        assert "this is less" in answers_in_words(part)
    assert "Bids do not answer to prizes" in answers_in_words(wrong[0])


def test_with_luck_private_values_foretell_other_prizes(monkeypatch):
    """Bids that are best replies to the same bids of others, at prizes 1 and .6; and bids that ignore prizes."""
    monkeypatch.setattr("allpay.estimate.with_luck.TEST_DRAWS", 10)
    rng = np.random.default_rng(1)
    n, count = 3, 150
    contest, prizes = np.repeat(np.arange(2 * count), n), np.repeat([[1.0], [0.6]], count, axis=0)
    bid = rng.uniform(0.1, 0.3, len(contest))
    found = estimate_with_luck(Contests(contest, bid, prizes), "normal(0.3)", cost=PowerCost(2), resamples=1)
    assert "Bids do not answer to prizes" in answers_in_words(found.parts[0])
    beyond = {kind.kind.prizes[0]: kind.beyond for kind in found.parts[0].kinds}
    assert beyond[max(beyond)] < 0 < beyond[min(beyond)]
    scaled = np.where(
        contest < count, bid, bid * 0.6
    )  # with cost b² and small bids, in proportion to prizes, near enough
    fine = estimate_with_luck(Contests(contest, scaled, prizes), "normal(3)", cost=PowerCost(2), resamples=1)
    assert "this is less" in answers_in_words(fine.parts[0])


def run(*line):
    return CliRunner().invoke(app, list(map(str, line)))


def test_from_a_table_to_a_design_with_the_power_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("allpay.report.estimated.save", lambda figure, path: path.write_text(""))  # drawing takes long
    as_table(of_tables(2.0)).write_csv("past.csv")
    told = run("estimate", "past.csv", "--cost-power", "1.4:3", "--family", "curve", "--resamples", 2, "--json")
    assert told.exit_code == 0, told.output
    power = json.loads(told.stdout)["estimate"]["power"]
    assert abs(power["number"] / 2 - 1) < 0.15
    assert (power["within"], len(power["draws"])) == ([1.4, 3.0], 2)
    study = tomllib.loads((tmp_path / "estimate" / "study.toml").read_text())
    assert [one["cost_power"] for one in study["scenario"]] == power["draws"]
    best = run("design", "--values-from", "estimate", "--bidders", 5, "--method", "theory", "--json")
    assert best.exit_code == 0, best.output
    assert len(json.loads(best.stdout)["resamples"]["loss"]) == 2
    for text in ("often", "3:1", "0:1"):
        refused = run("estimate", "past.csv", "--cost-power", text)
        assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1), refused.output
        assert "cost power" in refused.stderr or "--cost-power" in refused.stderr


def test_what_was_found_knows_its_range():
    found = FoundPower.of(Sought(1, 3), 2.0, [1.9, 2.1], 0.9, [[None, None]])
    assert found.within == (1, 3)
    off = 1.6448536 * np.log(2.1 / 1.9) / np.sqrt(2)  # standard errors, of which 90 % lie within so many
    assert found.band == pytest.approx((2 * np.exp(-off), 2 * np.exp(off)))
    wide = FoundPower.of(Sought(1, 3), 2.0, [1.0, 2.9], 0.9, [[None, None]])
    assert wide.band == (1, 3)
    assert FoundPower.of(Sought(1, 3), 2.0, [1.9], 0.9, [[None, None]]).band is None
    assert Noise("normal", 0.2).scale == 0.2
