"""Designs of more than weights: numbers that are chosen beside them, bounds on ranks, and steps that can be announced."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import allpay
import allpay.scenarios
import allpay.statics
from allpay.cli import app
from allpay.contest.bidder import Bidder
from allpay.contest.game import Setting
from allpay.contest.values import Beta, Common, Private
from allpay.errors import AllpayError
from allpay.exact import best_in_theory, exact_design, objective_at
from allpay.learners import FictitiousPlay
from allpay.rounding import in_steps
from allpay.study import DesignSpace, Study, run
from allpay.study.file import study_of
from allpay.study.space import Choice

QUICK = FictitiousPlay(iterations=300)
SMALL = Setting(Private(levels=8), bid_levels=21)


def test_the_best_reserve_of_winner_take_all():
    """Myerson (1981): values below ½ stay out, so that the reserve is what the value ½ bids, ½ · (½)^(n−1)."""
    best = best_in_theory(DesignSpace("prizes", 3, 1, choose={"reserve": (0, 0.9)}), Setting())
    assert best.weights[0] == pytest.approx(1)
    assert best.value == pytest.approx(17 / 32, abs=1e-9)
    assert dict(best.chosen)["reserve"] == pytest.approx(1 / 8, abs=1e-5)


def test_the_best_purse_for_a_profit():
    """Bids that cost b² grow with the root of the purse: 2c√P − P is most at P = c², c the revenue of a purse of 1."""
    setting = Setting(cost_power=2)
    one = best_in_theory(DesignSpace("prizes", 4), setting)
    best = best_in_theory(DesignSpace("prizes", 4, choose={"purse": (0.2, 5)}), setting, "profit(2)")
    assert dict(best.chosen)["purse"] == pytest.approx(one.value**2, rel=1e-5)
    assert best.value == pytest.approx(one.value**2, rel=1e-9)
    assert best.weights == pytest.approx(one.weights, abs=1e-4)


@pytest.mark.parametrize(("power", "first"), [(2, 0.937), (3, 0.736)])
def test_the_best_prizes_for_the_best_two(power, first):
    setting = Setting(Common(), cost_power=power)
    best = best_in_theory(DesignSpace("prizes", 5, 5), setting, "ranked-bids(1,1)")
    assert best.weights == pytest.approx((first, 1 - first, 0, 0, 0), abs=1e-3)


def test_floors_on_five_of_eighty_ranks():
    setting = Setting(Private(Beta(1.2, 5)), cost_power=2)
    best = best_in_theory(DesignSpace("prizes", 80, 12, at_least=[0.05] * 5), setting, "top-3")
    assert best.weights[:6] == pytest.approx((0.8, 0.05, 0.05, 0.05, 0.05, 0), abs=1e-4)


@pytest.mark.parametrize(
    ("space", "setting", "goal"),
    [
        (DesignSpace("prizes", 3, choose={"reserve": (0.0, 0.3)}), Setting(max_bid=1.0), "revenue"),
        (DesignSpace("prizes", 4, choose={"purse": (0.5, 2)}), Setting(cost_power=2), "profit(2)"),
        (DesignSpace("payments", 3, choose={"max_bid": (0.5, 0.9)}), Setting(), "revenue"),
    ],
)
def test_gradients_are_finite_differences(space, setting, goal):
    exact = objective_at(space, setting, goal)
    point = space.polytope.uniform(3, np.random.default_rng(4))[-1]
    _, slope = exact(point[None])
    directions = space.polytope.uniform(4, np.random.default_rng(5)) - point
    for way in directions:
        ends = np.array([point + sign * 1e-5 * way for sign in (1, -1)])
        high, low = exact(ends)[0]
        assert slope[0] @ way == pytest.approx((high - low) / 2e-5, rel=2e-4, abs=1e-6)


def test_what_is_chosen_is_in_the_game():
    groups = ((Bidder(Private(levels=8)), 2), (Bidder(Private(levels=8)), 1))
    choose = {"purse": (1, 3), "reserve": (0, 0.1), "fee": (0, 0.1), "max_bid": (0.5, 2), "head-start:2": (0, 0.2)}
    space = DesignSpace("prizes", 3, choose=choose)
    game = space.game(Setting(groups), (0.6, 0.4, 0.0, 2.0, 0.05, 0.02, 1.5, 0.1))
    assert game.mechanism.prizes == pytest.approx((1.2, 0.8, 0))
    assert (game.mechanism.reserve, game.mechanism.fee, game.max_bid) == (0.05, 0.02, 1.5)
    assert [bidder.head_start for bidder, _ in game.groups] == [0, 0.1]
    assert space.names[3:] == ("purse", "reserve", "fee", "max_bid", "head_start:2")
    designs = space.sample(6, 0)
    assert np.allclose(space.designs(space.points(designs)), designs)
    assert np.all(designs[:, 3:] >= [1, 0, 0, 0.5, 0])
    assert np.all(designs[:, 3:] <= [3, 0.1, 0.1, 2, 0.2])


@pytest.fixture(scope="module")
def reserve(tmp_path_factory):
    """A study of the reserve, in a folder."""
    folder = tmp_path_factory.mktemp("reserve") / "study"
    study = Study(
        DesignSpace("prizes", 3, 1, choose={"reserve": (0, 0.9)}), QUICK, SMALL, samples=12, rounds=2, round_to=0.5
    )
    return study, folder, allpay.design(study, folder)


def test_simulation_finds_the_reserve(reserve):
    _, _, result = reserve
    (chosen,) = result.optimum.chosen
    assert chosen.low <= 0.125 <= chosen.high
    assert chosen.low <= chosen.value <= chosen.high
    assert chosen.value < 0.3
    assert result.optimum.weights == (1, 0, 0)
    assert result.optimum.design == (1, 0, 0, chosen.value)
    assert result.optimum.low <= 17 / 32 <= result.optimum.high
    assert "reserve" in result.optimum.sentence
    assert "reserve from" in result.optimum.ranges()
    assert list(result.sweep.table.columns[2:6]) == ["w1", "w2", "w3", "reserve"]
    assert result.announced.weights == (1, 0, 0)
    assert result.announced.loss.mean == 0
    game = result.check.games[0]
    assert game.mechanism.reserve == chosen.value


def test_a_folder_knows_what_was_chosen(reserve):
    study, folder, result = reserve
    again = run(study, folder)
    assert again.table.equals(result.sweep.table)
    held = json.loads((folder / "study.json").read_text())["specification"]
    assert study_of(held) == study
    with pytest.raises(AllpayError, match="another study"):
        run(replace(study, space=DesignSpace("prizes", 3, 1, choose={"reserve": (0, 0.8)})), folder)
    state = CliRunner().invoke(app, ["status", str(folder), "--json"])
    assert state.exit_code == 0
    assert json.loads(state.stdout)["designs"] == 12
    table = CliRunner().invoke(app, ["export", str(folder)])
    assert table.stdout.splitlines()[0].startswith("design,round,w1,reserve,revenue")


def test_folders_of_before_are_known_again():
    """What designs got since is written only where it is said."""
    held = Study().specification()
    assert not {"at_least", "tied", "choose"} & set(held["space"])
    assert not {"money", "round_to"} & set(held)


def test_an_active_study_chooses_beside_the_weights():
    space = DesignSpace("prizes", 3, choose={"purse": (0.5, 1.5)})
    study = Study(space, QUICK, SMALL, samples=14, rounds=1, strategy="active", objective="profit(2)")
    result = allpay.design(study)
    purse = result.sweep.weights[:, 3]
    assert len(purse) == 14
    assert purse.min() >= 0.5
    assert purse.max() <= 1.5
    assert result.optimum.chosen[0].name == "purse"


# Steps ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "space",
    [
        DesignSpace("prizes", 5, 4),
        DesignSpace("prizes", 5, 4, at_least=(0.3, 0.1)),
        DesignSpace("prizes", 6, 5, tied=((2, 3),)),
        DesignSpace("prizes", 4, 4, first_at_most=0.5),
    ],
)
def test_steps_are_the_best_there_are(space):
    """Against all designs in such steps, for an objective with its maximum anywhere."""
    step, m = 0.05, space.dimension
    every = [
        parts
        for parts in itertools.product(range(21), repeat=m)
        if sum(parts) == 20
        and all(a >= b for a, b in itertools.pairwise(parts))
        and all(p * step >= f - 1e-12 for p, f in zip(parts, space.floors, strict=True))
        and (space.first_at_most is None or parts[0] * step <= space.first_at_most + 1e-12)
        and all(parts[a - 1] == parts[b - 1] for a, b in space.tied)
    ]
    designs = np.zeros((len(every), space.bidders))
    designs[:, :m] = step * np.array(every)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        goal, steep = space.sample(1, seed)[0], rng.uniform(0.5, 3, space.bidders)

        def value(points, goal=goal, steep=steep):
            return -(((points - goal) ** 2) @ steep)

        found = in_steps(value, space, goal, step)
        assert np.allclose(found / step, np.round(found / step), atol=1e-9)
        assert value(found[None])[0] == pytest.approx(value(designs).max(), abs=1e-12)


def test_theory_tells_what_steps_cost():
    found = exact_design(DesignSpace("prizes", 5, at_least=[0.2, 0.05, 0.05, 0.05]), Setting(cost_power=2), step=0.05)
    weights, value = found.announced
    assert weights == pytest.approx((0.85, 0.05, 0.05, 0.05, 0))
    assert 0 < found.value - value < 1e-3


def invoked(*arguments):
    return CliRunner().invoke(app, ["design", "--method", "theory", *arguments])


def test_on_the_command_line():
    told = invoked(
        "--bidders", "5", "--at-least", "20%,5%x3", "--cost-power", "2", "--money", "20000", "--round-to", "250"
    )
    assert told.exit_code == 0, told.output
    assert "In money: 16,663, 1,337, 1,000 × 2." in told.stdout
    assert "In steps of 250 of 20,000:" in told.stdout
    told = invoked(
        "--bidders", "4", "--cost-power", "2", "--objective", "profit(2)", "--choose", "purse=0.5:4", "--json"
    )
    assert json.loads(told.stdout)["best"]["chosen"]["purse"] == pytest.approx(1.27, abs=0.2)
    told = invoked("--bidders", "5", "--at-least", "1000x5", "--money", "20000", "--json")
    assert min(json.loads(told.stdout)["best"]["weights"]) == pytest.approx(0.05)
    told = invoked("--objective", "profit(2)", "--choose", "purse=0.5:4")  # worth nothing at any purse
    assert told.exit_code == 0, told.output
    told = invoked("--choose", "purse=0.5:4")
    assert "purse 4 (the most allowed)" in told.stdout
    told = invoked("--bidders", "10", "--same", "4-9", "--first-at-least", "0.3", "--first-at-most", "0.5", "--json")
    weights = json.loads(told.stdout)["best"]["weights"]
    assert 0.3 <= weights[0] <= 0.5
    assert np.ptp(weights[3:9]) < 1e-12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--choose", "reserv=0:1"], "did you mean 'reserve'?"),
        (["--choose", "reserve=1"], "as reserve=0:0.5: got 'reserve=1'"),
        (["--choose", "reserve=0.5:0.1"], "the first at least 0"),
        (["--choose", "reserve=0:0.1", "--choose", "reserve=0:0.2"], "given twice"),
        (["--choose", "reserve=0:0.1", "--reserve", "0.05"], "is given as 0.05, and is to be chosen too"),
        (["--choose", "reserve=0:2", "--prizes", "1"], "give what is chosen other bounds"),
        (["--choose", "head-start:2=0:0.1"], "of no groups: give each kind"),
        (["--choose", "purse=0:1"], "the first above 0"),
        (["--choose", "purse=1:2", "--rule", "payments"], "leave it out"),
        (["--same", "4"], "a range of ranks"),
        (["--same", "2-9"], "within the first 3 ranks"),
        (["--at-least", "700,200"], "parts of the whole"),
        (["--at-least", "60%,60%"], "got 1.2 of 1"),
        (["--round-to", "250"], "say by --money what all prizes come to"),
        (["--round-to", "300", "--money", "1000"], "must be a multiple of the step"),
        (["--money", "-5"], "above 0"),
        (["--choose", "head-start=0:0.3"], "by its number, as head-start:2"),
        (["--choose", "reserve=0:inf"], "which is finite"),
        (["--choose", "purse=0.5:2", "--money", "100"], "leave one of them out"),
        (["--money", "100", "--objective", "revenue", "--objective", "top-2"], "no effect on a front"),
        (["--money", "100", "--rule", "payments"], "leave it out"),
    ],
)
def test_bad_input_is_one_line(options, message):
    told = invoked(*options)
    assert told.exit_code == 2
    assert told.stdout == ""
    assert len(told.stderr.strip().splitlines()) == 1, told.stderr
    assert message in told.stderr, told.stderr


def test_choices_are_checked():
    with pytest.raises(AllpayError, match="at most 6 numbers"):
        DesignSpace("prizes", 3, choose={f"head_start:{k}": (0, 1) for k in range(1, 9)})
    with pytest.raises(AllpayError, match=r"do not say the reserve"):
        Study(DesignSpace("prizes", 3, choose={"reserve": (0, 0.2)}), given=[0.8])
    with pytest.raises(AllpayError, match="sobol is for weights with one bound"):
        Study(DesignSpace("prizes", 4, at_least=[0.1, 0.1]), sampling="sobol")
    assert Choice("max-bid", 1, 2).name == "max_bid"


def test_what_is_chosen_along_a_parameter():
    table = allpay.statics.comparative_statics(
        {"cost_power": [2.0, 3.0]}, Setting(), DesignSpace("prizes", 3, choose={"purse": (0.2, 5)}), "profit(2)"
    ).table
    # bids grow as P^(1/p), so that the best purse P is worth p·P in bids and (p − 1)·P in profit
    assert table["purse"].to_list() == pytest.approx([table["value"][0], table["value"][1] / 2], rel=1e-5)
