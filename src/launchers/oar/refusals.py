"""What oarsub's refusals mean, as reason codes of the matcher (texts: facts/oar.md, oarsub errors)."""

from __future__ import annotations

import re

_OARSUB = (
    (r"There are not enough resources", "limit"),
    (r"The queue \S+ does not exist|queue is not active|not allowed to submit", "closed"),
    (r"[Ww]alltime too big|walltime .* (?:exceed|too)", "duration"),
    (r'column "(?:gpu|gpu_\w+)" does not exist', "gpu-model"),
)


def refusal_of_oarsub(said: str) -> str:
    """The reason code of a refusal; "" where there is none."""
    return next((code for pattern, code in _OARSUB if re.search(pattern, said)), "")
