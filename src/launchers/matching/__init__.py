"""Match a requirement against offers: fit, rank, merge. What explains an answer is imported by its own name.

Pure: nothing here runs a command.
"""

from launchers.matching.answer import Answer, Selection, Skipped, SkipReason, Trial
from launchers.matching.fit import Fit, fit
from launchers.matching.rejection import Reason, Rejection
from launchers.matching.request import Allocation, Request
from launchers.matching.select import match

__all__ = [
    "Allocation",
    "Answer",
    "Fit",
    "Reason",
    "Rejection",
    "Request",
    "Selection",
    "SkipReason",
    "Skipped",
    "Trial",
    "fit",
    "match",
]
