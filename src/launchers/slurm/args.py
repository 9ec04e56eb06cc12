"""SlurmArgs: the arguments of one Slurm job, typed, rendered as sbatch options or as submitit parameters."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any

from attrs import Attribute, field, frozen

from launchers.quantities.units import parse_memory
from launchers.sbatch_options import long_name, refusal_by_hand
from launchers.slurm.times import parse_time

Scalar = str | int | float | bool
_SUBMITIT_PARAMETERS = {
    *("partition", "account", "qos", "constraint", "exclude", "nodelist", "nodes", "ntasks_per_node"),
    *("cpus_per_task", "gpus_per_node", "gres", "time", "exclusive", "mail_type", "mail_user"),
}
"""The options that submitit knows by name. It takes all others as `additional_parameters`."""


class MailType(Enum):
    """The events about which Slurm sends mail (``--mail-type``)."""

    NONE = "NONE"
    BEGIN = "BEGIN"
    END = "END"
    FAIL = "FAIL"
    REQUEUE = "REQUEUE"
    ALL = "ALL"
    INVALID_DEPEND = "INVALID_DEPEND"
    STAGE_OUT = "STAGE_OUT"
    TIME_LIMIT = "TIME_LIMIT"
    TIME_LIMIT_90 = "TIME_LIMIT_90"
    TIME_LIMIT_80 = "TIME_LIMIT_80"
    TIME_LIMIT_50 = "TIME_LIMIT_50"
    ARRAY_TASKS = "ARRAY_TASKS"


def time_limit_minutes(time: str | int | timedelta | None) -> int | None:
    """A time limit in whole minutes, rounded up: Slurm's own unit. 0 means UNLIMITED, None that no limit is given.

    A number is minutes, as for ``--time``. Text may have any form that sbatch takes (docs/slurm-facts.md#time-limits).
    Raises ValueError for text that Slurm would refuse, and TypeError for another type.
    """
    if time is None:
        return None
    if isinstance(time, bool) or not isinstance(time, str | int | timedelta):
        raise TypeError(f"a time limit is a text, a whole number of minutes or a timedelta, not {time!r}")
    if isinstance(time, int):
        if time < 0:
            raise ValueError(f"a time limit cannot be negative: {time}")
        return time
    seconds = parse_time(time) if isinstance(time, str) else time.total_seconds()
    return 0 if seconds is None else max(1, int(-(-seconds // 60)))


def _memory(value: str | int | None) -> int | None:
    return None if value is None else parse_memory(value)


def _mail_types(value: Iterable[MailType | str] | MailType | str) -> tuple[MailType, ...]:
    listed = [value] if isinstance(value, MailType | str) else value
    return tuple(item if isinstance(item, MailType) else MailType(item.upper()) for item in listed)


def _params(value: Mapping[str, Scalar] | Iterable[tuple[str, Scalar]]) -> tuple[tuple[str, Scalar], ...]:
    return tuple(value.items() if isinstance(value, Mapping) else value)


def _check_printable(_: Any, attribute: Attribute[Any], value: Any) -> None:
    if isinstance(value, str) and not value.isprintable():
        name = attribute.name
        raise ValueError(f"{name} has a line break or control character, which sbatch would misread: {value!r}")


@frozen(kw_only=True)
class SlurmArgs:
    """What one job asks of sbatch.

    `time` is a time limit in any form that sbatch takes; a number is minutes. `mem` is memory per node, in bytes or as
    text such as "64G"; `mem_gb` is the same in GiB, as planit has it. `additional_params` are the options without a
    field here. Raises ValueError for a value that sbatch would misread.
    """

    time: int | None = field(default=None, converter=time_limit_minutes)
    partition: str | None = field(default=None, validator=_check_printable)
    gpus_per_node: int | str = field(default=0, validator=_check_printable)
    gres: str | None = field(default=None, validator=_check_printable)
    nodes: int = 1
    ntasks_per_node: int | None = None
    cpus_per_task: int | None = None
    cpus_per_gpu: int | None = None
    mem: int | None = field(default=None, converter=_memory)
    mem_gb: float | None = None
    constraint: str | None = field(default=None, validator=_check_printable)
    exclude: str | None = field(default=None, validator=_check_printable)
    nodelist: str | None = field(default=None, validator=_check_printable)
    qos: str | None = field(default=None, validator=_check_printable)
    account: str | None = field(default=None, validator=_check_printable)
    reservation: str | None = field(default=None, validator=_check_printable)
    cluster: str | None = field(default=None, validator=_check_printable)
    exclusive: bool = False
    mail_type: tuple[MailType, ...] = field(default=(), converter=_mail_types)
    mail_user: str | None = field(default=None, validator=_check_printable)
    additional_params: tuple[tuple[str, Scalar], ...] = field(default=(), converter=_params)

    def __attrs_post_init__(self) -> None:
        for key, value in self.additional_params:
            if not key.replace("-", "").replace("_", "").isalnum():
                raise ValueError(f"additional_params: {key!r} cannot be the name of an sbatch option")
            refused = refusal_by_hand(key)
            if refused is not None:
                raise ValueError(f"additional_params: --{long_name(key)} {refused.reason}")
            if isinstance(value, str) and not value.isprintable():
                raise ValueError(f"additional_params: {key} has a line break or control character: {value!r}")

    @property
    def mem_mib(self) -> int | None:
        """Memory per node in MiB, Slurm's unit, rounded up; None where none is given."""
        if self.mem is not None:
            return -(-self.mem // 1024**2)
        return None if self.mem_gb is None else int(-(-self.mem_gb * 1024 // 1))

    def options(self) -> dict[str, Scalar]:
        """The sbatch options by their long names, in a fixed order. True stands for an option without a value."""
        mem = self.mem_mib
        options: dict[str, Scalar | None] = {
            "clusters": self.cluster,
            "account": self.account,
            "qos": self.qos,
            "partition": self.partition,
            "reservation": self.reservation,
            "constraint": self.constraint,
            "nodelist": self.nodelist,
            "exclude": self.exclude,
            "nodes": self.nodes,
            "ntasks-per-node": self.ntasks_per_node,
            "cpus-per-task": self.cpus_per_task,
            "cpus-per-gpu": self.cpus_per_gpu,
            "gpus-per-node": self.gpus_per_node or None,
            "gres": self.gres,
            "mem": None if mem is None else f"{mem}M",
            "time": self.time,
            "exclusive": self.exclusive or None,
            "mail-type": ",".join(item.value for item in self.mail_type) or None,
            "mail-user": self.mail_user,
        }
        options.update({key.replace("_", "-"): value for key, value in self.additional_params})
        return {key: value for key, value in options.items() if value is not None and value is not False}

    def flags(self) -> list[str]:
        """The options as arguments of an sbatch command, for running it without a shell."""
        return [f"--{key}" if value is True else f"--{key}={value}" for key, value in self.options().items()]

    def directives(self) -> list[str]:
        """The options as ``#SBATCH`` lines."""
        return [
            f"#SBATCH --{key}" if value is True else f"#SBATCH --{key}={shlex.quote(str(value))}"
            for key, value in self.options().items()
        ]

    def submitit(self) -> dict[str, object]:
        """The parameters of a submitit SlurmExecutor that asks for the same job.

        Times are whole minutes, because submitit's preemption handler fails on text (docs/slurm-facts.md#submitit).
        """
        parameters: dict[str, object] = {"time": None}
        additional: dict[str, object] = {}
        for key, value in self.options().items():
            name = key.replace("-", "_")
            if name in _SUBMITIT_PARAMETERS:
                parameters[name] = value
            else:
                additional[key] = value
        if additional:
            parameters["additional_parameters"] = additional
        return parameters
