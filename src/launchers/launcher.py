"""Find the best launcher for a requirement, and submit there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve, field, frozen

from launchers.matching import STAGES, Answer, Selection, match
from launchers.offer.locate import Located, locate
from launchers.offer.model import Group
from launchers.requirement import Requirement, parse

if TYPE_CHECKING:
    from submitit import Executor, Job

    from launchers.local.jobs import Capacity, LocalJob
    from launchers.oar.args import OarArgs
    from launchers.offer.schema import OarGroup, SlurmGroup
    from launchers.slurm.args import SlurmArgs

T = TypeVar("T")
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


@frozen(eq=False)
class Launcher:
    """One chosen placement: where a job goes and what is asked there."""

    answer: Answer = field(repr=False)
    selection: Selection

    @property
    def group(self) -> Group:
        """The launcher group that was chosen."""
        return self.selection.group

    @property
    def slurm_args(self) -> SlurmArgs | None:
        """What sbatch will be asked; None on this machine."""
        return self.selection.slurm_args

    @property
    def oar_args(self) -> OarArgs | None:
        """What oarsub will be asked; None elsewhere."""
        return self.selection.oar_args

    def parameters(self) -> dict[str, object] | None:
        """The parameters of submitit's executor there; None on this machine."""
        return self.selection.args.submitit() if self.selection.args else None

    def oarsub(self) -> str:
        """The ``#OAR`` lines that will be sent; empty elsewhere."""
        return "\n".join(self.oar_args.directives()) if self.oar_args else ""

    def sbatch(self) -> str:
        """The ``#SBATCH`` lines that will be sent; empty on this machine."""
        return "\n".join(self.slurm_args.directives()) if self.slurm_args else ""

    def executor(self, folder: str | Path | None = None, **parameters: Any) -> Executor:
        """A fresh submitit executor with every parameter set: they persist, so one is used for one kind of job.

        `folder` is for logs and pickles (``./.launchers/jobs`` by default) and, on a cluster, must be on a file
        system that the nodes see.  `parameters` are further parameters of submitit.  Raises LauncherNotFoundError
        when the cluster cannot be reached from here.
        """
        place = Path(folder) if folder is not None else Path.cwd() / ".launchers" / "jobs"
        if "%" not in str(place):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = self.parameters()
        if told is None:
            from launchers.local.executor import Executor as LocalExecutor

            return LocalExecutor(place, self.local_job(), capacity(self.group))
        need_commands(self.group, self.answer)
        executor = _executor(self.group.scheduler, place)
        executor.update_parameters(**{**told, **parameters})
        return executor

    def submit(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Job[Any]:
        """Run a function there: a submitit Job, with `result()`, `state`, `cancel()` and the logs.

        Raises LauncherNotFoundError with the cluster's own words when it refuses the job.
        """
        if self.selection.args is None:
            return self.executor().submit(function, *args, **kwargs)
        goes_on = hasattr(function, "checkpoint") or self.slurm_args is None
        executor = self.executor() if goes_on else self.executor(**TO_THE_END)
        return self.submitted(executor, function, *args, **kwargs)

    def submitted(self, executor: Executor, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Job[Any]:
        """Submit with an executor of this launcher; what the scheduler refuses is LauncherNotFoundError."""
        from submitit.core.utils import FailedJobError

        from launchers.slurm.environment import as_decided
        from launchers.slurm.refusals import away

        account = self.slurm_args is not None and bool(self.slurm_args.account)
        try:
            with as_decided(account=account):
                return executor.submit(function, *args, **kwargs)
        except FailedJobError as error:
            if self.slurm_args is not None and away(str(error)):
                said = "\n  ".join(last_words(str(error)))
                message = f"{self.group.name} matches but cannot be reached: {said}"
                raise LauncherNotFoundError(message, UNREACHABLE, self.answer) from error
            raise LauncherNotFoundError(self.refused(str(error)), NOTHING_MATCHES, self.answer) from error

    def refused(self, said: str) -> str:
        """What the scheduler said when it refused, what it is about, and what it was asked."""
        from launchers.oar.refusals import refusal_of_oarsub, words
        from launchers.slurm.refusals import refusal_of_sbatch

        said = words(said) if self.oar_args else said
        code = refusal_of_oarsub(said) if self.oar_args else refusal_of_sbatch(said).code
        about = f"\nreason code: {code}" if code else ""
        asked = self.selection.args.flags() if self.selection.args else []
        told, command = "\n  ".join(last_words(said)), "oarsub" if self.oar_args else "sbatch"
        return f"{command} refused what was chosen:\n  {told}{about}\nit was asked:\n  " + "\n  ".join(asked)

    def local_job(self) -> LocalJob:
        """The resources of one job of this machine."""
        from launchers.local.jobs import LocalJob, Wanted

        wanted = self.selection.alternative
        return LocalJob(
            id="",
            argv=(),
            cwd="",
            stdout=os.devnull,
            stderr=os.devnull,
            cores=wanted.cores or 1,
            memory=wanted.cpu_memory,
            wanted=tuple(Wanted(one.kind, one.memory, one.model) for one in wanted.accelerators),
            tokens=tuple((name, 1) for name, _ in self.group.tokens),
            time_limit=wanted.duration,
        )


def last_words(said: str) -> list[str]:
    """The last lines of what a scheduler said, which say why."""
    return [line.strip() for line in said.strip().splitlines() if line.strip()][-3:]


def capacity(group: Group) -> Capacity:
    """What jobs of a `local:` group may take together; devices described by hand are numbered in their order."""
    from launchers.local.jobs import Capacity

    shape = group.partitions[0].shapes[0]
    devices: list[tuple[str, str, str | None, int | None]] = []
    for device in shape.devices:
        handles = device.handles or tuple(str(len(devices) + index) for index in range(device.count or 1))
        devices += [(device.kind, handle, device.model, device.memory) for handle in handles]
    return Capacity(shape.cores, shape.memory, tuple(devices), group.tokens)


TO_THE_END: dict[str, Any] = {"signal_delay_s": 0}
"""No signal before the time limit: submitit's, 90 seconds before, ends what cannot go on from a checkpoint."""
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


def _executor(scheduler: str, folder: Path) -> Executor:
    """A submitit executor of a batch scheduler."""
    if scheduler == "slurm":
        from submitit import SlurmExecutor

        return SlurmExecutor(folder)
    try:
        from launchers.oar.executor import Executor as OarExecutor
    except ImportError as error:
        message = (
            f"functions go to OAR through submitit-oar, which is not installed: pip install 'launchers[oar]' ({error})"
        )
        raise LauncherNotFoundError(message, UNREACHABLE) from error
    return OarExecutor(folder)


# -- finding ---------------------------------------------------------------------------------------------------


def find_launcher(
    *requirements: str | Requirement,
    tags: Iterable[str] = (),
    config: str | Path | None = None,
    widest: bool = False,
    live: bool = False,
) -> Launcher:
    """The best launcher for the first of `requirements` that can be met anywhere.

    `tags` keeps the groups that carry any of them.  `config` is a launchers.yaml; without it the usual places are
    looked at (`launchers where`), and where there is none, this machine is the one launcher.  `live` lets what the
    cluster is doing now order what is equal otherwise.  Raises
    RequirementSyntaxError, ConfigError, and LauncherNotFoundError with the reasons when there is none.
    """
    groups, located = load_groups(config, live=live)
    answer = match(combined(requirements), groups, tags=tags, widest=widest)
    return chosen(answer, located)


def combined(requirements: Iterable[str | Requirement]) -> Requirement:
    """Several requirements as alternatives, in their order; ValueError when there are none."""
    parsed = [one if isinstance(one, Requirement) else parse(one) for one in requirements]
    if not parsed:
        raise ValueError("a requirement is needed, such as 'cuda(mem=24G)'")
    return reduce(or_, parsed)


def chosen(answer: Answer, located: Located | None = None) -> Launcher:
    """The launcher of an answer; raises LauncherNotFoundError with the short explanation when there is none."""
    if answer.selection is not None:
        return Launcher(answer, answer.selection)
    raise LauncherNotFoundError(*_failure(answer, located), answer)


def _failure(answer: Answer, located: Located | None) -> tuple[str, str]:
    where = f" ({located.used})" if located and located.used else ""
    if not answer.trials or not any(answer.trials):
        lost = [f"{group.name}: {why}" for group, why in answer.skipped if group.unreachable == why]
        if lost:
            return f"no launcher can be reached{where}:\n  " + "\n  ".join(lost), UNREACHABLE
        if answer.skipped:
            known = sorted({tag for group, _ in answer.skipped for tag in group.tags})
            there = f"the tags there are: {', '.join(known)}" if known else "no group has any tag"
            return f"no launcher group has any of the tags asked for{where}: {there}", NOTHING_MATCHES
        return f"no launcher is configured{where}: it has no usable group", NOTHING_CONFIGURED
    lines = [f"nothing matches {answer.requirement}{where}"]
    lines += [f"  {line}" for line in summary(answer)]
    return "\n".join(lines), NOTHING_MATCHES


def summary(answer: Answer, most: int = 6) -> list[str]:
    """Why nothing matched, in few lines: the offers that came nearest, and what would have matched."""
    from launchers.matching.explain import reason, relaxations

    rows: dict[str, list[str]] = {}
    refused = [(t.offer, t.rejections) for trials in answer.trials for t in trials if t.rejections]
    for offer, outcome in sorted(refused, key=lambda pair: (len(pair[1]), -min(STAGES.index(o.code) for o in pair[1]))):
        why = "; ".join(reason(one) for one in outcome)
        rows.setdefault(why, []).append(offer.partition.name or offer.group.name)
    lines = [f"{', '.join(dict.fromkeys(names))}: {why}" for why, names in list(rows.items())[:most]]
    if len(rows) > most:
        lines.append(f"... and {len(rows) - most} more reasons: launchers explain shows all")
    return lines + [one.text for one in relaxations(answer)]


# -- groups ----------------------------------------------------------------------------------------------------


def load_groups(
    config: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    refresh: bool = False,
    live: bool = False,
) -> tuple[tuple[Group, ...], Located]:
    """The groups of the launchers.yaml in force, clusters that must be asked asked; without one, this machine.

    Raises ConfigError for a file that cannot be used.
    """
    located = locate(config, os.environ if environ is None else environ, Path.cwd())
    if located.used is None:
        from launchers.local import machine

        return (machine.group(machine.probe()),), located
    from launchers.offer.build import build
    from launchers.offer.facts import laid_under
    from launchers.offer.loader import load

    document = load(located.used).document
    facts: dict[int, SlurmGroup | str] = {}
    notes: dict[str, tuple[str, ...]] = {}
    for index, spec in enumerate(document.slurm or ()):
        if spec.disabled:
            continue
        under = laid_under(located.used, spec)
        if under is not None:
            facts[index] = under
        elif spec.query_slurm:
            facts[index], notes[spec.id or f"slurm[{index}]"] = ask_cluster(refresh=refresh)
    oar: dict[int, OarGroup | str] = {}
    for index, cluster in enumerate(document.oar or ()):
        if cluster.disabled:
            continue
        below = laid_under(located.used, cluster)
        if below is not None:
            oar[index] = below
        elif cluster.query_oar:
            oar[index], notes[cluster.id or f"oar[{index}]"] = ask_oar(refresh=refresh)
    groups = tuple(evolve(one, notes=notes.get(one.name, ())) for one in build(document, facts, oar))
    probed = {spec.id or f"local[{index}]" for index, spec in enumerate(document.local or ()) if spec.probe}
    if probed:
        from launchers.local import machine

        groups = machine.filled(groups, probed)
    return with_signals(groups, live), located


def with_signals(groups: tuple[Group, ...], live: bool) -> tuple[Group, ...]:
    """The groups with what their cluster is doing now, where that is wanted and can be had: it only orders equals."""
    if not any(live or group.live for group in groups if group.scheduler == "slurm"):
        return groups
    from launchers.connector import LocalConnector
    from launchers.slurm.live import signals

    seen = signals(LocalConnector())

    def told(group: Group) -> Group:
        if group.scheduler != "slurm" or not (live or group.live):
            return group
        if isinstance(seen, str):
            return evolve(group, notes=(*group.notes, f"no live signal: {seen}"))
        partitions = tuple(evolve(one, signal=seen.get(one.name)) for one in group.partitions)
        return evolve(group, partitions=partitions)

    return tuple(told(group) for group in groups)


def narrowed(group: Group, partitions: Iterable[str], qos: str = "", account: str = "") -> Group:
    """The group with these partitions, and of their accesses those with this QoS and account ("": any)."""
    wanted = set(partitions)
    kept = []
    for one in group.partitions:
        if one.name in wanted:
            accesses = tuple(a for a in one.accesses if qos in ("", a.qos) and account in ("", a.account))
            kept.append(evolve(one, accesses=accesses) if accesses else one)
    return evolve(group, partitions=tuple(kept))


def ask_cluster(*, refresh: bool = False) -> tuple[SlurmGroup | str, tuple[str, ...]]:
    """What the live cluster says, or why it cannot be read; and notes on how old that is and what is missing."""
    import shutil

    if shutil.which("scontrol") is None:
        return "query_slurm: there is no scontrol on PATH, so its cluster cannot be read from here", ()
    from launchers.slurm.query import query

    answer = query(refresh=refresh)
    if isinstance(answer, str):
        return answer, ()
    age = f"read {answer.age:.0f} s ago (--refresh reads it again)" if answer.age else "read just now"
    return answer.group, (age, *(f"not asked: {failure}" for failure in answer.failed))


def ask_oar(*, refresh: bool = False) -> tuple[OarGroup | str, tuple[str, ...]]:
    """What the live OAR says, or why it cannot be read; and a note on how old that is."""
    import shutil

    if shutil.which("oarnodes") is None:
        return "query_oar: there is no oarnodes on PATH, so its cluster cannot be read from here", ()
    from launchers.oar.query import query

    answer = query(refresh=refresh)
    if isinstance(answer, str):
        return answer, ()
    return answer.group, (f"read {answer.age:.0f} s ago (--refresh reads it again)" if answer.age else "read just now",)
