"""Theory beside a study: asked so that no failure of it can lose what bidders have already learned.

Whoever wants the theory itself asks `equilibrium` or `design_objective`, which raise what is wrong.
"""

from allpay.contest.game import Game
from allpay.errors import AllpayError
from allpay.objectives import Objective
from allpay.theory.contests import equilibrium, why_no_equilibrium
from allpay.theory.measures import InTheory
from allpay.theory.symmetric import Equilibrium

LONGEST = 200
"""The most characters of an error that are repeated."""


def equilibrium_or_reason(game: Game) -> Equilibrium | str:
    """The equilibrium of a game, or one sentence that says why there is none to compare with; raises nothing."""
    try:
        found = equilibrium(game)
        return (why_no_equilibrium(game) or "there is none") if found is None else found
    except Exception as error:
        return failure(error)


def value_or_reason(game: Game, goal: Objective) -> float | str:
    """An objective in the equilibrium of a game, or one sentence that says why it is not known; raises nothing."""
    found = equilibrium_or_reason(game)
    if isinstance(found, str):
        return found
    try:
        return goal.value(InTheory(game, found))
    except AllpayError as error:
        return str(error)
    except Exception as error:
        return failure(error)


def failure(error: Exception) -> str:
    """One sentence on an error of theory, for the summary of a study."""
    said = " ".join(str(error).split())
    said = said if len(said) <= LONGEST else said[: LONGEST - 1] + "…"
    return f"theory failed here ({type(error).__name__}: {said}); what bidders learned does not depend on it"
