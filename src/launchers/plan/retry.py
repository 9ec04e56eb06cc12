"""Run again what failed and what waited for it, with more resources if asked: a further attempt in the same folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from launchers.errors import RunError
from launchers.jobs.submission import NEEDS_SUCCESS, Member, Parent, Submission
from launchers.launcher.groups import load_groups
from launchers.plan.place import StepPlacement, place_need
from launchers.plan.tree import Pinned
from launchers.quantities.units import MIB, parse_memory
from launchers.requirement import parse
from launchers.runs.escalate import asked, asked_by_hand, escalated, factors, pointless, times
from launchers.runs.gate import WHOLE, withhold
from launchers.runs.journal import Never
from launchers.runs.record import StepRecord
from launchers.runs.run import PlanRun
from launchers.runs.send import submit_pending, write_tickets
from launchers.runs.status import UNSUBMITTED, MemberState, StepState
from launchers.runs.stored import StoredRun, write_run

States = Mapping[Member, MemberState]
SUPERSEDED = "a later attempt takes its place"


def retry(
    run: PlanRun,
    *,
    escalate: str = "",
    only: Iterable[str] = (),
    config: str | Path | None = None,
    on_refusal: str = "cancel",
) -> list[str]:
    """Submit again every job that ended without success, each waiting for what it waited for; the names of the steps.

    `only` keeps to these steps and what waits for them.  `escalate` multiplies what they asked last and has the broker
    place them anew in the same group.  Raises RunError when nothing there offers that, when the escalation cannot be
    read, and when none of the steps asks for what it multiplies.
    """
    try:
        by = factors(escalate)
    except ValueError as error:
        raise RunError(f"--escalate {error}") from None
    if by:
        _refuse_scripts_without_need(run.record)
    with run.record.folder.lock():
        record = run.reload()
        states = {(member.step, member.item): member for step in run.status() for member in step.members}
        failed = _failed_members(run, states, only)
        if not failed:
            return []
        superseded = _superseded_submissions(record, failed, states)
        failed |= {member for submission in superseded for member in submission.members}
        fresh = _retry_submissions(record, failed, states)
        if by:
            _refuse_pointless(record, fresh, by, escalate)
            fresh = [_escalate(record, submission, by, config) for submission in fresh]
        run.cancel_stuck()
        record.add_submissions(tuple(fresh))
        write_tickets(record, fresh)
        write_run(record)
        for submission in superseded:
            withhold(record.folder.job_folder(submission.name), WHOLE, SUPERSEDED)
            record.folder.journal.append(Never(submission.name, SUPERSEDED))
        submit_pending(record, on_refusal=on_refusal)
    return list(dict.fromkeys(step for step, _ in sorted(failed, key=lambda member: (member[0], member[1] or 0))))


def retry_due_steps(run: PlanRun, *, config: str | Path | None = None) -> list[tuple[str, str]]:
    """Submit again the steps whose RetryPolicy says so; their names and the escalation of each."""
    if not any(step.retry for step in run.record.steps):
        return []  # and the scheduler need not be asked
    return [
        (name, escalate)
        for name, escalate in due_steps(run, run.status())
        if retry(run, escalate=escalate, only=[name], config=config)
    ]


def due_steps(run: PlanRun, steps: Iterable[StepState]) -> list[tuple[str, str]]:
    """The names of the steps whose RetryPolicy has them submitted again, and the escalation of each."""
    tries: Counter[Member] = Counter(member for submission in run.record.submissions for member in submission.members)
    policies = {step.name: step.retry or (0, "") for step in run.record.steps}
    return [
        (step.name, policies[step.name][1]) for step in steps if _failed_within(step, tries, policies[step.name][0])
    ]


def _failed_within(step: StepState, tries: Mapping[Member, int], most: int) -> bool:
    """Whether a step has ended with jobs that failed, each of which was tried at most so often."""
    bad = [member for member in step.members if member.failed and member.info.state != "CANCELLED"]
    return step.ended and bool(bad) and max(tries[member.step, member.item] for member in bad) <= most


def _refuse_scripts_without_need(run: StoredRun) -> None:
    """Raise RunError where only a script of the user's says what a step asks for."""
    for submission in run.submissions:
        step = run.step(submission.members[0][0]) if not submission.barrier else None
        if submission.script and step and step.need is None:
            script = run.folder.path / submission.script
            raise RunError(
                f"step {step.name}: its resources are written in {script}; change them there, then run retry again"
            )


