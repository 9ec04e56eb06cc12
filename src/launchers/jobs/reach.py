"""Whether a scheduler's commands are here."""

from __future__ import annotations

from launchers.errors import UNREACHABLE, LauncherNotFoundError
from launchers.matching import Answer
from launchers.offer.model import Group


def last_words(said: str) -> list[str]:
    """The last lines of what a scheduler said, which say why."""
    return [line.strip() for line in said.strip().splitlines() if line.strip()][-3:]


COMMANDS = {"slurm": ("Slurm", "sbatch", "srun"), "oar": ("OAR", "oarsub", "oarstat")}


def need_commands(group: Group, answer: Answer | None = None) -> None:
    """Raise LauncherNotFoundError unless the commands of a group's scheduler are here."""
    import shutil

    name, *commands = COMMANDS[group.scheduler]
    missing = [command for command in commands if shutil.which(command) is None]
    if missing:
        message = (
            f"{group.name} matches but cannot be reached: no {' and no '.join(missing)} on PATH.  "
            f"Run this where {name}'s commands are, or load the module that brings them."
        )
        raise LauncherNotFoundError(message, UNREACHABLE, answer)
