"""Match one requirement against offers: rank, merge; `explain`, which few need, is imported by its own name.

Pure: nothing here runs a command.
"""

from launchers.matching.fit import STAGES, Ask, Fit, Rejection, fit
from launchers.matching.select import Answer, Selection, match

__all__ = [
    "STAGES",
    "Answer",
    "Ask",
    "Fit",
    "Rejection",
    "Selection",
    "fit",
    "match",
]
