"""launchers.yaml files on disk, made of Python values."""

import json


def partition(*, cores=None, memory=None, gpu=None, **keys):
    """A partition of equal nodes; `gpu` has the keys of `gpu:`, and further keys are the partition's own."""
    cpu = {key: value for key, value in (("cores", cores), ("memory", memory)) if value is not None}
    configuration = {key: value for key, value in (("cpu", cpu), ("gpu", gpu)) if value}
    return {"configuration": configuration, **keys}


def slurm_entry(id, partitions, **keys):
    """An entry under `slurm:`."""
    return {"id": id, "partitions": partitions, **keys}


def oar_entry(id, *nodes, **keys):
    """An entry under `oar:`."""
    return {"id": id, "nodes": list(nodes), **keys}


def local_entry(id="box", *, cores=2, memory="2G", **keys):
    """An entry under `local:`, described by hand, so that tests are the same on every machine."""
    return {"id": id, "cpu": {"cores": cores, "memory": memory}, **keys}


def write_config(folder, *, name="launchers.yaml", **entries):
    """Write a launchers.yaml of entries by scheduler; its path.  JSON is YAML, too."""
    path = folder / name
    path.write_text(json.dumps(entries, indent=1))
    return path
