"""launchers.yaml files from Python data: JSON is YAML."""

import json

from launchers.config.build import build
from launchers.config.load import loads


def config(**document):
    """A loaded file with these `local`, `slurm`, `oar` and `gpus`."""
    return loads(json.dumps(document), "f.yaml")


def slurm_config(partitions=None, **entry):
    """A loaded file with one Slurm cluster."""
    return config(slurm=[{"partitions": partitions or {}, **entry}])


def slurm_group(partitions=None, facts=None, **entry):
    """One Slurm cluster, built; `facts` is an entry (as a mapping) that it is laid over."""
    below = slurm_config(**facts).document.slurm[0] if facts else None
    (group,) = build(slurm_config(partitions, **entry).document, {0: below} if below else None)
    return group


def slurm_shapes(*blocks, partition=None, **entry):
    """The shapes of a partition with these node blocks."""
    return slurm_group({"p": {**(partition or {}), "nodes": list(blocks)}}, **entry).partitions[0].shapes
