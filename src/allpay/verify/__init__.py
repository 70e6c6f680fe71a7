"""Every known case through theory, payoff engine, sampled auctions and learners: which numbers agree, and how well.

`cases` and `contests` say what is known and from where, `checks` compares, `page` writes the results down.
"""

from allpay.verify.cases import Case, known_cases
from allpay.verify.checks import Check, Report, on_grid, verify

__all__ = ["Case", "Check", "Report", "known_cases", "on_grid", "verify"]
