"""The options of sbatch: which of them a launchers.yaml may give, and why not the others.

The names are those of Slurm's own table, ``src/common/slurm_opt.c`` of 20.11 to 26.05, and of man sbatch (22.05 and
24.11). An option that is not in it comes from a plugin of the site (SPANK), and such an option may do anything.
"""

from __future__ import annotations

import re

from attrs import frozen

_ALLOWED = """
acctg-freq batch begin consolidate-segments contiguous core-spec cpu-freq deadline delay-boot distribution exclusive
extra gpu-bind gpu-freq gres-flags hint ignore-pbs licenses mail-type mail-user mcs-label mem-bind network nice no-kill
no-requeue oom-kill-step overcommit oversubscribe power priority profile propagate reboot requeue reservation resv-ports
segment spread-job spread-segments stepmgr switches thread-spec tmp tres-bind use-min-nodes wait-all-nodes wckey
"""
ALLOWED = frozenset(_ALLOWED.split())
"""Options that say where, when or how a job runs, but neither what runs nor what launchers gets to know of it."""


@frozen
class Refusal:
    """Why an option is refused (`reason` follows its name), and what to do instead.

    `by_hand` is whether it is refused in the code of the person who submits, too, and not in files only.
    """

    reason: str
    advice: str = ""
    by_hand: bool = True


_REFUSED: tuple[tuple[Refusal, str], ...] = (
    (
        Refusal("is what launchers finds itself, and this would override its choice",
                "ask for it in the requirement, or describe it under partitions:", by_hand=False),
        """
        account constraint cores-per-socket cpus-per-gpu cpus-per-task exclude extra-node-info gpus gpus-per-node
        gpus-per-socket gpus-per-task gres mem mem-per-cpu mem-per-gpu mem-update mincpus nodefile nodelist nodes ntasks
        ntasks-per-core ntasks-per-gpu ntasks-per-node ntasks-per-socket ntasks-per-tres partition prefer qos resources
        sockets-per-node tasks-per-node threads-per-core time time-min tres-per-task
        """,
    ),
    (
        Refusal("is set by launchers, which finds its jobs and what they write by it", "leave it out"),
        "array comment dependency error job-name output",
    ),
    (
        Refusal("is set by launchers, which needs its own value", "leave it out", by_hand=False),
        "chdir input kill-on-invalid-dep open-mode signal",
    ),
    (Refusal("says what runs, and only launchers says that", "leave it out"), "wrap"),
    (
        Refusal("changes what the commands of a job are", "leave it out", by_hand=False),
        "container container-id runtime",
    ),
    (
        Refusal("takes the job's environment from elsewhere and may run code",
                "set variables before you run launchers", by_hand=False),
        "export-file get-user-env",
    ),
    (
        Refusal("copies files or runs a site's programs before the job", "leave it out", by_hand=False),
        "bb bbf",
    ),
    (Refusal("makes sbatch wait until the job has ended", "leave it out"), "wait"),
    (Refusal("lets no job start until a person releases it", "leave it out", by_hand=False), "hold"),
    (
        Refusal("sends the job to another cluster, where launchers would not find it",
                "describe each cluster in an entry of its own", by_hand=False),
        "cluster cluster-constraint clusters",
    ),
    (Refusal("submits the job as somebody else", "leave it out"), "context gid uid"),
    (
        Refusal("prints something and submits nothing, or nothing that runs", "leave it out"),
        "autocomplete external help test-only usage version",
    ),
    (Refusal("changes what sbatch prints, which launchers reads", "leave it out"), "parsable quiet verbose"),
)  # fmt: skip
REFUSED = {name: refusal for refusal, names in _REFUSED for name in names.split()}
"""The options that no file may give."""
_EXPORT = Refusal(
    "sets variables in the job, which may run code", "write NONE, NIL, ALL or names of variables without values"
)
_VARIABLES = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:,[A-Za-z_][A-Za-z0-9_]*)*", re.ASCII)


def long_name(option: str) -> str:
    """The name of an option as sbatch writes it; SlurmArgs and YAML may have ``_`` for ``-``."""
    return option.replace("_", "-")


def refusal(option: str, value: object = "ALL") -> Refusal | None:
    """Why nobody may give an option of sbatch in a file; None where it may be given.

    sbatch also takes an option by its first letters (getopt_long). A file has to write the whole name: whatever is not
    in the table is refused. `value` is what the file gives; it matters for ``export`` only.
    """
    name = long_name(option)
    if name == "export":
        return None if isinstance(value, str) and _VARIABLES.fullmatch(value) else _EXPORT
    if name in ALLOWED:
        return None
    return REFUSED.get(name) or Refusal("is none that launchers knows: it may be a plugin's and run code", _hint(name))


def refusal_by_hand(option: str) -> Refusal | None:
    """The same for an option in the code of the person who submits, who may choose resources and name plugins.

    Here an option may be given by its first letters, as sbatch takes it.
    """
    name = long_name(option)
    meant = [name] if name in ALLOWED or name in REFUSED else [known for known in REFUSED if known.startswith(name)]
    return next((REFUSED[known] for known in meant if known in REFUSED and REFUSED[known].by_hand), None)


def _hint(name: str) -> str:
    import difflib

    known = sorted(ALLOWED)
    near = [option for option in known if name and option.startswith(name)] or difflib.get_close_matches(
        name, known, n=1
    )
    return f"did you mean {near[0]}?" if near else "leave it out, or set the variable by which the plugin takes it"
