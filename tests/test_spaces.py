"""Spaces of designs: the cut ordered simplex and the box, points spread over them, ascent on them, studies of them."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.stats import qmc
from typer.testing import CliRunner

from allpay.ascent import mirror_ascent
from allpay.cli import app
from allpay.contest.game import Setting
from allpay.contest.values import Common, Private
from allpay.errors import AllpayError
from allpay.exact import best_in_theory
from allpay.learners import FictitiousPlay, InteriorPoint
from allpay.optimum import in_words
from allpay.pipeline import design
from allpay.report.figures import draw_designs
from allpay.report.summary import summarise
from allpay.simplex import (
    Box,
    OrderedSimplex,
    from_sticks,
    grid,
    looked_at,
    sample_ordered_simplex,
    spread,
    to_sticks,
)
from allpay.study import DesignSpace, Study, run
from allpay.study.file import read_study, study_of

CUTS = [
    {},
    {"first_at_most": 0.5},
    {"first_at_most": 0.35},
    {"first_at_least": 0.45},
    {"last_at_least": 0.05},
    {"last_at_least": 0.05, "first_at_most": 0.4},
    {"last_at_least": 0.02, "first_at_least": 0.6},
]
BOX = Box(4, (0.2, 0.0, 0.0), (1.0, 1.0, 0.5))
SPACES = [OrderedSimplex(5, 4, **cut) for cut in CUTS] + [OrderedSimplex(3, 2, first_at_most=0.7), BOX]


def rng(seed=0):
    return np.random.default_rng(seed)


def inside(space, w, slack=1e-12):
    """Whether weights lie in a space, by its definition."""
    if isinstance(space, Box):
        m = len(space.low)
        return np.all((w[:, :m] >= space.low) & (w[:, :m] <= space.high)) and np.all(w[:, m:] == 0)
    most = 1.0 if space.first_at_most is None else space.first_at_most
    return (
        np.all(np.diff(w, axis=1) <= 0)
        and np.allclose(w.sum(axis=1), 1, atol=1e-12)
        and np.all(w[:, 0] <= most + slack)
        and np.all(w[:, 0] >= (space.first_at_least or 0) - slack)
        and np.all(w[:, space.m - 1] >= space.last_at_least)
        and np.all(w[:, space.m :] == 0)
    )


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_every_way_to_spread_designs_stays_inside(space):
    for sampling in ("uniform", "sobol", "grid"):
        designs = spread(space, 60, rng(), sampling)
        assert inside(space, designs), sampling
        assert len(designs) == 60 or (sampling == "grid" and 1 < len(designs) < 60)
    assert inside(space, np.concatenate(looked_at(space, 200)))
    assert inside(space, grid(space, np.prod(space.corners.shape[1] ** space.corners.shape[0])))


@pytest.mark.parametrize("cut", CUTS[1:], ids=str)
@pytest.mark.parametrize("sampling", ["uniform", "sobol"])
def test_a_cut_sample_is_uniform(cut, sampling):
    """Against rejection from the whole ordered simplex: means and second moments."""
    n, m = 5, 4
    least = cut.get("last_at_least", 0.0)
    whole = sample_ordered_simplex(400_000, n, m, rng(1))
    whole[:, :m] = least + (1 - m * least) * whole[:, :m]
    first = whole[:, 0]
    kept = whole[(first <= cut.get("first_at_most", 1)) & (first >= cut.get("first_at_least", 0))]
    drawn = spread(OrderedSimplex(n, m, **cut), 50_000, rng(2), sampling)
    error = 4 * kept.std(axis=0) * np.sqrt(1 / len(kept) + 1 / len(drawn)) + 1e-9
    assert np.all(np.abs(drawn.mean(axis=0) - kept.mean(axis=0)) < error)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(kept.T), atol=0.03 * np.cov(kept.T).max())


@pytest.mark.parametrize(("m", "bound"), [(2, 0.7), (4, 0.5), (4, 0.8), (9, 0.6)])
def test_what_a_cut_keeps_is_what_theory_says(m, bound):
    """The largest of m uniform spacings exceeds x ≥ ½ with probability m(1 − x)^{m−1} (Fisher 1929)."""
    cut = OrderedSimplex(m, m, first_at_most=bound)._cut
    assert cut is not None
    assert cut.volume[-1, -1] == pytest.approx(1 - m * (1 - bound) ** (m - 1), rel=1e-12)


def test_many_ranks_and_tight_bounds_are_sampled_without_rejection():
    for bound in (0.06, 0.0205):
        space = OrderedSimplex(50, 49, first_at_most=bound)
        designs = space.uniform(200, rng())
        assert inside(space, designs)
        np.testing.assert_allclose(space.weights(space.coordinates(designs)), designs, atol=1e-14)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_coordinates_come_back(space):
    designs = space.uniform(500, rng(3))
    lam = space.coordinates(designs)
    assert np.all(lam >= 0)
    np.testing.assert_allclose(lam.sum(axis=-1), 1, atol=1e-14)
    np.testing.assert_allclose(np.einsum("sbk,bkn->sn", lam, space.corners), designs, atol=1e-14)
    np.testing.assert_allclose(space.weights(lam), designs, atol=1e-14)


@pytest.mark.parametrize(
    ("space", "weights", "message"),
    [
        (OrderedSimplex(3, 2, first_at_most=0.7), [0.8, 0.2, 0], "first weight must be at most 0.7"),
        (OrderedSimplex(3, 2, first_at_least=0.7), [0.6, 0.4, 0], "first weight must be at least 0.7"),
        (OrderedSimplex(3, 3, last_at_least=0.1), [0.6, 0.35, 0.05], "weight 3 must be at least 0.1"),
        (BOX, [0.1, 0, 0, 0], "weights must be 4, from"),
        (BOX, [0.5, 0, 0, 0.1], "0 after"),
    ],
)
def test_what_lies_outside_has_no_coordinates(space, weights, message):
    with pytest.raises(AllpayError, match=message):
        space.coordinates(np.array([weights]))


@given(st.lists(st.floats(0, 0.999), min_size=1, max_size=8))
def test_a_broken_stick_is_put_together_again(lengths):
    lam = from_sticks(np.array(lengths))
    assert np.all(lam >= 0)
    assert lam.sum() == pytest.approx(1, abs=1e-14)
    np.testing.assert_allclose(from_sticks(to_sticks(lam)), lam, atol=1e-12)


def test_two_ranks_are_a_line_of_equal_steps_in_w():
    np.testing.assert_allclose(grid(OrderedSimplex(3, 2), 6)[:, 0], np.linspace(0.5, 1, 6))
    _, line = looked_at(OrderedSimplex(3, 2, first_at_most=0.7), 5)
    np.testing.assert_allclose(line[:, 0], np.linspace(0.5, 0.7, 5))
    np.testing.assert_allclose(OrderedSimplex(3, 2).from_cube([[0.5]]), [[0.75, 0.25, 0]])


def test_a_grid_is_the_finest_with_at_most_so_many():
    assert len(grid(OrderedSimplex(5, 4), 34)) == 20  # C(3 + 3, 3), and C(4 + 3, 3) = 35
    assert len(grid(OrderedSimplex(5, 4), 35)) == 35
    assert len(grid(Box(3, (0.0,) * 3, (1.0,) * 3), 63)) == 27
    with pytest.raises(AllpayError, match="at least the 4 corners of the space: got 3 designs"):
        grid(OrderedSimplex(5, 4), 3)


@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("sampling", ["uniform", "sobol"])
def test_a_longer_sample_begins_with_the_shorter(space, sampling):
    np.testing.assert_array_equal(spread(space, 30, rng(4), sampling)[:11], spread(space, 11, rng(4), sampling))


def test_sobol_designs_leave_fewer_gaps():
    """Discrepancy of the cube's points that the designs come from, against that of uniform ones."""
    space = OrderedSimplex(5, 4)

    def gaps(sampling):
        designs = spread(space, 128, rng(5), sampling)
        return qmc.discrepancy(to_sticks(space.coordinates(designs)[:, 0]))

    assert gaps("sobol") < gaps("uniform") / 4


