"""Prize tables judged: the numbers of theory for a real table, units, words, and what a designer asks of the command."""

import csv
import io
import json
import re
from dataclasses import FrozenInstanceError, replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

import allpay
from allpay.cli import app
from allpay.contest.bidder import Bidder
from allpay.contest.game import Game, Setting
from allpay.contest.values import Beta, Common, Private
from allpay.errors import AllpayError
from allpay.judgement import judge, kinds_learned
from allpay.learners import FictitiousPlay, learn
from allpay.report.judged import _figure, draw_judged, judged_in_words, judged_values

REAL = "7500 5000 2500 1000x5"


@pytest.fixture(scope="module")
def real():
    return judge(REAL, 50, Setting(cost_power=2))


def means(split):
    return {text: quantity.mean for text, quantity in split.quantities}


def run(*arguments):
    return CliRunner().invoke(app, ["judge", *map(str, arguments)])


def test_a_real_table_brings_what_theory_says(real):
    """The numbers were computed apart from this program, by quadrature (theory.md, a designer's questions)."""
    yours, winner = means(real.yours), means(real.splits[2])
    assert (yours["revenue"], winner["revenue"]) == pytest.approx((2.9001, 1.9037), abs=5e-5)
    assert (yours["highest-bid"], winner["highest-bid"]) == pytest.approx((0.4981, 0.6600), abs=5e-5)
    assert (yours["top-3"], winner["top-3"]) == pytest.approx((0.4180, 0.4614), abs=5e-5)
    # of U and b² the best table has ∫ √c dq largest, c(q) = 3 q⁴/n: n ∫ q² √(3/n) dq = √(n/3)
    assert means(real.best)["revenue"] == pytest.approx(np.sqrt(50 / 3), rel=1e-6)
    assert real.yours.quantity("revenue").part == pytest.approx(2.9001 / np.sqrt(50 / 3), rel=1e-4)


def test_with_linear_cost_the_winner_takes_all_in_the_best_table():
    found = judge(REAL, 50, most_prizes=4)
    assert found.yours.cost == pytest.approx(found.yours.quantity("revenue").mean, rel=1e-6)
    yours, winner = means(found.yours), means(found.splits[2])
    assert (yours["revenue"], winner["revenue"]) == pytest.approx((0.8922, 0.9608), abs=5e-5)
    assert (yours["highest-bid"], winner["highest-bid"]) == pytest.approx((0.2554, 0.4900), abs=5e-5)
    assert found.best.shares == pytest.approx(found.splits[2].shares)
    assert "is winner-take-all: it would bring 0.9608, 7.7% more" in " ".join(judged_in_words(found).split())


def test_known_optima_are_found():
    """Common value, five bidders: the sum of the two highest is best under (.937, .063) for b² (theory.md)."""
    found = judge("3/5 2/5", 5, Setting(Common(), cost_power=2), objective="top-2")
    assert found.best.shares[:2] == pytest.approx((0.937, 0.063), abs=2e-3)
    assert 2 * found.best.quantity("top-2").mean == pytest.approx(1.191192, abs=2e-6)
    found = judge((50, 30, 20), 5, Setting(Private(Beta(2, 3)), cost_power=2))
    assert found.best.shares == pytest.approx((0.7521, 0.1602, 0.0877, 0, 0), abs=2e-4)
    assert found.best.quantity("revenue").mean == pytest.approx(1.150227, abs=1e-6)
    entries = {text: (shares, worth) for text, shares, worth in found.most}
    assert entries["highest-bid"][0] == (1, 0, 0, 0, 0)
    assert entries["highest-bid"][1] == pytest.approx(0.516021, abs=1e-6)


def test_prizes_won_and_costs_add_up(real):
    for split in real.splits:
        assert sum(kind.share for kind in split.kinds) == pytest.approx(1.0, abs=1e-6)
        assert sum(kind.bidders for kind in split.kinds) == pytest.approx(50)
        effort = sum(kind.bidders * kind.effort for kind in split.kinds)
        assert effort == pytest.approx(split.quantity("revenue").mean, rel=1e-6)


@pytest.mark.parametrize("levels", [16, 64])
def test_what_kinds_of_bidders_learned_to_win_and_pay_adds_up(levels):
    """The values of the grid do not part into tenths; their cells are shared between kinds."""
    game = Game.from_weights("prizes", (0.5, 0.3, 0.2), 6, values=Private(levels=levels), bid_levels=41)
    outcome = learn(game, FictitiousPlay(iterations=200, auctions=10), rounds=2)
    kinds = kinds_learned(outcome)
    assert sum(kind.bidders for kind in kinds) == pytest.approx(6)
    assert sum(kind.share for kind in kinds) == pytest.approx(1)
    for paid in (sum(kind.bidders * kind.cost for kind in kinds), sum(kind.bidders * kind.effort for kind in kinds)):
        assert paid == pytest.approx(outcome.revenue.mean())  # every bidder pays its bid, at a cost of itself


def test_the_best_of_few_prizes_is_told_as_that():
    told = judged_in_words(judge([2500] * 8, 20, Setting(cost_power=2.0), most_prizes=8))
    assert "with at most 8 prizes" in " ".join(told.split())


