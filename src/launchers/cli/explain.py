"""`launchers explain`: why a requirement matches what it matches, or nothing."""

from __future__ import annotations

import argparse
import sys

from launchers.cli import options as shared
from launchers.cli import show
from launchers.cli.explanation import explanation_json
from launchers.cli.selection import selection_rows
from launchers.errors import UNREACHABLE, LauncherNotFoundError
from launchers.launcher.find import chosen, combined
from launchers.launcher.groups import load_groups
from launchers.matching import Answer, Fit, match
from launchers.matching.answer import Trial
from launchers.matching.funnel import funnels
from launchers.matching.relax import relaxations
from launchers.matching.words import reason


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    shared.requirement(command, nargs="*")
    shared.as_json(command)
    command.add_argument("--job", metavar="ID", help="explain a job that is in Slurm's queue instead")


def run(options: argparse.Namespace) -> int:
    """Print the explanation; the exit status is that of `find`."""
    if bool(options.job) == bool(options.expr):
        print(
            "launchers explain: give either a requirement or --job ID\nTry 'launchers explain --help'.", file=sys.stderr
        )
        return 2
    if options.job:
        return _job(options)
    requirement = combined(options.expr)
    groups, located = load_groups(options.config, refresh=options.refresh, live=options.live)
    shared.quiet_signals(groups)
    answer = match(requirement, groups, tags=options.tag, widest=options.widest, thorough=True)
    shared.warn(answer)
    if options.json:
        show.emit(explanation_json(answer))
    else:
        _print(answer)
    if answer.selection is not None:
        return 0
    try:
        chosen(answer, located)
    except LauncherNotFoundError as error:
        unreachable = error.kind == UNREACHABLE
        said = str(error) if unreachable else str(error).splitlines()[0]  # the rest has just been explained
        print(f"launchers: {said}", file=sys.stderr)
        return 3 if unreachable else 1
    return 0


def _job(options: argparse.Namespace) -> int:
    """Say what a job waits for, whether it can ever start, and what would help."""
    from attrs import evolve

    from launchers.cli.explanation import can_start, job_json
    from launchers.commands import CommandError, LocalConnector
    from launchers.config.build import slurm_group
    from launchers.jobs.state import in_words
    from launchers.launcher.groups import ask_cluster
    from launchers.requirement import Requirement
    from launchers.slurm.options import keep_partitions
    from launchers.slurm.pending import NoSuchJobError, queued_job
    from launchers.slurm.refusals import refusal_of_reason

    try:
        job = queued_job(LocalConnector(), options.job)
    except NoSuchJobError as error:
        print(f"launchers: {error}", file=sys.stderr)
        return 2
    except CommandError as error:
        print(f"launchers: {error}", file=sys.stderr)
        return 3
    refusal = refusal_of_reason(job.reason)
    facts, _ = ask_cluster(refresh=options.refresh)
    answer = None
    if isinstance(facts, str):
        print(f"launchers: warning: {facts}", file=sys.stderr)
    else:
        group = keep_partitions(slurm_group(facts, facts.id or "slurm"), job.partitions, job.qos, job.account)
        answer = match(Requirement((evolve(job.need),)), [group])
    if options.json:
        show.emit(job_json(job, refusal, answer))
        return 0
    print(
        f"job {job.id} is {job.state}" + (f": {job.reason}: it {in_words(job.reason)}" if job.reason != "None" else "")
    )
    print(f"  asked: {job.need}")
    print(f"  in: {', '.join(job.partitions)}, QoS {job.qos or '-'}, account {job.account or '-'}")
    if job.state == "PENDING":
        down = refusal.code == "closed" and not refusal.never
        words = {True: "yes", False: "no", None: "not before its partition is up" if down else "not known"}
        print(f"  can it ever start: {words[can_start(refusal, answer)]}")
        if refusal.code == "closed" and refusal.never:
            print("  with what may be used there:")
        _would_help(answer)
    return 0


def _would_help(answer: Answer | None) -> None:
    rows: dict[str, list[str]] = {}
    for trial in answer.trials[0] if answer and answer.trials else ():
        rows.setdefault(_verdict(trial), []).append(trial.offer.name)
    for why, names in rows.items():
        print(f"    {', '.join(names)}: {why}")
    for one in relaxations(answer) if answer and answer.selection is None else ():
        print(f"nearest: {one.text}")


def _print(answer: Answer) -> None:
    found = list(funnels(answer))
    for index, trials in enumerate(answer.trials):
        print(f"need: {answer.requirement.alternatives[index]}")
        for funnel in (one for one in found if one.index == index):
            steps = "".join(f" -> {step.label}: {step.left}" for step in funnel.steps)
            print(f"  {funnel.group.name}: {funnel.offers} offer{'s' * (funnel.offers != 1)}{steps}")
            rows: dict[str, list[str]] = {}
            for trial in trials:
                if trial.offer.group is funnel.group:
                    rows.setdefault(_verdict(trial), []).append(trial.offer.name)
            for why, names in rows.items():
                print(f"    {', '.join(names)}: {why}")
    if answer.selection is not None:
        print("chosen:")
        show.table([(f"  {name}", value) for name, value in selection_rows(answer.selection)])
        for candidate, why in answer.selection.passed_over:
            offer = candidate.best.offer
            print(f"passed over: {offer.group.name}: {offer.name} (decided by {why})")
    else:
        for one in relaxations(answer):
            print(f"nearest: {one.text}")


def _verdict(trial: Trial) -> str:
    if trial.together:
        return "fits, together with others: its nodes alone are too few"
    if isinstance(trial.outcome, Fit):
        return "fits" + (f", assuming {' and '.join(trial.outcome.assumed)}" if trial.outcome.assumed else "")
    return "; ".join(map(reason, trial.rejections))
