"""What matching found out, in words for people: every such text is made here."""

from __future__ import annotations

from collections.abc import Iterable

from launchers.matching.answer import Skipped, SkipReason, Trial
from launchers.matching.fit import Fit
from launchers.matching.rejection import NO_GPU, Reason, Rejection
from launchers.matching.relaxation import Change, Relaxation, Term
from launchers.offer.assumption import Assumption, Unstated
from launchers.offer.model import Limit, Offer, Per, SourceKind
from launchers.quantities.units import GIB, format_memory, format_timespan
from launchers.requirement import Alternative

DAY, HOUR = 86400, 3600
GPU_NAMES = {
    "cuda": "CUDA GPU", "rocm": "ROCm GPU", "mps": "MPS GPU", "gpu": "GPU",
    "xpu": "Intel GPU", "hpu": "Gaudi accelerator", "tpu": "TPU",
}  # fmt: skip
"""GPU kinds as their makers write them."""


def verdict_text(trial: Trial) -> str:
    """Whether an offer fits, what that assumes, or why it does not fit."""
    if trial.pooled:
        return "fits together with other nodes of the partition; alone these are too few"
    if not isinstance(trial.outcome, Fit):
        return rejections_text(trial.offer, trial.rejections)
    assumed = "; ".join(map(assumption_text, trial.outcome.assumed))
    return f"fits, assuming: {assumed}" if assumed else "fits"


def skipped_text(skipped: Skipped) -> str:
    """Why a group was not considered."""
    if skipped.reason is SkipReason.UNREACHABLE:
        return skipped.group.unreachable or "cannot be reached"
    return "has none of the requested tags"


# -- rejections ------------------------------------------------------------------------------------------------


def rejections_text(offer: Offer, rejections: Iterable[Rejection]) -> str:
    """Why an offer does not fit, on one line."""
    return ". Also ".join(rejection_text(offer, rejection) for rejection in rejections)


def rejection_text(offer: Offer, rejection: Rejection) -> str:
    """One reason why an offer does not fit, with both numbers."""
    if rejection.code is Reason.CLOSED:
        return f"takes no jobs: {rejection.offered}"
    if rejection.limit is not None:
        return _limit_text(rejection.limit, rejection.asked)
    in_bytes = rejection.code in (Reason.GPU_MEMORY, Reason.GPU_MIN_MEMORY, Reason.MEMORY)
    asked, offered = (_memory(n) if in_bytes else str(n) for n in (rejection.asked, rejection.offered))
    plural = "" if rejection.asked == 1 else "s"
    rule = f" ({rejection.rule})" if rejection.rule else ""
    texts = {
        Reason.GPU_KIND: f"needs {_article(asked)} {_gpu_name(asked)}; {_owner(offer)} {_gpu_kinds(offered)}",
        Reason.GPU_MODEL: f"needs GPU model {asked}; {_owner(offer)} {offered}",
        Reason.GPU_MEMORY: f"needs {asked} of GPU memory; the GPUs have {offered}",
        Reason.GPU_MIN_MEMORY: f"needs {asked} of GPU memory; {rejection.rule} keeps this GPU for jobs that need "
        f"{offered} or more",
        Reason.GPU_COUNT: f"needs {asked} GPU{plural} per node; {_owner(offer)} {offered}",
        Reason.GPU_ASSIGNMENT: f"needs {asked} GPU{plural}; the {offered} of a node cannot serve all of them at once",
        Reason.MEMORY: f"needs {asked} of memory per node{rule}; {_owner(offer)} {offered}",
        Reason.CORES: f"needs {asked} core{plural} per node; {_owner(offer)} {offered}",
        Reason.NODES: f"needs {asked} node{plural}; {_owner(offer)} {offered}",
    }
    return texts[rejection.code]


def _owner(offer: Offer) -> str:
    """Subject and verb for what the nodes of an offer have."""
    if not offer.partition.name:
        return "this machine has"
    return "this partition has" if len(offer.partition.shapes) == 1 else "these nodes have"


def _gpu_name(kind: str) -> str:
    return GPU_NAMES.get(kind, f"{kind} GPU")


def _article(kind: str) -> str:
    return "an" if kind == "mps" else "a"


def _gpu_kinds(kinds: str) -> str:
    return kinds if kinds == NO_GPU else " and ".join(map(_gpus, kinds.split(", ")))


def _gpus(kind: str) -> str:
    """GPUs of a kind; those of ``gpu:gen`` are of an unknown one."""
    _, unknown, name = kind.partition(":")
    return f"accelerators of unknown kind ({name})" if unknown else f"{_gpu_name(kind)}s"


def _limit_text(limit: Limit, asked: int | str | None) -> str:
    """``needs 3 days; partition gpu allows 2 days (MaxTime)``."""
    source = "the launcher group" if limit.source.kind is SourceKind.GROUP else str(limit.source)
    verb = "wants at least" if limit.is_minimum else "allows"
    return f"needs {_limited(limit, asked)}; {source} {verb} {_limited(limit, limit.value)} ({limit.rule})"


