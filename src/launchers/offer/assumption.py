"""What a fit relies on although nobody stated it."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen


class Unstated(StrEnum):
    """The fact that nobody stated."""

    GPU_KIND = "gpu-kind"
    GPU_MODEL = "gpu-model"
    GPU_USE = "gpu-use"
    """Whether a job that takes any GPU can use accelerators that are neither cuda, rocm nor mps, or of unknown kind."""
    GPU_MEMORY = "gpu-memory"
    GPU_COUNT = "gpu-count"
    CORES = "cores"
    MEMORY = "memory"
    NODES = "nodes"
    NODES_UP = "nodes-up"
    """All nodes were down or drained when the facts were read."""
    GPU_CHOICE = "gpu-choice"
    """Which GPUs of a node the scheduler will grant."""
    NODE_CHOICE = "node-choice"
    """Which nodes the scheduler will choose."""


@frozen
class Assumption:
    """A fact that is assumed to suit the job; `value` is the GPU kind or model that it is about."""

    fact: Unstated
    value: str = ""
