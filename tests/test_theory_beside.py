"""Theory beside a study: whatever it does, what bidders have learned is written, with a line on what is missing."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import allpay.exact
import allpay.theory.beside
from allpay.cli import app
from allpay.contest.game import Game
from allpay.contest.mechanism import mechanism
from allpay.contest.values import Beta, Lognormal, Power, Private, Uniform
from allpay.theory import design_objective, equilibrium_or_reason

SMALL = ("--samples", "5", "--rounds", "1", "--iterations", "50", "--bid-levels", "21", "--value-levels", "8")


def run(*args):
    done = CliRunner().invoke(app, [str(a) for a in args])
    assert done.exit_code == 0, (done.exception, done.stderr)
    return done.stdout


def broken(*_args, **_options):
    raise FloatingPointError("no number\nat all " + "x" * 1000)


def test_a_tight_cap_and_a_convex_cost(tmp_path):
    """The threshold of the pool lies in the first panel, where the interpolated cost may be below 0 by a rounding."""
    out = tmp_path / "study"
    text = run("design", "--distribution", "power(5)", "--cost-power", 2, "--max-bid", 0.05, *SMALL, "--out", out)
    assert "Theory: the best design is" in " ".join(text.split()) or "Theory: in equilibrium" in " ".join(text.split())


def test_no_failure_of_theory_kills_a_study(tmp_path, monkeypatch):
    monkeypatch.setattr(allpay.theory.beside, "equilibrium", broken)
    monkeypatch.setattr(allpay.exact, "design_objective", broken)
    out = tmp_path / "study"
    text = run("design", *SMALL, "--out", out)
    said = " ".join(text.split())
    assert "Theory: its best design is missing, since theory failed here (FloatingPointError: no number at all" in said
    assert "x" * 300 not in said
    written = {path.name for path in out.iterdir()}
    assert {"summary.txt", "result.json"} <= written
    (result,) = json.loads((out / "result.json").read_text())["results"]
    assert result["equilibrium"] is None
    assert "FloatingPointError: no number at all" in result["theory_missing"]
    # one design alone
    text = run("simulate", "--weights", 0.8, "--rounds", 1, "--iterations", 50, "--bid-levels", 21)
    assert "No closed form to compare with: theory failed here (FloatingPointError" in text


@pytest.mark.parametrize("power", [1.0, 1.5, 4.0])
@pytest.mark.parametrize(
    "values", [Beta(5, 1), Beta(1, 20), Power(8), Power(0.3), Lognormal(0, 1, 2), Uniform(0.3, 1)], ids=str
)
def test_random_tight_caps(values, power):
    rng = np.random.default_rng(3)
    for rule in ("prizes", "payments"):
        for _ in range(4):
            n = int(rng.integers(2, 7))
            w = np.sort(rng.dirichlet(np.ones(n)))[::-1]
            w[0] += 1 - w.sum()
            cap = 10.0 ** rng.uniform(-4, -0.5)
            g = Game(mechanism(rule, w), Private(values), cost_power=power, max_bid=cap)
            found = equilibrium_or_reason(g)
            for objective in ("revenue", "highest-bid", "payoff"):
                value, gradient = design_objective(g, rule, objective)(w)
                assert np.all(np.isfinite(gradient)) == np.isfinite(value)
                if not isinstance(found, str):
                    assert value == pytest.approx(getattr(found, objective.replace("-", "_")), rel=1e-6, abs=1e-12)
