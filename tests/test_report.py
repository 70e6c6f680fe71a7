"""Figures and summaries: what is drawn, what is said, and that the same results give the same bytes."""

from dataclasses import dataclass, fields, replace

import matplotlib as mpl
import numpy as np
import polars as pl
import pytest

from allpay.cli.results import result_values
from allpay.contest.bidder import Bidder
from allpay.contest.game import Game, Setting
from allpay.contest.mechanism import Mechanism
from allpay.contest.preferences import Cara, Crra, LossAverse, PowerCost
from allpay.contest.success import Tullock
from allpay.contest.values import Common, Private, Uniform, integers
from allpay.errors import AllpayError
from allpay.exact import ExactBest, best_in_theory
from allpay.learners import EpsilonGreedy, FictitiousPlay, learn, run_seeds
from allpay.optimum import Optimum
from allpay.outcome import Verdict
from allpay.pipeline import Result
from allpay.report.curves import groups_figure
from allpay.report.figures import designs_figure, draw_designs
from allpay.report.groups import by_group
from allpay.report.learned import draw_learned
from allpay.report.rounds import rounds_figure
from allpay.report.summary import PARTS, bidders_in_words, summarise, summarise_all
from allpay.simulation import Estimate
from allpay.study.study import DesignSpace, Study
from allpay.study.sweep import run
from allpay.theory import equilibrium

PRIVATE = Setting(Private(levels=8), bid_levels=11)
GREEDY = Setting(Private(levels=5), bid_levels=6, overbidding=False)


@dataclass(frozen=True)
class Straight:
    """Stands for the surrogate: five members that all predict half the first weight, give or take."""

    r2: float = 0.987
    rmse: float = 0.0123

    def members(self, weights):
        return np.asarray(weights)[:, 0] / 2 + np.linspace(-0.01, 0.01, 5)[:, None]

    def predict(self, weights):
        every = self.members(weights)
        return every.mean(axis=0), every.std(axis=0, ddof=1)


def small(space: DesignSpace, learner=None, setting=PRIVATE) -> Result:
    """A study of eight designs and two rounds, with an optimum made by hand."""
    study = Study(space, learner or FictitiousPlay(iterations=50), setting, 8, 2)
    best = (1.0,) + (0.0,) * (space.bidders - 1)
    optimum = Optimum(
        weights=best,
        value=0.5,
        low=0.49,
        high=0.5125,
        interval=((0.9, 1.0), (0.0, 0.1)) + ((0.0, 0.0),) * (space.bidders - 2),
        fraction=0.2,
        flat=False,
        confidence=0.9,
        ranks=space.dimension,
        objective="revenue",
    )
    check = study.learner.learn([study.game(best)], run_seeds(0, 1, 2, 2))
    exact = equilibrium(study.game(best))
    return Result(
        sweep=run(study),
        surrogate=Straight(),
        optimum=optimum,
        resolution=0.0123,
        checked=Estimate((0.501, 0.505)),
        check=check,
        exact=None if exact is None else exact.revenue,
        exact_best=best_in_theory(space, setting, "revenue"),
        seconds=1.0,
    )


@pytest.fixture(scope="module")
def prizes() -> Result:
    return small(DesignSpace("prizes"))


@pytest.fixture(scope="module")
def greedy() -> Result:
    return small(DesignSpace("payments"), EpsilonGreedy(iterations=4000, exploration=1000, halving=200), GREEDY)


@pytest.fixture(scope="module")
def five() -> Result:
    return small(DesignSpace("prizes", bidders=5))


def with_verdicts(result: Result, unsettled: np.ndarray, verdict: Verdict = Verdict.CIRCLING) -> Result:
    """The same result with other verdicts on its runs, `[samples, rounds]`."""
    verdicts = np.where(unsettled, verdict.value, Verdict.CONVERGED.value).ravel()
    table = result.sweep.table.with_columns(pl.Series("verdict", verdicts))
    return replace(result, sweep=replace(result.sweep, table=table))


def settled_check(result: Result) -> Result:
    """The same result with a check whose rounds converged."""
    return replace(result, check=replace(result.check, tolerance=1.0))


def labels(ax) -> list[str]:
    return ax.get_legend_handles_labels()[1]


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


# Figures


