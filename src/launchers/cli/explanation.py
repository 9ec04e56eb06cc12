"""Explanations as JSON for programs (docs/json.md says what it holds)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from launchers.cli.selection import VERSION, need_json, offer_json, selection_json
from launchers.matching import Answer, Fit, Reason, Trial
from launchers.matching.funnel import Funnel, funnels
from launchers.matching.relax import relaxations
from launchers.matching.relaxation import Relaxation
from launchers.matching.words import assumption_text, rejection_text, relaxation_text, skipped_text

if TYPE_CHECKING:
    from launchers.slurm.pending import QueuedJob
    from launchers.slurm.refusals import Refusal


def explanation_json(answer: Answer) -> dict[str, Any]:
    """The answer to `explain`."""
    selection = answer.selection
    return {
        "version": VERSION,
        "requirement": str(answer.requirement),
        "matches": selection is not None,
        "selection": selection_json(answer, selection) if selection else None,
        "passed_over": [
            {"offer": offer_json(candidate.best.offer), "decided_by": rank}
            for candidate, rank in (selection.passed_over if selection else ())
        ],
        "alternatives": list(_alternatives(answer)),
        "relaxations": [_relaxation_json(relaxation) for relaxation in relaxations(answer)],
        "skipped": [{"group": skipped.group.name, "reason": skipped_text(skipped)} for skipped in answer.skipped],
    }


def job_json(job: QueuedJob, refusal: Refusal, answer: Answer | None) -> dict[str, Any]:
    """The answer to `explain --job`."""
    from launchers.jobs.state import in_words

    trials = answer.trials[0] if answer else ()
    nearest = relaxations(answer) if answer and answer.selection is None else []
    return {
        "version": VERSION,
        "job": job.id,
        "state": job.state,
        "reason": job.reason,
        "text": in_words(job.reason),
        "code": refusal.code or None,
        "can_start": can_start(refusal, answer),
        "partitions": list(job.partitions),
        "qos": job.qos or None,
        "account": job.account or None,
        "need": need_json(job.need),
        "rejections": [rejection for trial in trials for rejection in _rejections_json(trial)],
        "relaxations": [relaxation_text(relaxation) for relaxation in nearest],
    }


def can_start(refusal: Refusal, answer: Answer | None) -> bool | None:
    """Whether a waiting job can ever start: Slurm's word first, then the matcher's; None where neither says.

    A partition that is down may come up.
    """
    if refusal.never:
        return False
    if refusal.code == Reason.CLOSED:
        return None
    return None if answer is None else answer.selection is not None


def _alternatives(answer: Answer) -> Iterator[dict[str, Any]]:
    all_funnels = list(funnels(answer))
    for index, trials in enumerate(answer.trials):
        yield {
            "need": need_json(answer.requirement.alternatives[index]),
            "funnels": [_funnel_json(funnel) for funnel in all_funnels if funnel.index == index],
            "offers": [_trial_json(trial) for trial in trials],
        }


def _funnel_json(funnel: Funnel) -> dict[str, Any]:
    return {
        "group": funnel.group.name,
        "offers": funnel.offers,
        "steps": [{"code": stage.code, "asked": stage.label, "left": stage.left} for stage in funnel.stages],
    }


def _trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "offer": trial.offer.name,
        "group": trial.offer.group.name,
        "fits": not trial.rejections,
        "assumed": list(map(assumption_text, trial.outcome.assumed)) if isinstance(trial.outcome, Fit) else [],
        "rejections": _rejections_json(trial),
    }


def _rejections_json(trial: Trial) -> list[dict[str, Any]]:
    return [
        {
            "code": rejection.code,
            "what": rejection.subject or None,
            "asked": rejection.asked,
            "offered": rejection.offered,
            "by": rejection.origin or None,
            "text": rejection_text(trial.offer, rejection),
        }
        for rejection in trial.rejections
    ]


def _relaxation_json(relaxation: Relaxation) -> dict[str, Any]:
    return {
        "text": relaxation_text(relaxation),
        "need": need_json(relaxation.alternative),
        "changes": [{"what": change.term, "asked": change.asked, "to": change.to} for change in relaxation.changes],
        "offers": [offer.name for offer in relaxation.offers],
    }
