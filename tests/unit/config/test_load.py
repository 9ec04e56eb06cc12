"""launchers.yaml: strict, everything at once, each problem with its place."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchers.config.check import check
from launchers.config.load import load, loads
from launchers.files.problems import CODES, ConfigError

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "launchers.example.yaml"


def problems(text):
    with pytest.raises(ConfigError) as caught:
        loads(text, "f.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_the_reference_loads_as_it_stands(shared):
    document = load(shared / "launchers.reference.yaml").document
    assert [group.weight for group in document.local] == [5, 4]
    manual, auto = document.slurm
    assert manual.use_memory_contraint is True
    assert manual.qos["qos_gpu-t3"].max_duration == 20 * 3600
    assert manual.partitions["gpu_p4"].configuration.gpu.memory == 40 << 30
    assert auto.query_slurm is True


def test_the_example_loads_without_a_warning():
    assert check(load(EXAMPLE)) == []


def test_all_problems_at_once_each_with_its_place():
    text = (
        "local:\n"
        " - wieght: 5\n"
        "   cpu: {cores: '4', memory: 5}\n"
        "   gpus: []\n"
        "slurm:\n"
        " - choose: tight\n"
        "   features_regex: ['(']\n"
        '   id: "a\\nb"\n'
        "   partitions:\n"
        "     gpu: {nodes: [{features: a, cout: 3}], limits: {max_duration: long}}\n"
    )
    found = [re.sub(r"(?<=is not a regular expression: ).+", "...", one) for one in problems(text)]  # why, re says
    assert found == [
        "f.yaml:2:4: error LC101: local[0].wieght: unknown key 'wieght' (did you mean weight?)",
        "f.yaml:3:17: error LC102: local[0].cpu.cores: a whole number is expected here, not text ('4') "
        "(write 4 without quotes)",
        "f.yaml:3:30: error LC103: local[0].cpu.memory: memory is text with a unit, not a number (5) (write 5G or 5M)",
        "f.yaml:4:4: error LC101: local[0].gpus: unknown key 'gpus' (did you mean gpu?)",
        "f.yaml:6:12: error LC110: slurm[0].choose: one of tightest, widest, random is expected here, "
        "not text ('tight') (did you mean tightest?)",
        "f.yaml:7:21: error LC105: slurm[0].features_regex[0]: '(' is not a regular expression: ...",
        "f.yaml:8:8: error LC109: slurm[0].id: 'a\\nb' must be one line of printable text: it may reach an sbatch file",
        "f.yaml:10:31: error LC102: slurm[0].partitions.gpu.nodes[0].features: a list is expected here, not text ('a') "
        "(write [a, b])",
        "f.yaml:10:34: error LC101: slurm[0].partitions.gpu.nodes[0].cout: unknown key 'cout' (did you mean count?)",
        "f.yaml:10:68: error LC104: slurm[0].partitions.gpu.limits.max_duration: 'long' is not a duration such as "
        "4 days, 1h30m or 2-12:00:00",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[1]", "f.yaml:1:1: error LC102: a launchers.yaml is a mapping with local:, slurm: and oar:, not a list"),
        (
            "slurm: [{partitions: {'a b': {}}}]",
            "f.yaml:1:23: error LC109: slurm[0].partitions.a b: 'a b' is not a name: use no spaces, commas, quotes or "
            "shell characters",
        ),
        (
            'slurm: [{partitions: {p: {nodes: [{hosts: "n[5-1]"}]}}}]',
            "f.yaml:1:43: error LC117: slurm[0].partitions.p.nodes[0].hosts: the range 5-1 goes backwards: write the "
            "smaller number first (write a name, or a folded list such as n[01-16])",
        ),
        (
            "oar: [{nodes: [{hosts: [n1, 'n[5-1]']}]}]",
            "f.yaml:1:29: error LC117: oar[0].nodes[0].hosts[1]: the range 5-1 goes backwards: write the smaller number "
            "first (write a name, or a folded list such as n[01-16])",
        ),
        (
            "slurm: [{sbatch: {wckey: [1]}}]",
            "f.yaml:1:26: error LC102: slurm[0].sbatch.wckey: text, a number, or true is expected here, not a list",
        ),
    ],
)
def test_one_problem(text, line):
    assert problems(text) == [line]


def test_sbatch_options_that_launchers_sets_itself():
    found = problems("slurm: [{sbatch: {account: x, mail-type: FAIL, reservation: x, --hold: true}}]")
    assert found == [
        "f.yaml:1:19: error LC118: slurm[0].sbatch.account: sbatch's --account is what launchers finds itself, and this "
        "would override its choice (ask for it in the requirement, or describe it under partitions:)",
        "f.yaml:1:64: error LC109: slurm[0].sbatch.--hold: '--hold' is not the name of an sbatch option "
        "(write mail-type, without --)",
    ]
    assert loads("slurm: [{sbatch: {mail-type: FAIL, reservation: x, mem_bind: local, exclusive: true}}]")


def test_files(tmp_path):
    path = tmp_path / "launchers.yaml"
    path.write_bytes(b"\xef\xbb\xbflocal:\r\n- weight: 1\r\n")
    config = load(path)
    assert (config.document.local[0].weight, config.file) == (1, str(path))
    path.write_text("")
    assert load(path).document.local is None


@settings(max_examples=300)
@given(st.text(alphabet="local:slurm-[]{}&*!|>'\"\n\t #,?%@`0123456789 weight", max_size=80))
def test_any_text_loads_or_is_a_config_error(text):
    try:
        loads(text)
    except ConfigError as error:
        assert error.problems
        assert all(problem.code in CODES for problem in error.problems)


def test_every_code_is_documented():
    text = (ROOT / "docs" / "launchers-yaml.md").read_text()
    assert all(f"| {code} | {meaning} |" in text for code, meaning in CODES.items())