def test_figure_holds_every_element(prizes):
    half = with_verdicts(prizes, np.arange(16).reshape(8, 2) % 2 == 0)
    ax, _ = designs_figure([half]).axes
    assert sorted(labels(ax)) == sorted(
        ["rounds", "unsettled rounds", "means", "band", "network", "interval", "best", "checked", "equilibrium"]
    )
    dots = {c.get_label(): len(c.get_offsets()) for c in ax.collections if c.get_label().endswith("rounds")}
    assert dots == {"rounds": 8, "unsettled rounds": 8}
    star = next(c for c in ax.containers if c.get_label() == "best")
    assert star.lines[0].get_xydata().tolist() == [[half.optimum.weights[0], half.optimum.value]]
    low, high = star.lines[2][0].get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((half.optimum.low, half.optimum.high))
    diamond = next(c for c in ax.containers if c.get_label() == "checked")
    assert diamond.lines[0].get_ydata()[0] == half.checked.mean
    interval = next(line for line in ax.lines if line.get_label() == "interval")
    assert tuple(interval.get_xdata()) == half.optimum.interval[0]
    assert ax.get_xlabel() == "weight of the highest rank, w"
    assert ax.get_ylabel() == "revenue\n(in units of the highest value)"


def test_equilibrium_is_the_closed_form(prizes):
    ax, _ = designs_figure([prizes]).axes
    w, revenue = next(line for line in ax.lines if line.get_label() == "equilibrium").get_xydata().T
    np.testing.assert_allclose(revenue, w / 2, rtol=1e-9)


def test_equilibrium_beyond_a_learners_limits_is_dotted_and_named(greedy):
    figure = designs_figure([greedy])
    lines = {line.get_label(): line.get_xydata() for line in figure.axes[0].lines}
    known = lines["equilibrium beyond limits"]
    w = known[np.isfinite(known[:, 1]), 0]
    assert w.min() == 0.5
    assert w.max() == pytest.approx(2 / 3, abs=0.006)
    assert "equilibrium, not allowed\nto epsilon-greedy" in legend(figure)
    captions = figure.legends[0].get_children()[0].get_children()
    assert "epsilon-greedy: 5 values, 6 bids, no bid above" in captions[-1].get_text()


def test_a_panel_per_rule_with_up_to_two_learners(prizes, greedy):
    payments = small(DesignSpace("payments"))
    figure = designs_figure([payments, greedy, prizes])
    assert [ax.get_title(loc="left").split("\n")[0] for ax in figure.axes[:2]] == [
        "payments",
        "prizes, fictitious-play",
    ]
    assert all(ax.get_title(loc="left").startswith("bids under (") for ax in figure.axes[2:])
    assert len(figure.axes) == 4
    assert labels(figure.axes[0]).count("best") == 2
    assert {"fictitious-play", "epsilon-greedy"} <= set(legend(figure))
    apart = designs_figure([payments, greedy, payments])
    assert [labels(ax).count("best") for ax in apart.axes] == [1, 1, 1, 0, 0, 0]
    assert [labels(ax).count("learned") for ax in apart.axes] == [0, 0, 0, 1, 1, 1]


def test_games_with_other_equilibria_do_not_share_a_panel(prizes):
    common = small(DesignSpace("prizes"), setting=Setting(Common(), bid_levels=11))
    assert len(designs_figure([prizes, common]).axes) == 4


def test_flat_curves_are_not_magnified(prizes):
    flat = replace(prizes.sweep, table=prizes.sweep.table.with_columns(revenue=pl.lit(0.5)))
    ax, _ = designs_figure([replace(prizes, sweep=flat)]).axes
    low, high = ax.get_ylim()
    assert high - low >= 0.1 * 0.5


def test_a_flat_result_has_a_bar_and_no_star(prizes, five):
    ax, _ = designs_figure([replace(prizes, optimum=replace(prizes.optimum, flat=True))]).axes
    assert "interval" in labels(ax)
    assert not {"best", "checked"} & set(labels(ax))
    _, weights, _ = designs_figure([replace(five, optimum=replace(five.optimum, flat=True))]).axes
    assert not weights.patches
    assert weights.get_title(loc="left") == "no weights are best"