# -- which jobs ------------------------------------------------------------------------------------------------


def _failed_members(run: PlanRun, states: States, only: Iterable[str]) -> set[Member]:
    """The jobs that ended without success, or wait for ever, and can start if all of them are run again."""
    wanted = run.with_descendants(only)
    failed = {
        member
        for member, state in states.items()
        if (not wanted or member[0] in wanted) and not state.succeeded and (state.ended or state.stuck)
    }
    return _startable(run.record, failed, states)


def _superseded_submissions(run: StoredRun, failed: set[Member], states: States) -> list[Submission]:
    """The submissions that have not been made and wait for what is run again: they wait for its new attempt then."""
    again, superseded = set(failed), []
    for submission in run.submissions:  # parents come first
        members = [] if submission.barrier else submission.members
        is_latest = all(states[member].submission == submission.name for member in members if member in states)
        if not members or not is_latest or any(states[member].info.state != UNSUBMITTED for member in members):
            continue
        if any(awaited in again for member in members for _, awaited in _awaited_jobs(run, member, submission.parents)):
            superseded.append(submission)
            again.update(members)
    return superseded


def _startable(run: StoredRun, failed: set[Member], states: States) -> set[Member]:
    """Those of the failed jobs that can start if all of them are run again.

    What waits for the success of a job that has none, and is not run again itself, would wait for ever; so would what
    waits for the failure of a step that succeeded.
    """
    startable = set(failed)
    latest = run.latest()
    by_step: dict[str, list[Member]] = {}
    for member in failed:
        by_step.setdefault(member[0], []).append(member)
    for step in run.steps:  # parents come first
        for member in by_step.get(step.name, []):
            if _never_starts(run, member, latest[member][0].parents, startable, states):
                startable.discard(member)
    return startable


def _never_starts(
    run: StoredRun, member: Member, parents: Iterable[Parent], startable: set[Member], states: States
) -> bool:
    succeeded: dict[str, bool] = {}  # by step, those that have to fail: whether all of it has succeeded
    for kind, awaited in _awaited_jobs(run, member, parents):
        if kind in NEEDS_SUCCESS and awaited not in startable and states[awaited].gone:
            return True
        if kind == "afternotok":
            succeeded[awaited[0]] = succeeded.get(awaited[0], True) and states[awaited].succeeded
    return any(succeeded.values())


def _awaited_jobs(run: StoredRun, member: Member, parents: Iterable[Parent]) -> Iterator[tuple[str, Member]]:
    """The jobs that one waits for, also through barriers, each with the type of the dependency."""
    todo = list(parents)
    while todo:
        parent = todo.pop()
        submission = run.submissions_by_name[parent.submission]
        if submission.barrier:
            todo += submission.parents
        else:
            yield from ((parent.kind, awaited) for awaited in _awaited(submission, parent, [member]))


def _awaited(submission: Submission, parent: Parent, waiting: Sequence[Member]) -> list[Member]:
    """The jobs of a submission that some of those behind it wait for."""
    if parent.index is not None:
        return [submission.members[parent.index]]
    if parent.kind != "aftercorr":
        return list(submission.members)
    items = set(_items(waiting))
    return [member for member in submission.members if member[1] in items]


def _items(members: Iterable[Member]) -> list[int | None]:
    return [item for _, item in members]


# -- their submissions -----------------------------------------------------------------------------------------


