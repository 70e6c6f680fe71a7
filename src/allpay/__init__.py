"""allpay: design all-pay auctions and contests by simulation.

    import allpay

    game = allpay.Game.from_weights("prizes", 0.8, bidders=3)
    outcome = allpay.learn(game, allpay.FictitiousPlay(), rounds=10, seed=0)
    result = allpay.design(allpay.Study(allpay.DesignSpace("prizes"), samples=50, rounds=10))

Names are loaded when they are first used, so that importing the package is quick.
"""

TYPE_CHECKING = False  # as of typing, whose import takes as long as the start of Python itself

if TYPE_CHECKING:
    from typing import Any

    from allpay.contest.attendance import Field as Field
    from allpay.contest.attendance import field as field
    from allpay.contest.attitudes import Disappointment as Disappointment
    from allpay.contest.attitudes import Prelec as Prelec
    from allpay.contest.attitudes import TverskyKahneman as TverskyKahneman
    from allpay.contest.auction import play as play
    from allpay.contest.bidder import Bidder as Bidder
    from allpay.contest.game import Game as Game
    from allpay.contest.game import Setting as Setting
    from allpay.contest.mechanism import Mechanism as Mechanism
    from allpay.contest.mechanism import all_pay as all_pay
    from allpay.contest.mechanism import first_price as first_price
    from allpay.contest.payoffs import evaluate as evaluate
    from allpay.contest.payoffs import expected_payoffs as expected_payoffs
    from allpay.contest.preferences import Cara as Cara
    from allpay.contest.preferences import Crra as Crra
    from allpay.contest.preferences import LossAverse as LossAverse
    from allpay.contest.preferences import PowerCost as PowerCost
    from allpay.contest.success import Highest as Highest
    from allpay.contest.success import Noise as Noise
    from allpay.contest.success import Tullock as Tullock
    from allpay.contest.values import Beta as Beta
    from allpay.contest.values import Common as Common
    from allpay.contest.values import Discrete as Discrete
    from allpay.contest.values import Lognormal as Lognormal
    from allpay.contest.values import Power as Power
    from allpay.contest.values import Private as Private
    from allpay.contest.values import Uniform as Uniform
    from allpay.contest.values import integers as integers
    from allpay.errors import AllpayError as AllpayError
    from allpay.exact import exact_design as exact_design
    from allpay.judgement import Judgement as Judgement
    from allpay.judgement import judge as judge
    from allpay.learners import LEARNERS as LEARNERS
    from allpay.learners import EpsilonGreedy as EpsilonGreedy
    from allpay.learners import FictitiousPlay as FictitiousPlay
    from allpay.learners import LogitEquilibrium as LogitEquilibrium
    from allpay.learners import learn as learn
    from allpay.learners import learner as learner
    from allpay.outcome import Outcome as Outcome
    from allpay.pipeline import design as design
    from allpay.rehearsal import rehearse as rehearse
    from allpay.scenarios import Comparison as Comparison
    from allpay.scenarios import compare as compare
    from allpay.statics import comparative_statics as comparative_statics
    from allpay.study import DesignSpace as DesignSpace
    from allpay.study import Study as Study
    from allpay.study.scenario import Scenario as Scenario
    from allpay.study.scenario import ScenarioStudy as ScenarioStudy
    from allpay.theory import equilibrium as equilibrium
    from allpay.theory import why_no_equilibrium as why_no_equilibrium

_HOMES = {
    "allpay.errors": ("AllpayError",),
    "allpay.contest.mechanism": ("Mechanism", "all_pay", "first_price"),
    "allpay.contest.success": ("Highest", "Noise", "Tullock"),
    "allpay.contest.attendance": ("Field", "field"),
    "allpay.contest.preferences": ("Cara", "Crra", "LossAverse", "PowerCost"),
    "allpay.contest.attitudes": ("Disappointment", "Prelec", "TverskyKahneman"),
    "allpay.contest.values": (*("Beta", "Common", "Discrete", "Lognormal", "Power", "Private", "Uniform", "integers"),),
    "allpay.contest.bidder": ("Bidder",),
    "allpay.contest.game": ("Game", "Setting"),
    "allpay.contest.payoffs": ("evaluate", "expected_payoffs"),
    "allpay.theory": ("equilibrium", "why_no_equilibrium"),
    "allpay.contest.auction": ("play",),
    "allpay.outcome": ("Outcome",),
    "allpay.learners": ("LEARNERS", "EpsilonGreedy", "FictitiousPlay", "LogitEquilibrium", "learn", "learner"),
    "allpay.study": ("DesignSpace", "Study"),
    "allpay.pipeline": ("design",),
    "allpay.judgement": ("Judgement", "judge"),
    "allpay.exact": ("exact_design",),
    "allpay.scenarios": ("Comparison", "compare"),
    "allpay.rehearsal": ("rehearse",),
    "allpay.study.scenario": ("Scenario", "ScenarioStudy"),
    "allpay.statics": ("comparative_statics",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [*_HOME]  # noqa: PLE0604


def __getattr__(name: str) -> "Any":
    if name not in _HOME:
        raise AttributeError(f"module 'allpay' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*_HOME, "__doc__", "__name__", "__file__", "__path__", "__all__"})
