"""Where schedulers differ in how they read a request. Matching decides by these rules, never by a scheduler's name."""

from __future__ import annotations

from attrs import frozen


@frozen
class SchedulerRules:
    """How a scheduler reads a request.

    `grants_gpus_by_type`: it grants GPUs by their GRES type and looks at nothing else of them; without a type in the
    request, all GPUs of a node have one type. `limits_give_time`: a job without a time limit gets the one that other
    limits leave. `gpus_bring_cores`: next to GPUs no cores can be requested; each GPU brings its share of them.
    `filters_by_properties`: it compares no memory, and nodes are told apart by properties. `one_partition`: a job
    names one partition. `besteffort`: the type of jobs, and the name of their queue, that are killed for other jobs at
    any time ("": it has none).
    """

    grants_gpus_by_type: bool = False
    limits_give_time: bool = False
    gpus_bring_cores: bool = False
    filters_by_properties: bool = False
    one_partition: bool = False
    besteffort: str = ""


LOCAL_RULES = SchedulerRules()
SLURM_RULES = SchedulerRules(grants_gpus_by_type=True, limits_give_time=True)
"""docs/slurm-facts.md, "GPUs" and "Time limits"."""
OAR_RULES = SchedulerRules(
    gpus_bring_cores=True, filters_by_properties=True, one_partition=True, besteffort="besteffort"
)
"""docs/oar-facts.md, "Resources" and "Requests"."""