@pytest.mark.parametrize(
    "prizes",
    [REAL, REAL.split(), (7500, 5000, 2500, *[1000] * 5), "37.5% 25% 12.5% 5%x5", "3/8 1/4 1/8 1/20x5"],
)
def test_the_same_table_in_any_unit_is_judged_alike(real, prizes):
    found = judge(prizes, 50, Setting(cost_power=2), most_prizes=2)
    assert means(found.yours) == pytest.approx(means(real.yours), rel=1e-12)
    assert found.best.prizes <= 2


def test_the_answer_begins_in_plain_words(real):
    told = judged_in_words(real)
    first = " ".join(told.split("\n\n")[0].split())
    assert first.startswith(
        "With your 8 prizes of 20,000 in all, the 50 entrants together put in an effort of 2.900, which costs them"
    )
    assert "The best split of the same 20,000 would bring 4.082, which is 41% more." in first
    assert "Winner-take-all would bring 1.904, 34% less" in first
    assert "1 stands for its face value, 20,000" in told
    assert "An effort of 1 costs a bidder 20,000, and one of 0.5 costs 5,000" in " ".join(told.split())
    assert "units of the highest value" not in told


def test_many_bidders_make_no_rows_of_zeros():
    told = judged_in_words(judge(REAL, 80, Setting(cost_power=2), most_prizes=12))
    assert ", 0, 0" not in told
    for line in told.splitlines():
        assert not (line.split() and set(line.split()[1:]) <= {"0", "–", "0.0%"} and len(line.split()) > 3)


def with_best(real, shares):
    """What is told of prizes if this were the best table."""
    best = replace(real.best, shares=tuple(shares) + (0.0,) * (50 - len(shares)))
    told = judged_in_words(replace(real, splits=(real.yours, best, *real.splits[2:])))
    return told[told.index("prizes: rank") : told.index("who does")]


def test_prizes_that_differ_by_rounding_are_one_row(real):
    """As those of random fields, of which a search comes to each with an error of its own."""
    noise = 1e-12 * np.random.default_rng(0).random(18)
    rows = with_best(real, np.repeat([0.1, 0.05, 0.04, 1e-9], [4, 8, 5, 1]).tolist()).splitlines()
    noisy = with_best(real, (np.repeat([0.1, 0.05, 0.04, 1e-9], [4, 8, 5, 1]) - noise).tolist()).splitlines()
    assert rows == noisy
    assert [row.split()[0] for row in rows[1:-1]] == ["1", "2", "3", "4", "5–8", "9–12", "13–17"]


@pytest.mark.parametrize("count", [12, 23, 41, 49])
def test_of_many_different_prizes_two_digits_are_told(real, count):
    falling = np.linspace(2, 1, count)
    told = with_best(real, (falling / falling.sum()).tolist())
    cells = re.findall(r"about ([\d,]+)|([\d,]+) to ([\d,]+)", told)
    numbers = {number.replace(",", "") for cell in cells for number in cell if number}
    assert len(numbers) > 3
    assert all(len(number.rstrip("0")) <= 2 for number in numbers)
    assert "told\nto two digits" in told
    last = [line.split()[0] for line in told.splitlines() if line[:1].isdigit()][-1]
    assert last.endswith(f"–{count}")  # no row for the last rank alone


@pytest.mark.parametrize("purse", [30_000, 40_000_000, 7e11])
def test_money_has_no_powers_of_ten(purse):
    """Values in money: efforts, costs and bounds are money too."""
    values = Private(allpay.Uniform(0, purse))
    told = " ".join(judged_in_words(judge([0.6 * purse, 0.4 * purse], 9, Setting(values))).split())
    assert not re.search(r"\d[eE][+-]?\d|\d{5}", told)
    assert f"up to {purse:,.0f}" in told
    effort = judge([0.6 * purse, 0.4 * purse], 9, Setting(values)).yours.quantity("revenue").mean
    assert f"{effort:,.0f}" in told


def test_the_unit_of_percent_and_fractions_is_kept():
    assert "60%  " in judged_in_words(judge("60% 40%", 3))
    assert "3/5  " in judged_in_words(judge("3/5 2/5", 3))
    with_purse = judge("60% 40%", 3, purse=5000)
    assert "3,000  " in judged_in_words(with_purse)


@pytest.mark.parametrize(
    ("setting", "n", "words"),
    [
        (Setting(reserve=0.1), 4, "reserve of 0.1"),
        (Setting(attendance=0.75), 4, "3 entrants who turn up on average"),
        (Setting(Common(), luck=allpay.Tullock(1)), 5, "everybody (5)"),
        (Setting(risk_aversion=1.0), 5, "risk aversion 1"),
        (Setting(max_bid=0.2), 4, "strongest tenth"),
        (Setting(cost_power=0.5), 5, "b^0.5"),
    ],
)
def test_contests_as_they_are_have_theory(setting, n, words):
    found = judge((50, 30, 20), n, setting, most_prizes=2)
    assert found.method == "theory"
    assert words in judged_in_words(found)
    paid = sum(kind.share for kind in found.yours.kinds)
    filled = setting.game(found.game(found.yours).mechanism)
    assert paid == pytest.approx(allpay_prizes(filled), abs=1e-6)


