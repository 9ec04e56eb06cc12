"""What OAR says when it refuses: its words, and what they mean as reason codes of the matcher.

The texts are those of oarsub 2.5.9 and 2.6.1.
"""

from __future__ import annotations

import re

from attrs import evolve

from launchers.commands import Outcome

_OARSUB = (
    (r"There are not enough resources", "limit"),
    (r"[Qq]ueue \S+ does not exist|queue is not active|not allowed to submit", "closed"),
    (r"[Ww]alltime too big|walltime .* (?:exceed|too)", "duration"),
    (r'column "(?:gpu|gpu_\w+)" does not exist', "gpu-model"),
)
_PERL = re.compile(r"Possible precedence problem .* line \d+\.")
"""What perl 5.42 says of the source of OAR 2.6.1, whenever oarstat starts."""


def without_noise(said: str) -> str:
    """What OAR said, without the "# " that 2.6 begins its lines with, and without what perl says of OAR."""
    return "\n".join(line.removeprefix("# ") for line in said.splitlines() if not _PERL.fullmatch(line))


def oar_complaint(outcome: Outcome) -> str:
    """What a command of OAR said went wrong, on one line."""
    return evolve(outcome, stderr=without_noise(outcome.stderr)).complaint


def refusal_of_oarsub(said: str) -> str:
    """The reason code of a refusal; "" where there is none."""
    return next((code for pattern, code in _OARSUB if re.search(pattern, said)), "")