def _limited(limit: Limit, value: int | str | None) -> str:
    """An amount of what a limit bounds: ``2 days``, ``4 GPUs``, ``16G of memory per node``, ``120 CPU minutes``."""
    if not isinstance(value, int):
        return str(value)
    if limit.quantity == "duration":
        return _time(value)
    per_node = " per node" if limit.per is Per.NODE else ""
    if limit.quantity == "mem":
        return f"{_memory(value)} of memory{' times minutes' if limit.per is Per.MINUTE else per_node}"
    name = {"cpu": "CPU", "node": "node", "nodes": "node", "gres/gpu": "GPU"}.get(limit.quantity)
    name = name or f"{limit.quantity.removeprefix('gres/gpu:')} GPU"
    return _count(value, f"{name} minute" if limit.per is Per.MINUTE else name) + per_node


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'s' * (number != 1)}"


def _time(seconds: int) -> str:
    """Whole days and hours in words, else as a requirement writes it: ``2 days``, ``1 hour``, ``1d6h``."""
    if seconds >= DAY and seconds % DAY == 0:
        return _count(seconds // DAY, "day")
    if HOUR <= seconds < DAY and seconds % HOUR == 0:
        return _count(seconds // HOUR, "hour")
    return format_timespan(seconds)


def _memory(size: int | str | None) -> str:
    """Memory for people: exact where that is short, else to a tenth of a GiB."""
    if not isinstance(size, int):
        return str(size)
    exact = format_memory(size) if size else "0"
    return exact if len(exact) <= 6 else f"{size / GIB:.1f}G"


# -- assumptions -----------------------------------------------------------------------------------------------


def assumption_text(assumption: Assumption) -> str:
    """What is assumed, and which fact is not stated."""
    texts = {
        Unstated.GPU_KIND: f"the GPUs are {assumption.value} (their kind is not known)",
        Unstated.GPU_USE: f"the job can use {assumption.value} (not known to be a CUDA, ROCm or MPS GPU)",
        Unstated.GPU_MODEL: f"the GPU model is {assumption.value} (it is not known)",
        Unstated.GPU_MEMORY: "the GPUs have enough memory (its size is not known)",
        Unstated.GPU_COUNT: "each node has enough GPUs (their number is not known)",
        Unstated.CORES: "the nodes have enough cores (their number is not known)",
        Unstated.MEMORY: "the nodes have enough memory (its size is not known)",
        Unstated.NODES: "there are enough nodes (their number is not known)",
        Unstated.NODES_UP: "a node comes back (all were down or drained when last seen)",
        Unstated.GPU_CHOICE: "Slurm grants GPUs that fit (it may grant any of the requested type on a node)",
        Unstated.NODE_CHOICE: "Slurm chooses nodes that fit (no feature or host name sets them apart)",
    }
    return texts[assumption.fact]


# -- relaxations -----------------------------------------------------------------------------------------------


def relaxation_text(relaxation: Relaxation) -> str:
    """One line: ``would match gpu_p4 if duration were 20h or less``."""
    return f"would match {', '.join(relaxation.places)} if {' and '.join(map(change_text, relaxation.changes))}"


def change_text(change: Change) -> str:
    """One change, as it stands behind an if."""
    if change.term is Term.GPU_KIND:
        here = str(change.to).replace("gpu:", "")
        return f"any kind of GPU would do ({here} here)"
    if change.term is Term.GPU_MODEL:
        return f"any GPU model would do ({change.to} here)"
    counted = change.term in (Term.GPUS, Term.CORES, Term.NODES)
    bound = "more" if change.is_minimum else "fewer" if counted else "less"
    name = "GPUs per node" if change.term is Term.GPUS else change.term.value
    return f"{name} were {_changed(change)} or {bound}"


def _changed(change: Change) -> str:
    if not isinstance(change.to, int):
        return str(change.to)
    if change.term in (Term.MEMORY, Term.GPU_MEMORY):
        return format_memory(change.to)
    return format_timespan(change.to) if change.term is Term.DURATION else str(change.to)


# -- the funnel ------------------------------------------------------------------------------------------------


def stage_label(reason: Reason, alternative: Alternative) -> str:
    """What an alternative asks at a stage of the funnel, such as ``mem>=40G``; empty when it asks nothing there."""
    accelerators = alternative.accelerators
    memories = sorted({accelerator.memory for accelerator in accelerators if accelerator.memory})
    models = sorted({accelerator.model for accelerator in accelerators if accelerator.model})
    labels = {
        Reason.GPU_KIND: "/".join(sorted({accelerator.kind for accelerator in accelerators})),
        Reason.GPU_MODEL: "/".join(f"model={model}" for model in models),
        Reason.GPU_MEMORY: "/".join(f"mem>={format_memory(memory)}" for memory in memories),
        Reason.GPU_COUNT: f"count>={len(accelerators)}" if accelerators else "",
        Reason.MEMORY: f"cpu mem>={format_memory(alternative.cpu_memory)}" if alternative.cpu_memory else "",
        Reason.CORES: f"cores>={alternative.cores}" if alternative.cores else "",
        Reason.NODES: f"nodes>={alternative.nodes}" if alternative.nodes > 1 else "",
        Reason.DURATION: f"duration<={format_timespan(alternative.duration)}" if alternative.duration else "",
    }
    return labels.get(reason, "")