def allpay_prizes(game):
    from allpay.theory import equilibrium
    from allpay.theory.measures import InTheory

    return InTheory(game, equilibrium(game)).prizes()


def test_where_there_is_no_formula_bidders_learn(monkeypatch):
    """The search for the best table is the pipeline's, and is tested there: here it answers at once."""
    best = SimpleNamespace(optimum=SimpleNamespace(weights=(0.9, 0.1, 0.0)))
    monkeypatch.setattr("allpay.pipeline.design", lambda study, reporter: best)
    groups = ((Bidder(Private(levels=12)), 1), (Bidder(Private(allpay.Uniform(0, 0.5), 12)), 2))
    setting = Setting(groups, bid_levels=21)
    found = judge("50 30", None, setting, samples=6, rounds=2, learner=allpay.FictitiousPlay(iterations=60))
    assert found.method == "learning"
    told = " ".join(judged_in_words(found).split())
    assert "By learning because there is no formula" in told
    assert "2 rounds for each table" in told
    assert "whoever would bid less than half of its lowest step bids 0 there and is not counted" in told
    assert all(len(quantity.rounds) == 2 for _, quantity in found.yours.quantities)
    assert found.yours.verdicts
    assert found.best.shares == (0.9, 0.1, 0.0)
    for split in found.splits:
        assert sum(kind.share for kind in split.kinds) == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(AllpayError, match="theory has no formula for this table"):
        judge("50 30", None, setting, method="theory")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([7500, 5000], "give bidders, as --bidders 50"),
        ([7500, 5000, 2500, "--bidders", 2], "there are more prizes than bidders: got 3 for 2"),
        (["500,300", "200,100", "--bidders", 9], "can be read in two ways"),
        (["0.5", "0.3", "--bidders", 9], "weights must sum to 1"),
        (["80%", "--bidders", 9], "one prize is all of the purse: got 80%"),
        ([7500, 5000, "--bidders", 9, "--purse", 3], "leave the purse out"),
        ([7500, 5000, "--bidders", 9, "--rounds", 3], "--rounds has no effect where theory has a formula"),
        (["none.csv", "--bidders", 9], "there is no file none.csv"),
        ([7500, 5000, "--bidders", 9, "--method", "magic"], "unknown method 'magic'"),
        ([7500, 5000, "--bidders", 9, "--objective", "glory"], "unknown objective 'glory'"),
    ],
)
def test_wrong_questions_get_one_line(arguments, message):
    done = run(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_command_reads_a_file_and_gives_all_as_json(tmp_path, real):
    path = tmp_path / "prizes.csv"
    text = io.StringIO()
    csv.writer(text).writerows([("rank", "prize"), (1, "$7,500"), (2, "$5,000"), (3, "$2,500"), ("4-8", "$1,000")])
    path.write_text(text.getvalue())
    done = run(path, "--bidders", 50, "--cost-power", 2, "--prizes", 2, "--json")
    found = json.loads(done.stdout)
    assert found["prizes"]["total"] == 20000
    assert found["prizes"]["currency"] == "$"
    assert [split["name"] for split in found["splits"]] == ["yours", "best", "winner-take-all", "equal"]
    quantities = found["splits"][0]["quantities"]
    assert quantities["revenue"]["mean"] == pytest.approx(real.yours.quantity("revenue").mean)
    assert quantities["revenue"]["part_of_most"] > 1  # of tables of two prizes
    assert found["splits"][2]["shares"] == [1.0]
    assert found["most"]["highest-bid"]["value"] == pytest.approx(0.6600, abs=5e-5)
    assert found["sentences"][0].startswith("With your 8 prizes of $20,000 in all")
    assert judged_values(real)["setting"]


def test_the_figure_is_drawn(tmp_path, real):
    assert draw_judged(real, tmp_path / "table.png").stat().st_size > 10_000
    done = run("60%", "40%", "--bidders", 3, "--values", "common", "--plot", tmp_path / "common.svg")
    assert done.exit_code == 0
    assert (tmp_path / "common.svg").exists()


def test_tables_that_are_the_same_are_drawn_once_and_told_as_that(real):
    linear = judge(["3", "2"], 4)
    figure = _figure(linear)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "yours",
        "best for total effort = winner takes all",
        "equal × 2",
    ]
    assert figure.axes[0].get_xticks().tolist() == [1, 2]  # no place for a rank that wins nothing in any table
    assert not any(a.get_bbox().overlaps(b.get_bbox()) for a, b in combinations(figure.axes[0].patches, 2))
    assert "logarithmic" in _figure(real).axes[0].get_xlabel()
    assert "logarithmic" in _figure(real).axes[0].get_ylabel()


def test_a_judgement_is_frozen(real):
    assert isinstance(real, allpay.Judgement)
    with pytest.raises(FrozenInstanceError):
        real.method = "magic"
