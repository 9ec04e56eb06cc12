"""What Slurm prints of a small cluster, and the entry and the group that it is converted to."""

from launchers.config.build import build
from launchers.config.emit import to_yaml
from launchers.config.load import loads
from launchers.slurm.convert import convert
from launchers.slurm.read import read


def config(**settings):
    """The output of ``scontrol show config`` for a cluster that is called c and enforces everything."""
    own = {"ClusterName": "c", "SelectType": "select/cons_tres", "AccountingStorageEnforce": "associations,limits,qos"}
    return "".join(f"{key} = {value}\n" for key, value in {**own, **settings}.items() if value is not None)


def node(name="n1", **pairs):
    """A node of ``scontrol show nodes``: 8 CPUs, 16000 MiB, no GPUs, idle, in partition p."""
    own = {"CPUTot": 8, "RealMemory": 16000, "Gres": "(null)", "State": "IDLE", "Partitions": "p"}
    return _record("NodeName", name, {**own, **pairs})


def partition(name="p", nodes="n1", **pairs):
    """A partition of ``scontrol show partitions``, which is up."""
    return _record("PartitionName", name, {"Nodes": nodes, "State": "UP", **pairs})


def _record(kind, name, pairs):
    return f"{kind}={name} {' '.join(f'{key}={value}' for key, value in pairs.items())}\n\n"


def table(*rows):
    """The output of ``sacctmgr -P``: a table of rows, which are dictionaries, under all their keys."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = ["|".join(columns), *("|".join(str(row.get(key, "")) for key in columns) for row in rows)]
    return "\n".join(lines) + "\n"


def associations(*rows):
    """Associations of cluster c; an account of its own has no User."""
    return table(
        *({"Cluster": "c", "Account": "", "ParentName": "", "User": "", "QOS": "normal", **row} for row in rows)
    )


def qos(name="normal", **values):
    """A QoS as `sacctmgr show qos` prints it, for `table`."""
    return {"Name": name, "Priority": 0, "Flags": "", "MaxWall": "", **values}


CONFIG = config()
NODES = (
    node("n1", Gres="gpu:a100:2", ActiveFeatures="GPUM40G")
    + node("n2", State="DOWN", Partitions="p,q", Gres="gpu:a100:2", ActiveFeatures="GPUM40G")
    + node("n3", CPUTot=4, RealMemory=1, Partitions="q")
)
PARTITIONS = partition("p", "n[1-2]", MaxTime="1-0") + partition("q", "n[2-3]", AllowAccounts="a", MaxTime="UNLIMITED")
"""Two nodes with two A100 each, one of them down, and one with little known of it."""


def entry(*texts, **options):
    """The entry of launchers.yaml for what Slurm printed; `options` are those of `convert`."""
    return convert(read(*texts), **options).group


def text_of(*texts, **options):
    """The text of that launchers.yaml."""
    return to_yaml(convert(read(*texts), **options))


def group(*texts, **options):
    """The group that it is built into."""
    (built,) = build(loads(text_of(*texts, **options)).document)
    return built