def test_a_bar_of_no_width_is_seen(prizes):
    point = replace(prizes, optimum=replace(prizes.optimum, interval=((1.0, 1.0), (0.0, 0.0), (0.0, 0.0))))
    ax, _ = designs_figure([point]).axes
    low, high = next(line for line in ax.lines if line.get_label() == "interval").get_xdata()
    assert 0 < high - low < 0.01
    assert high == 1.0


def test_designs_of_more_weights(five):
    figure = designs_figure([five])
    fit, weights, bids = figure.axes
    assert bids.get_title(loc="left") == "bids under the best weights"
    assert "diagonal" in labels(fit)
    assert f"r² = {five.surrogate.r2:.3f}" in fit.texts[0].get_text()
    heights = [bar.get_height() for bar in weights.patches]
    assert heights == list(five.optimum.weights)
    assert {"weights", "ranges", "theory"} == set(labels(weights))


def test_files_in_both_formats_with_the_same_bytes(greedy, five, tmp_path):
    for k, results in enumerate([[greedy], [five]]):
        first = draw_designs(results, tmp_path / f"a{k}.png")
        again = draw_designs(results, tmp_path / f"b{k}.pdf")
        assert [p.name for p in first] == [f"a{k}.png", f"a{k}.pdf"]
        for one, other in zip(first, again, strict=True):
            assert one.read_bytes() == other.read_bytes()


def test_settings_of_matplotlib_stay_as_they_were(prizes, tmp_path):
    mpl.rcParams["font.size"] = 3.0  # a user's
    try:
        before = dict(mpl.rcParams)
        png, pdf = draw_designs([prizes], tmp_path / "w0.8")
        assert dict(mpl.rcParams) == before
        assert (png.name, pdf.name) == ("w0.8.png", "w0.8.pdf")
    finally:
        mpl.rcParams["font.size"] = mpl.rcParamsDefault["font.size"]


def test_one_round_has_no_error_bars(prizes, tmp_path):
    study = replace(prizes.sweep.study, rounds=1)
    table = prizes.sweep.table.filter(pl.col("round") == 0)
    best = replace(prizes.optimum, predicted=(prizes.optimum.value, prizes.optimum.low, prizes.optimum.high))
    sweep = replace(prizes.sweep, study=study, table=table)
    one = replace(prizes, sweep=sweep, checked=Estimate((0.49,)), optimum=best)
    draw_designs([one], tmp_path / "figure.png")
    assert "measured in 1 fresh round with" in " ".join(summarise(one).split())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r, five: [], "nothing to draw"),
        (lambda r, five: [r, five], "draw them apart"),
    ],
)
def test_what_cannot_be_drawn(prizes, five, tmp_path, change, message):
    with pytest.raises(AllpayError, match=message):
        draw_designs(change(prizes, five), tmp_path / "figure.png")


def test_a_folder_that_is_not_there(prizes, tmp_path):
    with pytest.raises(AllpayError, match=r"cannot write .*figure"):
        draw_designs([prizes], tmp_path / "missing" / "figure.png")


# Summaries


def test_summary_has_the_numbers(prizes):
    text = summarise(prizes)
    flowing = " ".join(text.split())
    best = prizes.optimum
    assert max(map(len, text.splitlines())) <= 100
    assert f"predicted revenue {best.value:.4g}, 90% interval {best.low:.4g} to {best.high:.4g}" in flowing
    assert "r² = 0.987 and a root mean square error of 0.012" in flowing
    assert "3 bidders (private values, uniform on [0, 1]) learn by fictitious-play" in flowing
    assert "Theory: the best design is (1, 0, 0), with an equilibrium revenue of 0.5." in flowing
    assert f"Differences in revenue below {prizes.resolution:.2g} are not resolved" in flowing


def measured(result: Result, value: float, low: float, high: float, **changes) -> Result:
    """The same result with a value that fresh rounds brought; what it had is the prediction."""
    best = result.optimum
    predicted = (best.value, best.low, best.high)
    return replace(result, optimum=replace(best, value=value, low=low, high=high, predicted=predicted), **changes)


