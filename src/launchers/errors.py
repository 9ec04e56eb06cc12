"""What finding a launcher and following a run raise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launchers.matching import Answer

NOTHING_CONFIGURED, NOTHING_MATCHES, UNREACHABLE = "nothing-configured", "nothing-matches", "unreachable"


class LauncherNotFoundError(LookupError):
    """No launcher for a requirement; the message is the short explanation.

    `kind` tells the three failures apart: "nothing-configured", "nothing-matches", "unreachable".  `answer` is all
    that matching found out, None where it never came to that.
    """

    def __init__(self, message: str, kind: str, answer: Answer | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.answer = answer


class RunError(RuntimeError):
    """A run folder that cannot be worked on: what is wrong and what to do."""


class ForeignRunError(RunError):
    """A run of another user, or one that another user can write: nothing of it is run."""
