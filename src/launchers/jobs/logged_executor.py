"""An executor of submitit that logs the command which submits: submitit runs it, not `launchers.commands`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from submitit.core.core import PicklingExecutor
from submitit.core.utils import FailedJobError

from launchers.commands import log_command


class LoggedExecutor(PicklingExecutor):
    """A base class before submitit's SlurmExecutor or OarExecutor; `argv` is the command that submitted last."""

    argv: list[str]

    def _make_submission_command(self, submission_file_path: Path) -> list[str]:
        self.argv = super()._make_submission_command(submission_file_path)  # type: ignore[safe-super]
        return self.argv

    def _submit_command(self, command: str) -> Any:
        start, status = time.monotonic(), None
        try:
            job = super()._submit_command(command)
            status = 0
        except FailedJobError as error:
            status = getattr(error.__cause__, "returncode", None)
            raise
        finally:
            log_command(self.argv, status, time.monotonic() - start)
        return job
