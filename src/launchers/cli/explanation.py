"""Explanations as JSON for programs (docs/json.md says what it holds)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from launchers.cli.selection import VERSION, need_json, offer_json, selection_json
from launchers.matching import Answer, Fit, Rejection
from launchers.matching.funnel import funnels
from launchers.matching.relax import relaxations
from launchers.matching.words import reason

if TYPE_CHECKING:
    from launchers.slurm.pending import QueuedJob
    from launchers.slurm.refusals import Refusal


def _rejection_json(rejection: Rejection) -> dict[str, Any]:
    return {
        "code": rejection.code,
        "what": rejection.what or None,
        "asked": rejection.asked,
        "offered": rejection.offered,
        "by": rejection.by or None,
        "text": reason(rejection),
    }


def explanation_json(answer: Answer) -> dict[str, Any]:
    """The answer to `explain`."""
    selection = answer.selection
    return {
        "version": VERSION,
        "requirement": str(answer.requirement),
        "matches": selection is not None,
        "selection": selection_json(answer, selection) if selection else None,
        "passed_over": [
            {"offer": offer_json(candidate.best.offer), "decided_by": why}
            for candidate, why in (selection.passed_over if selection else ())
        ],
        "alternatives": list(_alternatives(answer)),
        "relaxations": [
            {
                "text": one.text,
                "need": need_json(one.alternative),
                "changes": [{"what": c.what, "asked": c.asked, "to": c.to} for c in one.changes],
                "offers": [offer.name for offer in one.offers],
            }
            for one in relaxations(answer)
        ],
        "skipped": [{"group": group.name, "reason": why} for group, why in answer.skipped],
    }


def job_json(job: QueuedJob, refusal: Refusal, answer: Answer | None) -> dict[str, Any]:
    """The answer to `explain --job`."""
    from launchers.jobs.state import in_words

    tried = [trial for trials in (answer.trials if answer else ()) for trial in trials]
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
        "rejections": [_rejection_json(one) for trial in tried for one in trial.rejections],
        "relaxations": [one.text for one in relaxations(answer)] if answer and answer.selection is None else [],
    }


def can_start(refusal: Refusal, answer: Answer | None) -> bool | None:
    """Whether a waiting job can ever start: Slurm's word first, then the matcher's; None where neither says.

    A partition that is down may come up.
    """
    if refusal.never:
        return False
    if refusal.code == "closed":
        return None
    return None if answer is None else answer.selection is not None


def _alternatives(answer: Answer) -> Iterator[dict[str, Any]]:
    found = list(funnels(answer))
    for index, trials in enumerate(answer.trials):
        yield {
            "need": need_json(answer.requirement.alternatives[index]),
            "funnels": [
                {
                    "group": one.group.name,
                    "offers": one.offers,
                    "steps": [{"code": step.code, "asked": step.label, "left": step.left} for step in one.steps],
                }
                for one in found
                if one.index == index
            ],
            "offers": [
                {
                    "offer": trial.offer.name,
                    "group": trial.offer.group.name,
                    "fits": not trial.rejections,
                    "assumed": list(trial.outcome.assumed) if isinstance(trial.outcome, Fit) else [],
                    "rejections": [_rejection_json(one) for one in trial.rejections],
                }
                for trial in trials
            ],
        }