def test_the_value_is_that_of_fresh_rounds_with_one_interval(prizes):
    """The grid's error is in the interval, and is named; the prediction stands beside it."""
    text = " ".join(summarise(measured(prizes, 0.503, 0.491, 0.515, grid=0.009)).split())
    assert (
        "Worth: revenue 0.503, 90% interval 0.491 to 0.515, measured in 2 fresh rounds with seeds not used before; 0.0090 of "
        "it on either side is what the grid of bids leaves open." in text
    )
    both = " ".join(summarise(measured(prizes, 0.503, 0.491, 0.515, grid=0.009, learning=0.001)).split())
    assert "what the grid of bids leaves open; 0.0010 of it on either side is what is left to learn." in both
    assert "leaves open" not in summarise(measured(prizes, 0.503, 0.491, 0.515))
    assert "0.5030 ± 0.0120" in summarise_all([measured(prizes, 0.503, 0.491, 0.515)])


@pytest.mark.parametrize(
    ("low", "value", "verdict"),
    [
        (0.5, 0.51, "lies in the network's interval: they agree"),
        (0.3, 0.505, "lies in the network's interval: they agree"),
        (0.51, 0.52, "lies outside the network's interval, though the two intervals overlap: take what was measured"),
        (0.5126, 0.52, "they disagree. Take what was measured"),
    ],
)
def test_the_prediction_agrees_only_with_a_check_in_its_interval(prizes, low, value, verdict):
    """The prediction is .5 (.49 to .5125)."""
    text = " ".join(summarise(settled_check(measured(prizes, value, low, 2 * value - low))).split())
    assert verdict in text
    assert ("agree" in text) == ("agree" in verdict)
    assert "did not converge" not in text


@pytest.mark.parametrize("flat", [False, True])
def test_a_network_that_explains_nothing_agrees_with_nothing(prizes, flat):
    poor = replace(prizes, surrogate=replace(prizes.surrogate, r2=-0.39))
    text = " ".join(summarise(settled_check(measured(poor, 0.501, 0.49, 0.512))).split())
    assert "agree" not in text
    assert "the network did not predict held-out designs (r² = -0.39), so the answer rests on the fresh rounds" in text


def test_a_set_with_a_gap_is_shown_in_its_parts(prizes, five):
    parts = (((0.685, 0.7), (0.95, 1.0)), ((0.0, 0.05), (0.3, 0.315)), ((0.0, 0.0),))
    hull = ((0.685, 1.0), (0.0, 0.315), (0.0, 0.0))
    gap = replace(prizes, optimum=replace(prizes.optimum, interval=hull, intervals=parts))
    assert "of all designs, w from 0.685 to 0.7 and from 0.95 to 1, cannot" in " ".join(summarise(gap).split())
    assert "0.685–0.700, 0.950–1.000" in summarise_all([gap])
    values = result_values(gap)
    assert (values["interval"], values["intervals"]) == (hull[0], parts[0])
    bars = [line for line in designs_figure([gap]).axes[0].lines if line.get_label() == "interval"]
    assert [tuple(bar.get_xdata()) for bar in bars] == list(parts[0])
    many = replace(five.optimum, intervals=(parts[0], *parts[1:], *parts[2:] * 2))
    weights = designs_figure([replace(five, optimum=many)]).axes[1]
    ranges = next(c for c in weights.containers if c.get_label() == "ranges")
    ends = [segment[:, 1].tolist() for segment in ranges.lines[2][0].get_segments()]
    assert ends == [list(part) for rank in many.parts for part in rank]


def test_rounds_that_did_not_converge_are_named_where_the_prediction_fails(prizes):
    result = measured(prizes, 0.6, 0.55, 0.65, check=replace(prizes.check, tolerance=1e-12))
    text = " ".join(summarise(result).split())
    assert "2 of 2 fresh rounds did not converge. The two intervals do not overlap" in text
    assert text.index("Beware: at the best design none of the 2 fresh rounds converged") < text.index("Found")
    nothing = " ".join(summarise(with_verdicts(prizes, np.ones((8, 2), bool))).split())
    assert nothing.index("Beware: no run of the study converged") < nothing.index("Found")


def test_what_is_unknown_is_not_called_flat(prizes):
    optimum = replace(prizes.optimum, unknown="few", fraction=0.99, interval=((0.5, 1), (0, 0.5), (0, 0)))
    result = replace(prizes, optimum=optimum, surrogate=replace(prizes.surrogate, r2=-8.9))
    for text in (" ".join(summarise(result).split()), " ".join(summarise_all([result]).split())):
        assert "flat" not in text
        assert "8 designs × 2 rounds are too few or too noisy to tell any design from another" in text
    assert "unknown" in summarise_all([result])


