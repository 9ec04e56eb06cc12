"""`launchers explain`: why a requirement matches what it matches, or nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from launchers.cli import options as shared
from launchers.cli import show
from launchers.cli.explanation import explanation_json
from launchers.cli.selection import selection_rows
from launchers.errors import UNREACHABLE, LauncherNotFoundError
from launchers.launcher.find import chosen, combined
from launchers.launcher.groups import load_groups
from launchers.matching import Answer, Reason, Selection, Trial, match
from launchers.matching.funnel import Funnel, funnels
from launchers.matching.relax import relaxations
from launchers.matching.words import relaxation_text, verdict_text

if TYPE_CHECKING:
    from launchers.slurm.pending import QueuedJob
    from launchers.slurm.refusals import Refusal


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    shared.add_requirement(command, nargs="*")
    shared.add_json(command)
    command.add_argument("--job", metavar="ID", help="explain a job that is in Slurm's queue instead")


def run(options: argparse.Namespace) -> int:
    """Print the explanation; the exit status is that of `find`."""
    if bool(options.job) == bool(options.expr):
        print(
            "launchers explain: give either a requirement or --job ID\nTry 'launchers explain --help'.", file=sys.stderr
        )
        return 2
    if options.job:
        return _explain_job(options)
    requirement = combined(options.expr)
    groups, located = load_groups(options.config, refresh=options.refresh, live=options.live)
    shared.warn_of_missing_signals(groups)
    answer = match(requirement, groups, tags=options.tag, widest=options.widest, thorough=True)
    shared.warn_of_skipped_groups(answer)
    if options.json:
        show.print_json(explanation_json(answer))
    else:
        _print_answer(answer)
    try:
        chosen(answer, located)
    except LauncherNotFoundError as error:
        unreachable = error.kind == UNREACHABLE
        message = str(error) if unreachable else str(error).splitlines()[0]  # the rest has just been explained
        print(f"launchers: {message}", file=sys.stderr)
        return 3 if unreachable else 1
    return 0


# -- a requirement ---------------------------------------------------------------------------------------------


def _print_answer(answer: Answer) -> None:
    by_alternative: dict[int, list[Funnel]] = {}
    for funnel in funnels(answer):
        by_alternative.setdefault(funnel.index, []).append(funnel)
    for index, trials in enumerate(answer.trials):
        print(f"need: {answer.requirement.alternatives[index]}")
        for funnel in by_alternative.get(index, []):
            stages = "".join(f" -> {stage.label}: {stage.left}" for stage in funnel.stages)
            print(f"  {funnel.group.name}: {funnel.offers} offer{'s' * (funnel.offers != 1)}{stages}")
            _print_verdicts(trial for trial in trials if trial.offer.group is funnel.group)
    if answer.selection is not None:
        _print_selection(answer.selection)
    else:
        _print_relaxations(answer)


def _print_verdicts(trials: Iterable[Trial]) -> None:
    rows: dict[str, list[str]] = {}
    for trial in trials:
        rows.setdefault(verdict_text(trial), []).append(trial.offer.name)
    for text, names in rows.items():
        print(f"    {', '.join(names)}: {text}")


def _print_selection(selection: Selection) -> None:
    print("chosen:")
    show.print_table([(f"  {name}", value) for name, value in selection_rows(selection)])
    for candidate, rank in selection.passed_over:
        offer = candidate.best.offer
        print(f"passed over: {offer.group.name}: {offer.name} (decided by {rank})")


def _print_relaxations(answer: Answer) -> None:
    for relaxation in relaxations(answer):
        print(f"nearest: {relaxation_text(relaxation)}")


# -- a job in the queue ----------------------------------------------------------------------------------------


def _explain_job(options: argparse.Namespace) -> int:
    """Say what a job waits for, whether it can ever start, and what would help."""
    from launchers.cli.explanation import job_json
    from launchers.commands import CommandError, LocalConnector
    from launchers.slurm.pending import NoSuchJobError, queued_job
    from launchers.slurm.refusals import refusal_of_reason

    try:
        job = queued_job(LocalConnector(), options.job)
    except (NoSuchJobError, CommandError) as error:
        print(f"launchers: {error}", file=sys.stderr)
        return 2 if isinstance(error, NoSuchJobError) else 3
    refusal = refusal_of_reason(job.reason)
    answer = _match_job(job, refresh=options.refresh)
    if options.json:
        show.print_json(job_json(job, refusal, answer))
    else:
        _print_job(job, refusal, answer)
    return 0


def _match_job(job: QueuedJob, *, refresh: bool) -> Answer | None:
    """The answer for a job's need where the job may run; None, with a warning, where the cluster cannot be read."""
    from launchers.config.build import slurm_group
    from launchers.launcher.groups import ask_cluster
    from launchers.requirement import Requirement
    from launchers.schedulers import SLURM
    from launchers.slurm.options import keep_partitions

    facts, _ = ask_cluster(refresh=refresh)
    if isinstance(facts, str):
        print(f"launchers: warning: {facts}", file=sys.stderr)
        return None
    group = keep_partitions(slurm_group(facts, facts.id or SLURM), job.partitions, job.qos, job.account)
    return match(Requirement((job.need,)), [group])


def _print_job(job: QueuedJob, refusal: Refusal, answer: Answer | None) -> None:
    from launchers.cli.explanation import can_start
    from launchers.jobs.state import in_words

    meaning = f": {job.reason}: it {in_words(job.reason)}" if job.reason != "None" else ""
    print(f"job {job.id} is {job.state}{meaning}")
    print(f"  asked: {job.need}")
    print(f"  in: {', '.join(job.partitions)}, QoS {job.qos or '-'}, account {job.account or '-'}")
    if job.state != "PENDING":
        return
    closed = refusal.code == Reason.CLOSED
    words = {True: "yes", False: "no", None: "not before its partition is up" if closed else "not known"}
    print(f"  can it ever start: {words[can_start(refusal, answer)]}")
    if closed and refusal.never:
        print("  with what may be used there:")
    if answer is not None:
        _print_verdicts(answer.trials[0])
        if answer.selection is None:
            _print_relaxations(answer)
