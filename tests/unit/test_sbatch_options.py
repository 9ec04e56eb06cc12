"""Options of sbatch: each of Slurm's own is decided, and what a file may give is neither code nor a trap."""

import pytest

from launchers.config.load import loads
from launchers.files.problems import ConfigError
from launchers.sbatch_options import ALLOWED, REFUSED, refusal, refusal_by_hand
from launchers.slurm.args import SlurmArgs
from launchers.slurm.options import parameters_by_hand

WORDS = """
account acctg-freq array autocomplete batch bb bbf begin chdir cluster cluster-constraint clusters comment
consolidate-segments constraint container container-id context contiguous core-spec cores-per-socket cpu-freq
cpus-per-gpu cpus-per-task deadline delay-boot dependency distribution error exclude exclusive export export-file
external extra extra-node-info get-user-env gid gpu-bind gpu-freq gpus gpus-per-node gpus-per-socket gpus-per-task gres
gres-flags help hint hold ignore-pbs input job-name kill-on-invalid-dep licenses mail-type mail-user mcs-label mem
mem-bind mem-per-cpu mem-per-gpu mem-update mincpus network nice no-kill no-requeue nodefile nodelist nodes ntasks
ntasks-per-core ntasks-per-gpu ntasks-per-node ntasks-per-socket ntasks-per-tres oom-kill-step open-mode output
overcommit oversubscribe parsable partition power prefer priority profile propagate qos quiet reboot requeue reservation
resources resv-ports runtime segment signal sockets-per-node spread-job spread-segments stepmgr switches tasks-per-node
test-only thread-spec threads-per-core time time-min tmp tres-bind tres-per-task uid usage use-min-nodes verbose version
wait wait-all-nodes wckey wrap
"""
OF_SLURM = WORDS.split()
"""What slurm_opt.c of 20.11, 22.05, 24.11 or 26.05 gives sbatch."""


def problems_of(name, value="x"):
    try:
        loads(f"slurm: [{{sbatch: {{{name}: {value}}}}}]", "f.yaml")
    except ConfigError as error:
        return [problem.code for problem in error.problems]
    return []


def test_each_option_of_slurm_is_decided_once():
    assert {*ALLOWED, *REFUSED, "export"} == set(OF_SLURM)
    assert not ALLOWED & set(REFUSED)


@pytest.mark.parametrize("option", sorted(REFUSED))
def test_what_is_refused_is_refused_however_it_is_spelled(option):
    longer = [name for name in ALLOWED if name.startswith(option)]
    for text in {option, option.replace("-", "_"), option[:4], option[:-1], option[0], option.upper()}:
        if text.replace("_", "-") not in ALLOWED:
            assert problems_of(text) == ["LC118"], (text, longer)


@pytest.mark.parametrize("option", sorted(ALLOWED))
def test_what_is_allowed(option):
    assert problems_of(option) == problems_of(option.replace("-", "_")) == []


@pytest.mark.parametrize(
    "option", ["task-prolog", "epilog", "container-image", "x11", "pty", "bcast", "licence", "W", "M"]
)
def test_what_a_plugin_may_take_is_refused(option):
    assert problems_of(option) == ["LC118"]


def test_a_name_that_is_nearly_one_has_a_hint():
    assert refusal("licence").advice == "did you mean licenses?"
    assert refusal("mail-t").advice == "did you mean mail-type?"


@pytest.mark.parametrize("value", ["NONE", "NIL", "ALL", "HOME,PATH", "ALL,HOME"])
def test_names_of_variables_may_be_exported(value):
    assert problems_of("export", f"'{value}'") == []


@pytest.mark.parametrize(
    "value", ["'ALL,LD_PRELOAD=/tmp/x.so'", "A=1", "'A,B=1'", "''", "true", "1", "'A=1,B'", "'A\\n'", "'A, B'", '"A\\n"', "'ALL,'"]
)  # fmt: skip
def test_variables_may_not_be_set(value):
    assert set(problems_of("export", value)) & {"LC118", "LC109"}


@pytest.mark.parametrize("value", ['"a\\nb"', '"a\\0b"', '"a\\x1b[2J"', '"a\\u202eb"', '"a\\u2028b"', '"a\\rb"'])
def test_a_value_is_one_line(value):
    assert problems_of("licenses", value) == ["LC109"]


@pytest.mark.parametrize(
    "option", ["wrap", "wra", "wait", "array", "comment", "job_name", "parsable", "uid", "test_only"]
)
def test_options_that_launchers_must_keep_are_refused_by_hand_too(option):
    with pytest.raises(ValueError, match="additional_params: --"):
        SlurmArgs(additional_params={option: "x"})
    with pytest.raises(ValueError, match="additional_parameters: --"):
        parameters_by_hand({"slurm_additional_parameters": {option: "x"}})


@pytest.mark.parametrize(
    "option", ["mem-per-cpu", "clusters", "container-image", "hold", "export", "kill-on-invalid-dep", "time"]
)
def test_a_person_chooses_resources_and_plugins_by_hand(option):
    assert refusal_by_hand(option) is None
    assert dict(SlurmArgs(additional_params={option: "x"}).additional_params) == {option: "x"}