def test_where_the_program_has_no_formula(prizes):
    some = replace(prizes, exact_best=ExactBest((0.8, 0.2, 0.0), 0.45, flat=False, fraction=0.3))
    text = " ".join(summarise(some).split())
    assert "among the 30% of designs for which the program has a closed form, the best is (0.8, 0.2, 0)" in text
    assert "the best design is (0.8" not in text
    assert "best of the 30% of designs that have a closed form" in " ".join(summarise_all([some]).split())


def test_convergence_is_counted_where_the_answer_lies(prizes):
    w = prizes.sweep.weights[:, 0]
    unsettled = np.broadcast_to((w >= np.sort(w)[-3])[:, None], (8, 2))
    result = with_verdicts(prizes, unsettled)
    assert "At the designs nearest the best, 0 of 6 rounds converged" in " ".join(summarise(result).split())
    text = " ".join(summarise_all([result]).split())
    assert "62%, 0%" in text
    assert "6 of 16 runs did not converge, of those nearest the best 6 of 6" in text


def test_few_designs_of_many_weights_are_warned_of():
    ten = small(DesignSpace("prizes", bidders=10))
    text = " ".join(summarise(ten).split())
    assert "8 designs are few for a space of 8 dimensions: give more --samples" in text
    assert "(w_1, w_2, …, w_9, 0)" in text


def test_flat_is_said_in_words(prizes):
    flat = replace(
        prizes,
        optimum=replace(prizes.optimum, flat=True, fraction=1.0, interval=((0.5, 1), (0, 0.5), (0, 0))),
        exact_best=ExactBest((0.5, 0.5, 0.0), 0.5, flat=True, fraction=1.0),
        surrogate=replace(prizes.surrogate, r2=-0.01),
    )
    text = " ".join(summarise(flat).split())
    assert "100% of all designs (w from 0.5 to 1) cannot be told apart, and all lie within about 5%" in text
    assert "none is better than another" in text
    assert "r² may then be near 0" in text
    assert "revenue is 0.5 under every design, so no weights are best" in text
    assert "flat, near" in summarise_all([flat])
    assert "any: 0.5" in summarise_all([flat])
    assert " any " in summarise_all([flat])
    assert "differences below 0.012 are not resolved" in " ".join(summarise_all([flat]).split())


def test_where_bidders_circle_is_said(prizes):
    w = prizes.sweep.weights[:, 0]
    edge = np.sort(w)[3:5].mean()

    def said(unsettled, verdict=Verdict.CIRCLING):
        by_round = np.broadcast_to(unsettled[:, None], (8, 2))
        return " ".join(summarise(with_verdicts(prizes, by_round, verdict)).split())

    assert f"For w below {edge:.2f} bidders circle in most runs" in said(w < edge)
    assert "of 16 runs, 8 converged, 8 circling" in said(w < edge)
    assert "revenue is what they pay on the way, not an equilibrium's" in said(w < edge)
    assert f"For w above {edge:.2f} bidders are still learning" in said(w > edge, Verdict.STILL_LEARNING)
    assert "Under every design most runs did not converge" in said(w > 0)
    assert "all 16 runs converged" in said(w < 0)
    ends = np.isin(w, np.sort(w)[[0, 1, -1]])
    assert "elsewhere most runs are equilibria" in said(ends)
    one_round = np.zeros((8, 2), bool)
    one_round[:, 0] = True
    assert "Under every design most runs converged" in " ".join(summarise(with_verdicts(prizes, one_round)).split())


def test_limits_on_bids_are_said(greedy):
    text = " ".join(summarise(greedy).split())
    assert "no bid above the bidder's own value" in text
    assert "for w from 0.50 to 0.67 the equilibrium without them has higher bids" in text
    assert "these bidders 6 bids and 5 values" in text


