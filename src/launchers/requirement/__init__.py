"""What a job needs: the requirement language and its Python objects."""

from launchers.quantities.units import format_memory, format_timespan, parse_memory, parse_timespan
from launchers.requirement.errors import RequirementSyntaxError
from launchers.requirement.model import (
    KINDS,
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
    "KINDS",
    "Accelerator",
    "Alternative",
    "Requirement",
    "RequirementSyntaxError",
    "cpu",
    "cuda_gpu",
    "duration",
    "format_memory",
    "format_timespan",
    "gpu",
    "mps_gpu",
    "nodes",
    "parse",
    "parse_memory",
    "parse_timespan",
    "rocm_gpu",
]
