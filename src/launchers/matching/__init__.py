"""Match one requirement against offers: rank, merge; `explain`, which few need, is imported by its own name.

Pure: nothing here runs a command.
"""

from launchers.matching.answer import Answer, Selection
from launchers.matching.ask import Ask
from launchers.matching.fit import Fit, fit
from launchers.matching.rejection import STAGES, Rejection
from launchers.matching.select import match

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