def test_a_cap_that_binds_is_said_and_drawn():
    result = small(DesignSpace("payments"), setting=Setting(Private(levels=8), bid_levels=11, max_bid=1.0))
    text = " ".join(summarise(result).split())
    lowest = equilibrium(Setting(max_bid=1.0).game(DesignSpace("payments").mechanism([0.5, 0.5, 0]))).revenue
    assert (
        "The cap matters (no bid above 1): for w from 0.50 to 0.67 it binds, so that in equilibrium bids pool at it;"
        in text
    )
    assert f"revenue is {lowest:.4g} to 0.5 there, without a cap 0.5." in text
    assert "cannot play it" not in text
    figure = designs_figure([result])
    lines = {line.get_label(): line.get_xydata() for line in figure.axes[0].lines}
    w, revenue = lines["pooled"].T
    assert revenue[w == 0.5] == pytest.approx(lowest)
    assert w[np.isfinite(revenue)].max() == pytest.approx(2 / 3, abs=0.006)
    assert np.isfinite(lines["equilibrium beyond limits"][w == 0.5, 1])
    assert "equilibrium, bids pooled at the cap" in legend(figure)


def test_values_that_are_a_grid():
    """Three bidders of ten values pay 4.5 where no limit binds, that is for w ≥ 41/60: 6.15/w ≤ 9."""
    whole = Setting(Private(integers(0, 9), levels=10), bid_levels=10, overbidding=False)
    result = small(DesignSpace("payments"), EpsilonGreedy(iterations=4000, exploration=1000), whole)
    text = " ".join(summarise(result).split())
    assert "private values, 10 from 0 to 9" in text
    assert "in equilibrium revenue is 4.5 under every design for which the program has a closed form" in text
    assert "these bidders 10 bids: a gap to it" in text
    ax, _ = designs_figure([result]).axes
    w, revenue = next(line for line in ax.lines if line.get_label() == "equilibrium").get_xydata().T
    assert w[np.isfinite(revenue)].min() == pytest.approx(41 / 60, abs=0.005)
    np.testing.assert_allclose(revenue[np.isfinite(revenue)], 4.5)
    assert ax.get_ylabel() == "revenue\n(highest value 9)"


@dataclass(frozen=True)
class TwoValues:
    """A user's own distribution, with atoms that it does not declare."""

    def quantile(self, q):
        return np.where(np.asarray(q, float) < 0.5, 0.5, 1.0)


def test_values_without_a_closed_form():
    result = small(DesignSpace("payments"), setting=Setting(Private(TwoValues(), levels=2), bid_levels=11))
    assert "Theory: no closed form to compare with, since" in " ".join(summarise(result).split())
    assert "none known" in summarise_all([result])
    ax, _ = designs_figure([result]).axes
    assert "equilibrium" not in labels(ax)


def test_summary_of_more_weights(five):
    text = " ".join(summarise(five).split())
    assert "which weights (w_1, w_2, w_3, w_4, 0)" in text
    assert "(1, 0, 0, 0, 0)" in summarise_all([five])


def test_table_is_aligned_and_complete(prizes, greedy):
    text = summarise_all([prizes, greedy])
    header, *rows = text.split("\n\n")[0].splitlines()
    assert len(rows) == 2
    for row in rows:
        assert row.index(row.split()[1]) == header.index("learner")
    assert f"{prizes.optimum.value:.4g}" in rows[0]
    assert "epsilon-greedy: 5 values, 6 bids, no bid above the bidder's own value" in text
    assert "fictitious-play: 8 values, 11 bids, bids above the value allowed" in text
    assert max(map(len, text.splitlines())) <= 100
    with pytest.raises(AllpayError, match="nothing to summarise"):
        summarise_all([])


def test_bids_under_the_best_design_are_drawn_beside_theory(prizes, five):
    for result in (prizes, five):
        ax = designs_figure([result]).axes[-1]
        lines = {line.get_label(): line.get_xydata() for line in ax.lines}
        game, strategies = result.check.games[0], result.check.strategy[0]
        bids = (strategies @ game.bid_grid).mean(axis=(0, 1))
        np.testing.assert_allclose(lines["learned"], np.column_stack([game.value_grid, bids]), atol=1e-6)
        found = equilibrium(game)
        means = [found.bid_at((v + np.linspace(0, 1, 2001)) / len(bids)).mean() for v in range(len(bids))]
        np.testing.assert_allclose(lines["equilibrium"][:, 1], means, atol=2e-4)
        assert len(ax.collections) == 1  # the band


