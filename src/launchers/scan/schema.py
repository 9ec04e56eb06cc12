"""The two kinds of definition file: ours, and what `esis setup` writes (ESIS 0.0.4, wf.esis.json and wf.esis2.json)."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from launchers.files.kinds import Count, Line, Name, Scalar, says


@frozen
class ParametersSpec:
    """A space of parameters; where several are given, every combination of theirs."""

    product: dict[Line, tuple[Any, ...]] | None = says("every combination of these lists")
    zip: dict[Line, tuple[Any, ...]] | None = says("these lists side by side; all have the same length")
    list: tuple[dict[Line, Any], ...] | None = says("the parameters of each task, written out")


@frozen
class ScanDocument:
    """A scan.yaml.  Paths are relative to the file."""

    name: Line | None = says("what runs and jobs are called; default: the folder's name")
    setup: Line | None = says("run once in the new run folder, before anything is submitted")
    worker: Line | None = says("run once for each parameter file, as a job")
    generator: Line | None = says("run in parameters/; writes parameters.<n>.json and prints how many")
    parameters: ParametersSpec | None = says("the parameter files, without a generator")
    template: Line | None = says("an sbatch file with WORKERSCRIPT, TASKARRAYDEFINITION and ESIS_PRIVATE in it")
    needs: Line | None = says("a requirement, from which the sbatch file is made")
    includes: tuple[Line, ...] | None = says("files and folders that are copied into includes/")
    at_once: Count | None = says("how many tasks may run at once; default 10")
    workdir: Line | None = says("where the run folders are; default: beside this file")
    requires: dict[Name, Line] | None = says("scans that have to have a good run, by the name the generator knows")
    frozen: dict[Name, Name] | None = says("for a required scan, the run that is used whatever its files are now")


@frozen
class EsisDocument:
    """A wf.esis.json."""

    setupscript: Line | None = says("setup")
    sbatchtemplate: Line | None = says("template")
    workerscript: Line | None = says("worker")
    param_generator: Line | None = says("generator")
    param_includes: tuple[Line, ...] | None = says("includes")
    maxparallel: Scalar | None = says("at_once; text, as ESIS writes it")
    workdirpath: Line | None = says("workdir")
    requires: tuple[Line, ...] | None = says("the definition files of required scans")
    requires_names: dict[Line, Line] | None = says("their names, by definition file")
    freeze_requirements: dict[Line, Name] | None = says("frozen runs, by definition file")
    freezes: dict[Line, Name] | None = says("the same, as later versions spell it")
    status: dict[Line, Any] | None = says("not used")