@frozen
class _RetryContext:
    """What is run again: the `states` of all jobs, where they were `last`, the `fresh` submissions by the old names."""

    failed: set[Member]
    states: States
    last: Mapping[Member, Submission]
    fresh: Mapping[str, Submission]
    submissions: Mapping[str, Submission]

    def place(self, member: Member) -> Submission:
        """The submission that a job is or will be in."""
        submission = self.last[member]
        return self.fresh[submission.name] if member in self.failed else submission


def _retry_submissions(run: StoredRun, failed: set[Member], states: States) -> list[Submission]:
    """A submission of the failed members of each submission, parents first, waiting for what is run again too."""
    last = {member: submission for member, (submission, _) in run.latest().items()}
    fresh = _fresh_submissions(run, failed, last)
    by_name = {submission.name: submission for submission in (*run.submissions, *fresh.values())}
    context = _RetryContext(failed, states, last, fresh, by_name)
    return [
        evolve(
            submission,
            parents=tuple(
                left for parent in submission.parents for left in _still_waits(context, parent, submission.members)
            ),
        )
        for submission in fresh.values()
    ]


def _fresh_submissions(run: StoredRun, failed: set[Member], last: Mapping[Member, Submission]) -> dict[str, Submission]:
    """The new submissions by the names of the old ones, with their old parents."""
    attempt = max(submission.attempt for submission in run.submissions) + 1
    order = {step.name: number for number, step in enumerate(run.steps)}
    old = [submission for submission in run.submissions if _failed_of(submission, failed, last)]
    old.sort(key=lambda submission: min(order[step] for step in submission.steps))
    fresh: dict[str, Submission] = {}
    taken: set[str] = set()
    for submission in old:
        name = f"{submission.name.partition('~')[0]}~{attempt}"
        if name in taken:  # of one array, but tried again apart
            name += f".{len(fresh)}"
        taken.add(name)
        token = f"launchers-{run.id}-{len(run.submissions) + len(fresh)}"
        members = _failed_of(submission, failed, last)
        fresh[submission.name] = evolve(submission, name=name, token=token, members=members, attempt=attempt)
    return fresh


def _failed_of(submission: Submission, failed: set[Member], last: Mapping[Member, Submission]) -> tuple[Member, ...]:
    """The members of a submission that are run again, and were in it last."""
    return tuple(member for member in submission.members if member in failed and last.get(member) is submission)


def _still_waits(context: _RetryContext, old: Parent, waiting: Sequence[Member]) -> Iterator[Parent]:
    """What is left to wait for of an old parent: its new attempt if it is run again, itself while it has not ended."""
    step = waiting[0][0]
    parents = [old]
    while parents:
        parent = parents.pop()
        submission = context.submissions[parent.submission]
        if submission.barrier:
            parents += reversed(submission.parents)  # what it stood for
        elif parent.submission not in context.fresh and step in submission.steps:
            # the array of this Map before that one
            parents += [
                earlier
                for earlier in reversed(submission.parents)
                if step in context.submissions[earlier.submission].steps
            ]
        else:
            yield from _left_of(context, parent, waiting)


def _left_of(context: _RetryContext, old: Parent, waiting: Sequence[Member]) -> Iterator[Parent]:
    """The parents that stand for those jobs of an old one that still have to be waited for."""
    left: dict[str, list[Member]] = {}
    for member in _awaited(context.submissions[old.submission], old, waiting):
        if member in context.failed or not _is_settled(context.states[member], old.kind):
            left.setdefault(context.place(member).name, []).append(member)
    for name, awaited in left.items():
        members = context.submissions[name].members
        pairs = old.kind == "aftercorr" and len(members) > 1 and _items(members) == _items(waiting)
        kind = "afterok" if old.kind == "aftercorr" and not pairs else old.kind
        if set(awaited) == set(members):
            yield Parent(name, kind)
        else:
            yield from (Parent(name, kind, members.index(member)) for member in awaited)


