"""What a study's results look like to a reader: figures, and summaries in plain words. Nothing is simulated here."""

from allpay.report.figures import draw_designs
from allpay.report.summary import summarise, summarise_all

__all__ = ["draw_designs", "summarise", "summarise_all"]