def test_bids_of_groups_and_of_known_values_are_drawn(tmp_path):
    from matplotlib.figure import Figure

    bidders = [(Bidder(Private(Uniform(), 4)), 1), (Bidder(Common(0.7)), 2)]
    games = (
        Game(Mechanism((1, 0, 0), (1, 1, 1)), bidders, bid_levels=7),
        Game(Mechanism((1, 0), (1, 1)), [(Bidder(Common(1)), 1), (Bidder(Common(0.7)), 1)], bid_levels=7),
        Game.from_weights("prizes", 1.0, 2, values="common", bid_levels=7),
    )
    for game, named, drawn in zip(games, (2, 2, 0), (2, 2, 1), strict=True):
        outcome = learn(game, FictitiousPlay(iterations=20, auctions=10), rounds=2)
        ax = Figure().subplots()
        draw_learned(ax, outcome, equilibrium(game), "C0")
        assert [text.get_text() for text in ax.texts] == ["group 1", "group 2"][:named]
        assert len({text.get_color() for text in ax.texts}) == named  # each group has its own
        labels = ax.get_legend_handles_labels()[1]
        assert sum(label.startswith("learned") for label in labels) == drawn
        if game.value_levels == 1:
            assert labels.count("equilibrium") == drawn
            share = next(line for line in ax.lines if line.get_label() == "learned distribution").get_ydata()
            np.testing.assert_allclose(share, np.cumsum(outcome.strategy[0, :, 0, 0].mean(axis=0)))


@pytest.mark.parametrize("name", ["bids.png", "bids.svg", "bids"])
def test_simulate_draws_what_was_bid(tmp_path, name):
    from typer.testing import CliRunner

    from allpay.cli import app

    options = ["--weights", "1", "--rounds", "2", "--iterations", "20", "--bid-levels", "11", "--value-levels", "4"]
    done = CliRunner().invoke(app, ["simulate", *options, "--plot", str(tmp_path / name)])
    assert done.exit_code == 0, done.stderr
    (written,) = tmp_path.iterdir()
    assert written.name == ("bids.png" if name == "bids" else name)
    assert written.stat().st_size > 5000
    refused = CliRunner().invoke(app, ["simulate", *options, "--plot", str(tmp_path / "bids.xyz")])
    assert refused.exit_code == 2
    assert "choose an ending from" in refused.stderr
    nowhere = ["simulate", "--weights", "1", "--iterations", "1000000000", "--plot", str(tmp_path / "none" / name)]
    refused = CliRunner().invoke(app, nowhere)  # before anybody learns
    assert refused.exit_code == 2
    assert "there is no folder" in refused.stderr


def test_parts_of_bidders_are_said_in_plain_words():
    plain = {
        Bidder(Common(0.5), cost=2): "the known value 0.5, cost b²",
        Bidder(Private(Uniform(0, 0.5)), PowerCost(1.5, 2)): "private values, uniform on [0, 0.5], cost 2·b^1.5",
        Bidder(utility=Cara(2), head_start=0.1, max_bid=0.5): (
            "private values, uniform on [0, 1], risk aversion 2, no bid above 0.5, a head start of 0.1"
        ),
        Bidder(Common(), utility=Crra(0.5, 2), presence=0.9): (
            "the known value 1, relative risk aversion 0.5 at a wealth of 2, there with a chance of 0.9"
        ),
        Bidder(Common(), cost=np.expm1, utility=np.tanh, handicap=0.5, overbidding=False): (
            "the known value 1, a cost function of its own, a utility function of its own, no bid above its own value, "
            "bids count 0.5 times"
        ),
        Bidder(Common(), utility=LossAverse(2)): "the known value 1, losses count 2 times",
    }
    for bidder, words in plain.items():
        assert bidders_in_words(Setting(((bidder, 2), (Bidder(), 1)))).split("; ")[0] == f"2 with {words}"
    assert set(PARTS) == {field.name for field in fields(Bidder)} - {"values"}