@settings(max_examples=25, deadline=None)
@given(st.integers(0, len(SPACES) - 1), st.integers(0, 1000))
def test_a_linear_objective_ends_where_linear_programming_does(which, seed):
    space = SPACES[which]
    c = rng(seed).standard_normal(space.corners.shape[2])
    found = mirror_ascent(lambda w: (w @ c, np.broadcast_to(c, w.shape)), space.uniform(4, rng(seed)), polytope=space)
    blocks, corners, n = space.corners.shape
    sums = np.repeat(np.eye(blocks), corners, axis=1)
    exact = linprog(-(space.corners.reshape(-1, n) @ c), A_eq=sums, b_eq=np.ones(blocks))
    assert found.value == pytest.approx(-exact.fun, abs=1e-7)
    assert inside(space, found.all_weights)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_quadratic_objective_ends_at_the_nearest_design(space):
    """The nearest design has no other in front of it: (target − w*)·(w − w*) ≤ 0 for all corners w."""
    target = space.uniform(1, rng(6))[0] + 0.1 * rng(7).standard_normal(space.corners.shape[2])

    def near(w):
        return -np.sum((w - target) ** 2, axis=1), -2 * (w - target)

    found = mirror_ascent(near, space.uniform(6, rng(8)), polytope=space, iterations=3000)
    corners = grid(space, space.corners.shape[1] ** space.corners.shape[0])
    assert np.max((corners - found.weights) @ (target - found.weights)) < 1e-5
    np.testing.assert_allclose(found.all_weights, np.tile(found.weights, (6, 1)), atol=1e-3)


