"""What a job needs: the requirement language and its Python objects."""

from launchers.requirement.errors import RequirementSyntaxError
from launchers.requirement.model import (
    ACCELERATOR_KINDS,
    Accelerator,
    Alternative,
    Requirement,
    cpu,
    cuda_gpu,
    duration,
    gpu,
    mps_gpu,
    nodes,
    rocm_gpu,
)
from launchers.requirement.parser import parse

__all__ = [
    "ACCELERATOR_KINDS",
    "Accelerator",
    "Alternative",
    "Requirement",
    "RequirementSyntaxError",
    "cpu",
    "cuda_gpu",
    "duration",
    "gpu",
    "mps_gpu",
    "nodes",
    "parse",
    "rocm_gpu",
]
