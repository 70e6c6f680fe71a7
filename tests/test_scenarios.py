"""Designs in several scenarios: values against equilibria, the best compromises against a search, and what is told."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from allpay import Game, equilibrium
from allpay.cli import app
from allpay.contest.game import Setting
from allpay.errors import AllpayError
from allpay.scenarios import compare
from allpay.study import DesignSpace

FIVE = DesignSpace(bidders=5)
POWERS = {"cost_power": [1.0, 2.0, 3.0]}


@pytest.fixture(scope="module")
def found():
    return compare([(0.4, 0.3, 0.2, 0.1), 1.0], POWERS, space=FIVE)


def test_values_are_those_of_equilibria(found):
    for weights, values in zip(found.designs, found.values, strict=True):
        for power, value in zip(POWERS["cost_power"], values, strict=True):
            game = Game.from_weights("prizes", weights.tolist(), 5, cost_power=power)
            assert value == pytest.approx(equilibrium(game).revenue, rel=1e-6)


def test_the_best_of_each_scenario_loses_nothing_there(found):
    own = found.losses[2:5]
    np.testing.assert_allclose(np.diag(own), 0, atol=1e-9)
    assert np.all(own[~np.eye(3, dtype=bool)] > 0)
    np.testing.assert_allclose(found.designs[3], [0.8, 0.2, 0, 0, 0], atol=1e-3)


def test_no_other_design_is_a_better_compromise(found):
    """A thousand designs around the two, and as many anywhere."""
    rng = np.random.default_rng(1)
    anywhere = FIVE.sample(300, 2)
    near = [d + t * (e - d) for d in found.designs[-2:] for e, t in zip(anywhere, rng.random(300) ** 3, strict=True)]
    others = compare([tuple(d) for d in (*anywhere, *near)], POWERS, space=FIVE).losses[:900]
    assert found.losses[-2].mean() <= others.mean(axis=1).min() + 1e-5
    assert found.losses[-1].max() <= others.max(axis=1).min() + 1e-3


def test_fewer_bidders_leave_fewer_ranks():
    found = compare([0.7], {"bidders": [4, 6], "reserve": [0.0, 0.1]})
    assert found.designs.shape == (7, 4)
    assert found.ranks == 3
    assert len(found.scenarios) == 4
    assert np.all(found.losses >= 0)
    np.testing.assert_allclose(found.designs.sum(axis=1), 1)


def test_the_command(tmp_path):
    line = ["compare", "50%,30%,20%", "7500,5000,2500", "--bidders", "5", "--cost-power", "1,3"]
    done = CliRunner().invoke(app, [*line, "--out", str(tmp_path / "losses.csv"), "--json"])
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert [design["name"] for design in told["designs"][:2]] == ["given", "given"]
    assert told["designs"][1]["weights"][:3] == pytest.approx([1 / 2, 1 / 3, 1 / 6])
    assert told["designs"][told["safest"] - 1]["largest_loss"] == min(d["largest_loss"] for d in told["designs"])
    assert told["question"]["space"]["bidders"] == 5
    table = pl.read_csv(tmp_path / "losses.csv")
    assert table.height == 2 * len(told["designs"])
    words = CliRunner().invoke(app, line).stdout
    assert words.startswith("Design ")
    assert "Model uncertainty: which of the 2 scenarios is true is not known" in " ".join(words.split())


@pytest.mark.parametrize(
    ("designs", "over", "message"),
    [
        ([], {"bidders": [3]} | {"fee": [0.0]} | {"reserve": [0.1]}, "one or two parameters vary: got 3"),
        ([(0.4, 0.3, 0.2, 0.1)], {"bidders": [3, 4]}, "too many weights: got 4 for 3 bidders"),
        ([0.8], {"luck": [1.0, 2.0]}, "unknown parameter 'luck'"),
        ([0.8], {"cost_power": [1.0, 1e9]}, "cost"),
    ],
)
def test_what_cannot_be_compared_is_told(designs, over, message):
    with pytest.raises(AllpayError, match=message) as error:
        compare(designs, over, Setting(), DesignSpace(bidders=4))
    assert len(str(error.value)) <= 300