def test_a_step_in_the_box_is_that_of_the_binary_entropy():
    """The mirror map's gradient log(x / (1 − x)) moves along the gradient of the objective."""
    box = Box(2, (0.0, 0.0), (1.0, 0.5))
    seen = []

    def watched(w):
        seen.append(w)
        return w @ [3.0, -1.0], np.tile([3.0, -1.0], (len(w), 1))

    mirror_ascent(watched, [[0.3, 0.2]], polytope=box, iterations=1)
    before, after = (box.coordinates(w)[0, :, 1] for w in seen[:2])
    moved = np.log(after / (1 - after)) - np.log(before / (1 - before))
    np.testing.assert_allclose(moved, np.array([3.0, -0.5]) * moved[0] / 3.0, rtol=1e-9)  # half as wide, half the slope


# Design spaces and studies


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"region": "cube"}, "unknown region 'cube': choose from simplex, box"),
        ({"region": "box"}, "prizes share one prize"),
        ({"rule": "payments", "region": "box", "ranks": 4}, "between 1 and 3 ranks of 3"),
        ({"rule": "payments", "region": "box", "first_at_least": 1.0}, "weight 1 needs bounds 0 ≤ low < high"),
        ({"rule": "payments", "region": "box", "first_at_most": 1.5}, "at most its whole bid"),
        ({"first_at_most": 0.5}, "the first weight of any design lies above 0.5: got at most 0.5"),
        ({"first_at_least": 1.0}, "the first weight of any design lies below 1: got at least 1"),
        ({"first_at_most": 0.55, "first_at_least": 0.6}, "at least 0.6 here: got at most 0.55"),
        ({"last_at_least": 0.5}, "last one below 1/2: got at least 0.5"),
        ({"first_at_most": float("nan")}, "got at most nan"),
    ],
)
def test_a_space_names_its_fault(options, message):
    with pytest.raises(AllpayError, match=message):
        DesignSpace(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampling": "halton"}, "unknown sampling 'halton'"),
        ({"strategy": "greedy"}, "unknown strategy 'greedy'"),
        ({"precision": 0.01}, "give the strategy active"),
        ({"strategy": "active", "precision": 0.0}, "precision must be above 0"),
        ({"strategy": "active", "sampling": "grid"}, "a grid does not go on"),
        ({"given": ((0.3, 0.7),)}, "weights must be nonincreasing"),
        ({"given": ()}, "no designs are given"),
        ({"space": DesignSpace("payments", region="box")}, "give first-at-least"),
        ({"space": DesignSpace("payments", region="box", first_at_least=0.2), "given": (0.8,)}, "its own weight"),
    ],
)
def test_a_study_names_its_fault(options, message):
    with pytest.raises(AllpayError, match=message):
        Study(**options)