def test_bids_that_are_left_over_from_learning_are_shown_as_none():
    """The lowest values end with 1e-7 or so of the bids that they began with: below a tenth of a step that is nothing."""
    game = Setting(Private(levels=8), bid_levels=11, reserve=0.1).game(Mechanism.from_weights("prizes", 1.0, 3))
    outcome = learn(game, FictitiousPlay(iterations=300, auctions=100), rounds=1)
    raw = (outcome.strategy[0, 0, 0] @ game.bid_grid)[:2]
    assert np.all((raw > 0) & (raw < 0.009))
    found = by_group(outcome)
    assert found.groups[0]["bids"][:2] == [0.0, 0.0]
    assert found.groups[0]["bids"][-1] == pytest.approx((outcome.strategy[0, 0, 0] @ game.bid_grid)[-1])
    assert [column.header for column in found.table().columns][3:6] == ["bid at 10%", "bid at 50%", "bid at 90%"]
    assert "one below a tenth of a step of the grid is shown as 0" in found.sentences(outcome.games[0])[0]
    known = Setting(Common(), bid_levels=11, reserve=0.1).game(Mechanism.from_weights("prizes", 1.0, 3))
    one = by_group(learn(known, FictitiousPlay(iterations=50, auctions=100), rounds=1))
    assert not any("bid at" in str(column.header) for column in one.table().columns)  # each has one value
    assert not any("quantiles" in sentence for sentence in one.sentences(known))


def test_a_figure_of_one_design_names_its_setting_and_has_steps():
    """Where all bid the same, the share of bids up to each is a step, and not a slope; the title says what was played."""
    game = Setting(Common(), bid_levels=11, luck=Tullock(1)).game(Mechanism.from_weights("prizes", 0.7, 3))
    outcome = learn(game, FictitiousPlay(iterations=100, auctions=10), rounds=2)
    figure = rounds_figure(outcome, equilibrium(outcome.games[0]))
    assert " ".join(figure.get_suptitle().split()) == (
        "prizes (0.7, 0.3, 0), 3 bidders, common values, ranks by luck, with chances in proportion to bids (Tullock); "
        "fictitious-play"
    )
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert lines["learned"].get_drawstyle() == "steps-post"
    bids, share = lines["equilibrium"].get_xydata().T
    assert bids[(share > 0) & (share < 1)] == pytest.approx(equilibrium(game).highest_bid)  # upright
    assert share[0] == 0
    assert figure.axes[0].get_xlim()[1] < 0.5  # where nobody bids there is nothing to see


def test_the_equilibrium_of_groups_is_drawn():
    for groups in (
        [(Bidder(Private(Uniform(0, 1))), 1), (Bidder(Private(Uniform(0, 0.6))), 1)],
        [(Bidder(Common(1)), 1), (Bidder(Common(0.5)), 1)],
    ):
        game = Game(Mechanism((1, 0), (1, 1)), groups)
        found = equilibrium(game)
        by_value, distribution = groups_figure(game, found).axes
        assert [line.get_label() for line in distribution.lines] == ["group 1, 1 bidder", "group 2, 1 bidder"]
        for line, play in zip(distribution.lines, found.groups, strict=True):
            bids, share = line.get_xydata().T
            np.testing.assert_allclose(bids[2:-1], play.bid_at(share[2:-1]), atol=1e-12)
        ends = sorted({float(line.get_xdata()[-1]) for line in by_value.lines})
        assert ends == [groups[1][0].values.highest, 1.0]


def test_long_titles_go_into_the_caption(prizes):
    groups = (
        (Bidder(Private(Uniform(), 4), PowerCost(1.5)), 1),
        (Bidder(Private(Uniform(0, 0.5), 4), cost=2, head_start=0.1), 2),
    )
    study = replace(prizes.sweep.study, setting=Setting(groups, bid_levels=11, reserve=0.1))
    figure = designs_figure([replace(prizes, sweep=replace(prizes.sweep, study=study))])
    assert figure.axes[0].get_title(loc="left") == "prizes, fictitious-play\n3 bidders"
    caption = " ".join(figure.legends[0].get_children()[0].get_children()[-1].get_text().split())
    assert "prizes: 3 bidders (1 with private values, uniform on [0, 1], cost b^1.5; 2 with private values" in caption
    assert "A bid below the reserve of 0.1 does not count" in caption
    assert figure.axes[0].get_ylabel() == "revenue\n(in units of bids, whose cost differs)"


def test_ranks_that_carry_nothing_are_not_drawn(five):
    empty = (0.0,) * 75
    best = replace(
        five.optimum, weights=five.optimum.weights + empty, interval=five.optimum.interval + ((0.0, 0.0),) * 75
    )
    weights = designs_figure([replace(five, optimum=best, exact_best=None)]).axes[1]
    assert [bar.get_height() for bar in weights.patches] == [1.0, 0.0]
    assert weights.get_xlabel() == "rank (from 3 to 80: 0)"
