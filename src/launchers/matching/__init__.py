"""Match one requirement against offers: rank, merge, explain.  Pure: nothing here runs a command."""

from launchers.matching.explain import funnels, reason, relaxations
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
    "funnels",
    "match",
    "reason",
    "relaxations",
]
