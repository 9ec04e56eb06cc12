"""The two kinds of definition file: scan.yaml, and wf.esis.json or wf.esis2.json as `esis setup` writes it (0.0.4)."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from launchers.files.kinds import Count, Line, Name, Scalar, documented

ESIS_KEYS = {
    "setup": "setupscript", "template": "sbatchtemplate", "worker": "workerscript", "generator": "param_generator",
    "includes": "param_includes", "at_once": "maxparallel", "workdir": "workdirpath",
}  # fmt: skip
"""Keys of a scan.yaml, and what ESIS calls them."""
ESIS_SCRIPTS = ("setup", "template", "worker", "generator")
"""The scripts of a scan, in the order in which ESIS's code lists and hashes them."""


@frozen
class ParametersSpec:
    """A space of parameters.  Where several keys are given, their combinations are the space."""

    product: dict[Line, tuple[Any, ...]] | None = documented("every combination of these lists")
    zip: dict[Line, tuple[Any, ...]] | None = documented("these lists side by side; all must have the same length")
    list: tuple[dict[Line, Any], ...] | None = documented("the parameters of each task, written out")


@frozen
class ScanDocument:
    """A scan.yaml.  Paths are relative to the file."""

    name: Line | None = documented("what runs and jobs are called; default: the folder's name")
    setup: Line | None = documented("a program that runs once in the new run folder, before anything is submitted")
    worker: Line | None = documented("the script that runs once for each parameter file, as a job")
    generator: Line | None = documented(
        "a program that runs in parameters/, writes parameters.<n>.json, and prints how many there are"
    )
    parameters: ParametersSpec | None = documented("the parameter files, without a generator")
    template: Line | None = documented(
        "an sbatch file that contains WORKERSCRIPT, TASKARRAYDEFINITION and ESIS_PRIVATE"
    )
    needs: Line | None = documented("a requirement; the sbatch file is made from it")
    includes: tuple[Line, ...] | None = documented("files and folders that are copied into includes/")
    at_once: Count | None = documented("how many tasks may run at once; default 10")
    workdir: Line | None = documented("where the run folders are; default: beside this file")
    requires: dict[Name, Line] | None = documented(
        "scans that must have run successfully, by the name that the generator uses"
    )
    frozen: dict[Name, Name] | None = documented(
        "for a required scan, the hash of the run to use, whatever its files are now"
    )


@frozen
class EsisDocument:
    """A wf.esis.json."""

    setupscript: Line | None = documented("setup")
    sbatchtemplate: Line | None = documented("template")
    workerscript: Line | None = documented("worker")
    param_generator: Line | None = documented("generator")
    param_includes: tuple[Line, ...] | None = documented("includes")
    maxparallel: Scalar | None = documented("at_once; text, as ESIS writes it")
    workdirpath: Line | None = documented("workdir")
    requires: tuple[Line, ...] | None = documented("the definition files of required scans")
    requires_names: dict[Line, Line] | None = documented("their names, by definition file")
    freeze_requirements: dict[Line, Name] | None = documented("frozen runs, by definition file")
    freezes: dict[Line, Name] | None = documented("as freeze_requirements; later versions of ESIS use this key")
    status: dict[Line, Any] | None = documented("ignored")
