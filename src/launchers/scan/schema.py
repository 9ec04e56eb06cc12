"""The two kinds of definition file: ours, and what `esis setup` writes (ESIS 0.0.4, wf.esis.json and wf.esis2.json)."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from launchers.files.kinds import Count, Line, Name, Scalar, documented


@frozen
class ParametersSpec:
    """A space of parameters; where several are given, every combination of theirs."""

    product: dict[Line, tuple[Any, ...]] | None = documented("every combination of these lists")
    zip: dict[Line, tuple[Any, ...]] | None = documented("these lists side by side; all have the same length")
    list: tuple[dict[Line, Any], ...] | None = documented("the parameters of each task, written out")


@frozen
class ScanDocument:
    """A scan.yaml.  Paths are relative to the file."""

    name: Line | None = documented("what runs and jobs are called; default: the folder's name")
    setup: Line | None = documented("run once in the new run folder, before anything is submitted")
    worker: Line | None = documented("run once for each parameter file, as a job")
    generator: Line | None = documented("run in parameters/; writes parameters.<n>.json and prints how many")
    parameters: ParametersSpec | None = documented("the parameter files, without a generator")
    template: Line | None = documented("an sbatch file with WORKERSCRIPT, TASKARRAYDEFINITION and ESIS_PRIVATE in it")
    needs: Line | None = documented("a requirement, from which the sbatch file is made")
    includes: tuple[Line, ...] | None = documented("files and folders that are copied into includes/")
    at_once: Count | None = documented("how many tasks may run at once; default 10")
    workdir: Line | None = documented("where the run folders are; default: beside this file")
    requires: dict[Name, Line] | None = documented(
        "scans that have to have a good run, by the name the generator knows"
    )
    frozen: dict[Name, Name] | None = documented("for a required scan, the run that is used whatever its files are now")


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
    freezes: dict[Line, Name] | None = documented("the same, as later versions spell it")
    status: dict[Line, Any] | None = documented("not used")