def test_a_box_needs_no_least_payment_where_bids_are_bounded():
    Study(DesignSpace("payments", region="box"), setting=Setting(max_bid=1.0))
    Study(DesignSpace("payments", region="box"), setting=Setting(overbidding=False))


def test_given_designs_are_those_of_the_study():
    study = Study(given=(0.8, [0.6, 0.4], [0.5, 0.3, 0.2]), learner=FictitiousPlay(50, auctions=100), rounds=2)
    assert study.samples == 3
    np.testing.assert_allclose(study.designs, [[0.8, 0.2, 0], [0.6, 0.4, 0], [0.5, 0.3, 0.2]])
    swept = run(study)
    np.testing.assert_array_equal(swept.weights, study.designs)
    assert swept.values().shape == (3, 2)
    box = DesignSpace("payments", region="box", first_at_least=0.2)
    np.testing.assert_allclose(Study(box, given=([0.5, 1],)).designs, [[0.5, 1, 0]])


def test_a_grid_study_has_as_many_designs_as_its_grid():
    study = Study(DesignSpace(bidders=5), samples=50, sampling="grid")
    assert study.samples == len(study.designs) == 35


def test_theory_finds_the_best_of_a_box():
    """Private values, cost b²: revenue is n∫√(S ∫t dΠ), and rises with every payment. Linear cost: it is the same for all."""
    space = DesignSpace("payments", region="box", first_at_least=0.2)
    best = best_in_theory(space, Setting(cost_power=2.0))
    assert best is not None
    np.testing.assert_allclose(best.weights, 1.0, atol=1e-6)
    assert best.value == pytest.approx(0.9798, abs=1e-4)
    flat = best_in_theory(space, Setting())
    assert flat is not None
    assert flat.flat


@pytest.mark.parametrize(
    ("options", "weights"),
    [({"first_at_most": 0.7}, [0.7, 0.3, 0, 0, 0]), ({"last_at_least": 0.1}, [0.7, 0.1, 0.1, 0.1, 0])],
)
def test_theory_keeps_to_the_bounds(options, weights):
    """Private values, linear cost: revenue rises with all that goes to the winner (Moldovanu and Sela 2001)."""
    best = best_in_theory(DesignSpace(bidders=5, **options), Setting())
    assert best is not None
    np.testing.assert_allclose(best.weights, weights, atol=1e-6)


def test_theory_in_fifty_ranks():
    best = best_in_theory(DesignSpace(bidders=50, first_at_most=0.1), Setting())
    assert best is not None
    np.testing.assert_allclose(best.weights, [0.1] * 10 + [0] * 40, atol=1e-4)


def test_the_pipeline_in_a_box(tmp_path):
    space = DesignSpace("payments", region="box", first_at_least=0.2)
    setting = Setting(Private(levels=32), cost_power=2.0, bid_levels=41)
    found = design(Study(space, InteriorPoint(auctions=1), setting, 30, 1, sampling="sobol"))
    assert min(found.optimum.weights) > 0.95
    assert found.optimum.box
    assert found.exact == pytest.approx(0.9798, rel=0.02)
    text = " ".join(summarise(found).split())
    assert "which weights (w_1, w_2, w_3), each from 0 to 1, w_1 at least 0.2, bring the most revenue" in text
    draw_designs([found], tmp_path / "box.png")


