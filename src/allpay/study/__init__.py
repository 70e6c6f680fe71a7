"""Many designs, many rounds: what a study is, how it runs, and the folder it is kept in."""

from allpay.objectives import NAMES as OBJECTIVES
from allpay.study.study import DesignSpace, Study
from allpay.study.sweep import Sweep, run

__all__ = ["OBJECTIVES", "DesignSpace", "Study", "Sweep", "run"]