def _is_settled(state: MemberState, kind: str) -> bool:
    """Whether a job needs not be waited for any more."""
    return state.ended or (kind == "after" and state.info.state not in ("PENDING", UNSUBMITTED))


# -- what they ask for -----------------------------------------------------------------------------------------


def _refuse_pointless(
    run: StoredRun, submissions: Sequence[Submission], by: Mapping[str, float], escalate: str
) -> None:
    """Raise RunError where none of the steps asks for what the escalation multiplies."""
    why = pointless(by, {name for submission in submissions for name in _asked_amounts(run, submission)})
    if why:
        steps = dict.fromkeys(step for submission in submissions for step in submission.steps)
        raise RunError(f"--escalate {escalate!r}: {', '.join(steps)}: {why}")


def _asked_amounts(run: StoredRun, submission: Submission) -> set[str]:
    """The names of the amounts that a submission asks for."""
    need = submission.need or run.step(submission.members[0][0]).need
    return asked(parse(need)) if need is not None else asked_by_hand(submission.parameters)


def _escalate(run: StoredRun, submission: Submission, by: Mapping[str, float], config: str | Path | None) -> Submission:
    """The submission with larger amounts: placed anew, or multiplied where they were given by hand."""
    step = run.step(submission.members[0][0])
    if step.need is None:
        return _escalate_by_hand(submission, by)
    need, placement = _place_anew(run, submission, step, by, config)
    before, parameters = submission.parameters, placement.parameters
    if "signal_delay_s" in before or "checkpoint" in (before.get("additional_parameters") or {}):
        parameters = run.backend.checkpoint_parameters(parameters)
    parameters = {**parameters, **({} if step.srun else {"use_srun": False})}
    return evolve(submission, need=need, seconds=placement.seconds, parameters=parameters)


def _place_anew(
    run: StoredRun, submission: Submission, step: StepRecord, by: Mapping[str, float], config: str | Path | None
) -> tuple[str, StepPlacement]:
    """The larger need of a submission and its place in the run's group.  Raises RunError."""
    need = escalated(parse(submission.need or step.need or ""), by)
    groups, _ = load_groups(config)
    group = next((group for group in groups if group.name == run.group), None)
    if group is None:
        raise RunError(f"step {step.name}: the launcher group {run.group} of this run is not configured any more")
    placement, _ = place_need(Pinned(need, step.options) if step.options else need, group)
    if isinstance(placement, StepPlacement):
        return str(need), placement
    raise RunError(f"step {step.name}: nothing in {run.group} offers {need}: {placement}")


def _escalate_by_hand(submission: Submission, by: Mapping[str, float]) -> Submission:
    """The submission with the amounts multiplied that its Slurm parameters give."""
    larger: dict[str, Any] = dict(submission.parameters)
    additional = dict(larger.get("additional_parameters") or {})
    seconds = submission.seconds
    if larger.get("time") and "duration" in by:
        larger["time"] = times(larger["time"], by["duration"])
        seconds = larger["time"] * 60
    if larger.get("cpus_per_task") and "cores" in by:
        larger["cpus_per_task"] = times(int(larger["cpus_per_task"]), by["cores"])
    for options in (larger, additional):
        if options.get("mem") and "mem" in by:
            options["mem"] = f"{times(_megabytes(options['mem'], submission.steps[0]), by['mem'])}M"
    if additional:
        larger["additional_parameters"] = additional
    return evolve(submission, parameters=larger, seconds=seconds)


def _megabytes(memory: object, step: str) -> int:
    """An amount of memory as sbatch takes it, where a number is megabytes (man sbatch, --mem).  Raises RunError."""
    text = str(memory)
    try:
        return int(text) if text.isdigit() else -(-parse_memory(text) // MIB)
    except ValueError as error:
        raise RunError(f"step {step}: mem={text} cannot be multiplied: {error}") from None