def test_the_pipeline_on_a_line_with_a_bound(tmp_path):
    setting = Setting(Private(levels=32), bid_levels=41)
    space = DesignSpace(first_at_most=0.8)
    found = design(Study(space, InteriorPoint(auctions=1), setting, 11, 1, sampling="grid"))
    assert found.optimum.weights[0] == pytest.approx(0.8, abs=0.01)
    assert found.optimum.interval[0][1] <= 0.8 + 1e-12
    assert "(w, 1−w, 0), w at most 0.8, bring" in " ".join(summarise(found).split())
    draw_designs([found], tmp_path / "line.png")


def test_the_equilibrium_of_several_prizes_is_found_by_simulation():
    """Common value, CARA ρ = 2, five bidders: nearly equal prizes are best; within ½ % of the best revenue."""
    setting = Setting(Common(), risk_aversion=2.0, bid_levels=101)
    space = DesignSpace(bidders=5)
    found = design(Study(space, InteriorPoint(auctions=1), setting, 80, 1, sampling="sobol"))
    assert found.exact is not None
    assert found.exact_best is not None
    assert found.exact > 0.995 * found.exact_best.value


def test_payments_in_no_order_are_told_rank_by_rank():
    assert in_words([0.0, 1.0, 0.5]) == "(0, 1, 0.5)"
    assert in_words([1, 0.5] * 4) == "(1, 0.5, 1, 0.5, 1, 0.5, 1, 0.5)"
    assert in_words([0.25, 0.5] * 7 + [0.0]) == "14 weights from 0.25 to 0.5, in no order, 1 of 0"


# The command line and study files


def allpay(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_theory_on_the_command_line():
    done = allpay("design", "--method", "theory", "--bidders", 50, "--first-at-most", 0.1, "--json")
    assert json.loads(done.stdout)["best"]["weights"][:11] == pytest.approx([0.1] * 10 + [0], abs=1e-4)
    box = allpay(
        "design", "--method", "theory", "--rule", "payments", "--box", "--first-at-least", 0.2, "--cost-power", 2
    )
    assert "Best design in equilibrium: (1, 1, 1), revenue 0.979796" in box.stdout
    told = allpay("design", "--method", "theory", "--strategy", "active")
    assert told.exit_code == 2
    assert "--strategy has no effect with --method theory" in told.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--rule", "payments", "--box"), "give first-at-least"),
        (("--box",), "a box is for the rule payments"),
        (("--first-at-most", 0.4), "lies above 0.5: got at most 0.4"),
        (("--sampling", "sobl"), "did you mean 'sobol'"),
        (("--precision", 0.1), "give the strategy active"),
    ],
)
def test_a_fault_is_one_line(options, message):
    done = allpay("design", *options)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_study_file_has_all_of_it(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        """
[study]
rule = "payments"
region = "box"
first_at_least = 0.2
last_at_least = 0.1
samples = 30
strategy = "active"
precision = 0.02
"""
    )
    space = DesignSpace("payments", region="box", first_at_least=0.2, last_at_least=0.1)
    study = Study(space, samples=30, strategy="active", precision=0.02)
    assert read_study(path) == study
    assert study_of(json.loads(json.dumps(study.specification()))) == study
    path.write_text("[study]\nfirst_at_most = 0.9\nsampling = 'sobol'\ndesigns = [0.8, [0.6, 0.4]]")
    given = Study(DesignSpace(first_at_most=0.9), sampling="sobol", given=(0.8, (0.6, 0.4)))
    assert read_study(path) == given
    assert study_of(json.loads(json.dumps(given.specification()))) == given
