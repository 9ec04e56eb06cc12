"""Clusters to match against, and what is found on them."""

from configs import slurm_group

from launchers.matching import match
from launchers.requirement import parse
from launchers.slurm.render import render

G = 1024**3


def nodes(hosts=None, *, cores=None, memory=None, gpus=None, features=None, **keys):
    """A block of equal nodes; `gpus` is a list of classes of GPUs, further keys are those of launchers.yaml."""
    cpu = {key: value for key, value in (("cores", cores), ("memory", memory)) if value is not None}
    cpu |= {key: keys.pop(key) for key in ("threads_per_core", "cpus_per_socket", "mem_per_cpu") if key in keys}
    block = {"hosts": hosts, "features": features, "accelerators": gpus, "cpu": cpu or None, **keys}
    return {key: value for key, value in block.items() if value is not None}


def gpus(count=1, memory=None, **keys):
    """A class of equal CUDA GPUs of a node; `memory` such as "24G"."""
    given = {"count": count, "memory": memory, "kind": "cuda", **keys}
    return {key: value for key, value in given.items() if value is not None}


def cluster(*blocks, partition=None, **entry):
    """The groups of a launchers.yaml with one Slurm cluster, whose partition p has these nodes and further keys."""
    return partitions({"p": {**(partition or {}), **({"nodes": list(blocks)} if blocks else {})}}, **entry)


def partitions(by_name, **entry):
    """The groups of a launchers.yaml with one Slurm cluster that has these partitions."""
    return (slurm_group(by_name, **entry),)


def select(groups, need, **options):
    """The selection for a need; None where nothing matches."""
    return match(parse(need), groups, **options).selection


def sbatch(groups, need, **options):
    """What sbatch is asked for a need."""
    return render(select(groups, need, **options))


def rejections(groups, need):
    """The rejections of all offers for a need that nothing matches."""
    answer = match(parse(need), groups)
    assert answer.selection is None
    return [rejection for trials in answer.trials for trial in trials for rejection in trial.rejections]
