"""Options of sbatch that a person gives, beside those that the broker finds or in place of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import evolve

from launchers.jobs.backend import UnmetOptionError
from launchers.offer.model import Group, Partition, Shape
from launchers.quantities.hosts import expand_hosts
from launchers.quantities.numbers import whole_number
from launchers.sbatch_options import long_name, refusal_by_hand
from launchers.slurm.args import SlurmArgs, time_limit_minutes
from launchers.slurm.features import constraint_matches
from launchers.slurm.gres import read_gres


def keep_partitions(group: Group, partitions: Iterable[str], qos: str = "", account: str = "") -> Group:
    """The group with these partitions only, and only with this QoS and account where they are not "".

    A partition without such an access keeps all its accesses.
    """
    wanted = set(partitions)
    kept = [_keep_accesses(partition, qos, account) for partition in group.partitions if partition.name in wanted]
    return evolve(group, partitions=tuple(kept))


def _keep_accesses(partition: Partition, qos: str, account: str) -> Partition:
    fitting = (access for access in partition.accesses if qos in ("", access.qos) and account in ("", access.account))
    accesses = tuple(fitting)
    return evolve(partition, accesses=accesses) if accesses else partition


def narrow(group: Group, options: Mapping[str, Any]) -> Group:
    """The group with the nodes that these options allow.

    Raises UnmetOptionError for an option that allows none, and for one that sbatch could not read.
    """
    names = [partition.name for partition in group.partitions]
    named = str(options["partition"]).split(",") if options.get("partition") else names
    if unknown := [name for name in named if name not in names]:
        raise UnmetOptionError(f"it has no partition {', '.join(unknown)}")
    group = keep_partitions(group, named, *(str(options.get(name) or "") for name in ("qos", "account")))
    for name, has in _tests(options).items():
        try:
            kept = [evolve(partition, shapes=tuple(filter(has, partition.shapes))) for partition in group.partitions]
        except ValueError as error:
            raise UnmetOptionError(str(error)) from None
        group = evolve(group, partitions=tuple(partition for partition in kept if partition.shapes))
        if not group.partitions:
            raise UnmetOptionError(f"it has no node with {name}={options[name]} there")
    return group


def _tests(options: Mapping[str, Any]) -> dict[str, Callable[[Shape], bool]]:
    """For each option that allows only some nodes, whether it allows a shape of nodes."""
    gres = str(options.get("gres") or "")
    hosts = set(expand_hosts(str(options.get("nodelist") or "")))
    constraint = str(options.get("constraint") or "")
    tests: dict[str, Callable[[Shape], bool]] = {
        "gres": lambda shape: _gpu_types(gres) <= {device.type for device in shape.devices},
        "nodelist": lambda shape: not hosts or not shape.hosts or bool(hosts & set(expand_hosts(shape.hosts))),
        "constraint": lambda shape: constraint_matches(constraint, shape.features),
    }
    return {name: test for name, test in tests.items() if options.get(name)}


def _gpu_types(gres: str) -> set[str]:
    """The types of GPUs that a GRES list names."""
    return {item.type for item in read_gres(gres) if item.name == "gpu" and item.type}


def with_options(args: SlurmArgs, options: Mapping[str, Any]) -> SlurmArgs:
    """The arguments that the broker found, with a person's options. Its partitions are among those that were given."""
    given = {name: value for name, value in options.items() if name != "partition"}
    if any(gres.name == "gpu" for gres in read_gres(str(given.get("gres") or ""))):
        given["gpus_per_node"] = 0  # `gres` asks for the GPUs
    if args.constraint and given.get("constraint"):
        given["constraint"] = f"({args.constraint})&({given['constraint']})"
    return evolve(args, **given)


def parameters_by_hand(options: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of submitit's SlurmExecutor, from those that a person writes for AutoExecutor or planit.

    Raises ValueError for an option that would keep launchers from finding the job.
    """
    parameters = {key.removeprefix("slurm_"): value for key, value in options.items()}
    limit = parameters.pop("timeout_min", parameters.pop("time", None))
    parameters["time"] = time_limit_minutes(limit)
    for written, name in (("name", "job_name"), ("tasks_per_node", "ntasks_per_node")):
        if written in parameters:
            parameters[name] = parameters.pop(written)
    if "mem_gb" in parameters:
        parameters["mem"] = f"{int(-(-float(parameters.pop('mem_gb')) * 1024 // 1))}M"
    additional = dict(parameters.get("additional_parameters") or {})
    if "cpus_per_gpu" in additional:
        additional["cpus-per-gpu"] = additional.pop("cpus_per_gpu")
    for name in additional:
        if refused := refusal_by_hand(name):
            raise ValueError(f"additional_parameters: --{long_name(name)} {refused.reason}")
    if additional:
        parameters["additional_parameters"] = additional
    return parameters


def count_gpus(parameters: Mapping[str, Any]) -> int:
    """The GPUs on all nodes; ``--gpus-per-node`` is a number, or a list of ``type:number``."""
    total = 0
    for part in str(parameters.get("gpus_per_node") or "").split(","):
        total += whole_number(part.rpartition(":")[2]) or 0
    return total * int(parameters.get("nodes") or 1)
