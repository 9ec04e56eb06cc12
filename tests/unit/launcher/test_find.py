"""Finding a launcher: several requirements, tags, and three failures that are told apart."""

import pytest
from config_files import local_entry, partition, slurm_entry, write_config

from launchers import LauncherNotFoundError, RequirementSyntaxError, cpu, find_launcher, parse
from launchers.launcher.find import chosen, combined, summary
from launchers.matching import match


def failure(*requirements, **keys):
    with pytest.raises(LauncherNotFoundError) as caught:
        find_launcher(*requirements, **keys)
    return caught.value


def test_several_requirements_are_alternatives(gpus):
    assert find_launcher("cuda(mem=999G)", "cuda(mem=80G)", "cpu(cores=1)").group.name == "far"
    assert combined(["cpu(cores=2)", cpu(cores=1)]) == parse("cpu(cores=2) | cpu(cores=1)")


def test_a_requirement_is_needed(gpus):
    with pytest.raises(ValueError, match=r"a requirement is needed, such as 'cuda\(mem=24G\)'"):
        find_launcher()
    with pytest.raises(RequirementSyntaxError):
        find_launcher("cuda(")


def test_tags_keep_groups(gpus):
    assert find_launcher("cuda()").group.name == "box"
    assert find_launcher("cuda()", tags=["slurm"]).group.name == "far"
    assert find_launcher("cuda()", tags=["slurm", "local"]).group.name == "box"


def test_without_a_file_it_is_this_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_launcher("cpu(cores=1)").group.scheduler == "local"


def test_nothing_matches(gpus):
    error = failure("cuda(mem=999G)")
    assert error.kind == "nothing-matches"
    assert error.answer.selection is None
    assert str(error).splitlines()[0] == f"nothing matches cuda(mem=999G) ({gpus / 'launchers.yaml'})"


def test_a_tag_that_no_group_has(gpus):
    error = failure("cuda()", tags=["slrum"])
    assert error.kind == "nothing-matches"
    assert "slrum" in str(error)
    assert "Known tags: local, slurm." in str(error)
    assert "any of the tags a, b" in str(failure("cuda()", tags=["b", "a"]))
    config = write_config(gpus, name="bare.yaml", local=[local_entry()])
    assert "No group has a tag." in str(failure("cuda()", tags=["x"], config=config))


def test_nothing_is_configured(tmp_path):
    config = write_config(tmp_path)
    error = failure("cpu()", config=config)
    assert (error.kind, str(error)) == (
        "nothing-configured", f"no launcher is configured ({config}): it has no usable group",
    )  # fmt: skip
    assert (
        failure("cpu()", config=write_config(tmp_path, local=[local_entry(disabled=True)])).kind == "nothing-configured"
    )


def test_nothing_can_be_reached(tmp_path, no_slurm):
    config = write_config(tmp_path, slurm=[{"id": "live", "query_slurm": True}])
    error = failure("cpu()", config=config)
    assert error.kind == "unreachable"
    assert str(error).splitlines() == [
        f"no launcher can be reached ({config}):",
        "  live: query_slurm: there is no scontrol on PATH, so its cluster cannot be read from here",
    ]  # fmt: skip


def answer_of(tmp_path, count):
    """Nothing of `count` partitions, each of which lacks something else, has so many cores."""
    from launchers.launcher.groups import load_groups

    partitions = {f"p{number}": partition(cores=number) for number in range(1, count + 1)}
    groups, _ = load_groups(write_config(tmp_path, slurm=[slurm_entry("far", partitions)]))
    return match(parse("cpu(cores=99)"), groups)


@pytest.mark.parametrize(("count", "shown", "more"), [(2, 2, None), (6, 6, None), (7, 6, "1"), (9, 6, "3")])
def test_a_summary_is_short(tmp_path, count, shown, more):
    lines = summary(answer_of(tmp_path, count))
    assert sum(line.startswith("p") for line in lines) == shown
    tail = [line for line in lines if line.startswith("...")]
    assert tail == ([f"... and {more} more reasons: launchers explain shows all"] if more else [])
    assert sum(line.startswith("p") for line in summary(answer_of(tmp_path, count), most=1)) == 1


def test_partitions_that_lack_the_same_share_a_line(tmp_path):
    from launchers.launcher.groups import load_groups

    partitions = {"a": partition(cores=2), "b": partition(cores=2)}
    groups, _ = load_groups(write_config(tmp_path, slurm=[slurm_entry("far", partitions)]))
    lines = summary(match(parse("cpu(cores=99)"), groups))
    assert lines[0].startswith("a, b: ")


def test_the_launcher_of_an_answer(tmp_path):
    with pytest.raises(LauncherNotFoundError, match=r"nothing matches cpu\(cores=99\)\n"):
        chosen(answer_of(tmp_path, 1))
