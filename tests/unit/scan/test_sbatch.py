"""sbatch.sh: the user's template with three words replaced, or a file made from a need."""

from pathlib import Path

import pytest
from scans import SCRIPTS, TEMPLATE, WORKER, finish, outputs, scan, write_yaml

from launchers.requirement import parse
from launchers.scan import load_definition
from launchers.scan.sbatch import args_for_need, render_sbatch, template_for

WORDS = "#!/bin/sh\n#SBATCH --array=TASKARRAYDEFINITION --x\n#ESIS_PRIVATE\n# a WORKERSCRIPT b\npython3 WORKERSCRIPT\n"
NEED = {"worker": "work.py", "name": "made", "parameters": {"zip": {"x": [3, 4]}}}


def test_three_words_of_a_template_are_replaced():
    scan("A/scripts")
    definition = load_definition(scan("A", {"worker": "scripts/work.py", "at_once": 7}))
    assert render_sbatch(definition, WORDS, 3, "afterok:12:13") == (
        "#!/bin/sh\n#SBATCH --array=0-2%7 --x\n#SBATCH --dependency=afterok:12:13\n# a ../scripts/work.py b\n"
        "python3 ../scripts/work.py\n"
    )
    assert "\n#\n" in render_sbatch(definition, WORDS, 1, "")
    assert "--array=0-0%7" in render_sbatch(definition, WORDS, 1, "")


@pytest.mark.parametrize(
    ("need", "lines"),
    [
        ("cpu(cores=2, mem=100M) & duration=90 min", ["--nodes=1", "--cpus-per-task=2", "--mem=100M", "--time=90"]),
        ("cuda()*2 & duration=61s | cpu(cores=1)", ["--nodes=1", "--gpus-per-node=2", "--time=2"]),
        ("nodes=3", ["--nodes=3"]),
    ],
)
def test_a_template_from_a_need(need, lines):
    definition = load_definition(scan("A", {**NEED, "needs": need}, entries={}))
    start = "srun " if "nodes=3" in need else ""
    args = args_for_need(parse(need))
    text = template_for(definition, args)
    head, tail = text.split("#SBATCH --array=TASKARRAYDEFINITION\n")
    assert head.splitlines()[:2] == ["#!/bin/sh", "#SBATCH --job-name=made"]
    assert sorted(head.splitlines()[2:]) == sorted(f"#SBATCH {line}" for line in lines)
    assert tail == f"#ESIS_PRIVATE\n\n{start}WORKERSCRIPT\n"


def test_a_need_makes_the_file(capfd):
    entries = {**NEED, "needs": "cpu(cores=2, mem=100M) & duration=90 min"}
    folder = finish(capfd, scan("A", entries=entries, worker="#!/usr/bin/env python3\n" + WORKER))
    assert (folder / "sbatch.sh").read_text() == (
        "#!/bin/sh\n#SBATCH --job-name=made\n#SBATCH --nodes=1\n#SBATCH --cpus-per-task=2\n#SBATCH --mem=100M\n"
        "#SBATCH --time=90\n#SBATCH --array=0-1%10\n#\n\n../work.py\n"
    )
    assert outputs(folder, 2) == ["6", "8"]


def test_srun_starts_its_command_once_where_there_is_no_slurm(capfd):
    template = TEMPLATE.replace("srun", "srun -n 1 -c2 --mem=10M -u --cpu-bind=none")
    assert outputs(finish(capfd, scan("A", template=template))) == ["0", "2", "8"]


def test_bytes_of_a_template_that_are_no_text_are_kept(capfd):
    scan("A")
    Path("A/template.sh").write_bytes(TEMPLATE.encode() + b"# caf\xe9\n")
    assert (finish(capfd, write_yaml("A/scan.yaml", SCRIPTS)) / "sbatch.sh").read_bytes().endswith(b"# caf\xe9\n")
