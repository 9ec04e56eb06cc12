"""Where a plan goes: one group with a place for every step, and what is said where there is none."""

from collections.abc import Mapping

import pytest
from config_files import local_entry, oar_entry, partition, slurm_entry, write_config
from plans import CPU, work

from launchers import LauncherNotFoundError, MailType, SlurmArgs, find_launcher, parse
from launchers.files.problems import ConfigError
from launchers.plan import Chain, Plan, PlanError, Step
from launchers.plan.place import (
    need_in,
    place_if_possible,
    place_need,
    place_plan,
    placement_from_options,
)
from launchers.plan.tree import Pinned, PlacementError, UnreachableError

GPUS = {"memory": "40G", "count": 2}


@pytest.fixture
def two(tmp_path):
    """A cluster with GPUs and few cores, and one with cores and no GPU."""
    return write_config(
        tmp_path,
        slurm=[
            slurm_entry("gpus", {"g": partition(cores=4, gpu=GPUS)}, tags=["far"]),
            slurm_entry("cpus", {"c": partition(cores=64)}, tags=["near"]),
        ],
    )


def plan(*needs, need=None):
    return Plan("p", Chain(*[Step(name, one, work) for name, one in zip("abcdefg", needs, strict=False)]), need=need)


def placed_in(*needs, config, **keys):
    return place_plan(plan(*needs), config=config, **keys).group.name


# -- which group -----------------------------------------------------------------------------------------------


def test_a_plan_goes_where_every_step_has_a_place(two):
    assert placed_in("cpu(cores=2)", config=two) == "gpus"  # the first of equals
    assert placed_in("cpu(cores=2)", "cuda(mem=24G)", config=two) == "gpus"
    assert placed_in("cpu(cores=2)", "cpu(cores=32)", config=two) == "cpus"


def test_a_refusal_names_for_each_group_the_steps_without_a_place(two):
    with pytest.raises(PlacementError) as caught:
        place_plan(plan("cpu(cores=32)", "cuda(mem=24G)", "cpu(cores=32)"), config=two)
    head, gpus, cpus = caught.value.problems
    assert head == "no single launcher group serves all steps:"
    assert gpus.startswith("  gpus has no place for a, c (g: ")
    assert cpus.startswith("  cpus has no place for b (c: ")
    assert not isinstance(caught.value, UnreachableError)


def test_weight_decides_between_groups(tmp_path):
    small, large = partition(cores=8), partition(cores=64)
    config = write_config(
        tmp_path,
        slurm=[
            slurm_entry("first", {"c": small}),
            slurm_entry("heavy", {"c": small}, weight=9),
            slurm_entry("large", {"c": large}, weight=3),
        ],
    )
    assert placed_in("cpu(cores=2)", config=config) == "heavy"
    assert placed_in("cpu(cores=2)", "cpu(cores=10)", config=config) == "large"


def test_an_earlier_alternative_goes_before_weight(tmp_path):
    config = write_config(
        tmp_path,
        slurm=[
            slurm_entry("heavy", {"c": partition(cores=8)}, weight=9),
            slurm_entry("gpus", {"g": partition(cores=8, gpu=GPUS)}),
        ],
    )
    assert placed_in("cuda(mem=24G) | cpu(cores=4)", config=config) == "gpus"
    assert placed_in("cpu(cores=4) | cuda(mem=24G)", config=config) == "heavy"


def test_alternatives_of_all_needs_are_added_up_once_for_each_need(tmp_path):
    """Three steps with one need count as one: `gpus` is one alternative down, `heavy` two."""
    config = write_config(
        tmp_path,
        slurm=[
            slurm_entry("gpus", {"g": partition(cores=4, gpu=GPUS)}),
            slurm_entry("heavy", {"c": partition(cores=8)}, weight=5),
        ],
    )
    same = ["cpu(cores=8) | cpu(cores=4)"] * 3
    others = ["cuda(mem=24G) | cpu(cores=1)", "cuda(mem=24G)*2 | cpu(cores=1)"]
    assert placed_in(*same, *others, config=config) == "gpus"
    assert placed_in(*same, others[0], config=config) == "heavy"  # one each: weight decides


def test_tags_keep_groups(two):
    assert placed_in("cpu(cores=2)", config=two, tags=["near"]) == "cpus"
    assert placed_in("cpu(cores=2)", config=two, tags="near") == "cpus"
    assert placed_in("cpu(cores=2)", config=two, tags=["near", "far"]) == "gpus"
    assert placed_in("cpu(cores=2)", config=two, tags=()) == "gpus"
    with pytest.raises(PlacementError, match="none is configured, or none has these tags"):
        place_plan(plan("cpu(cores=2)"), config=two, tags=["nothing"])


def test_a_file_without_groups(tmp_path):
    with pytest.raises(PlacementError, match="no launcher group has all of these steps: none is configured"):
        place_plan(plan("cpu(cores=2)"), config=write_config(tmp_path))


def test_groups_that_cannot_be_asked(tmp_path, no_slurm):
    config = write_config(tmp_path, slurm=[{"id": "live", "query_slurm": True}])
    with pytest.raises(UnreachableError, match=r"live has no place for a \(query_slurm: there is no scontrol on PATH"):
        place_plan(plan("cpu(cores=2)"), config=config)


def test_one_group_that_can_be_asked_is_no_unreachable_plan(tmp_path, no_slurm):
    config = write_config(
        tmp_path,
        slurm=[{"id": "live", "query_slurm": True}, slurm_entry("known", {"c": partition(cores=2)})],
    )
    with pytest.raises(PlacementError) as caught:
        place_plan(plan("cpu(cores=4)"), config=config)
    assert type(caught.value) is PlacementError
    assert placed_in("cpu(cores=2)", config=config) == "known"


# -- launchers, options by hand, and the plan's need -------------------------------------------------------------


def test_a_launcher_binds_its_group(two):
    launcher = find_launcher("cpu(cores=2)", config=two, tags=["near"])
    assert placed_in(launcher, "cpu(cores=2)", config=two) == "cpus"
    with pytest.raises(PlanError) as caught:
        place_plan(plan(launcher, "cuda(mem=24G)"), config=two)
    assert caught.value.problems[1] == "  gpus has no place for a (its launcher is cpus's)"


def test_a_launchers_place_is_its_own(two):
    launcher = find_launcher("cuda(mem=24G)*2 & duration=1h", config=two)
    placement = place_plan(plan(launcher), config=two).places["a"]
    assert (placement.partition, placement.gpus, placement.seconds) == ("g", 2, 3600)
    assert placement.parameters == launcher.resources.submitit()


def test_gpus_are_counted_on_all_nodes(tmp_path):
    nodes = [{"hosts": "n[1-4]", "count": 4}]
    config = write_config(tmp_path, slurm=[slurm_entry("far", {"g": partition(cores=4, gpu=GPUS, nodes=nodes)})])
    assert place_plan(plan("cuda(mem=24G)*2 & nodes=3"), config=config).places["a"].gpus == 6


def test_the_name_of_a_group_stands_where_there_is_no_partition(tmp_path):
    config = write_config(tmp_path, local=[local_entry()])
    assert place_plan(plan("cpu(cores=1)"), config=config).places["a"].partition == "box"


def test_options_alone_need_no_group(tmp_path):
    placed = place_plan(plan(CPU, {"timeout_min": 5}), config=tmp_path / "no such file")
    assert (placed.group, placed.scheduler, placed.backend.title) == (None, "slurm", "Slurm")
    assert list(placed.places) == ["a", "b"]


def test_options_keep_the_groups_that_take_them(tmp_path):
    config = write_config(
        tmp_path,
        local=[local_entry(cores=8, weight=9)],
        oar=[oar_entry("grid", {"count": 2, "cpu": {"cores": 8}}, weight=8)],
        slurm=[slurm_entry("far", {"c": partition(cores=8)})],
    )
    assert placed_in("cpu(cores=2)", config=config) == "box"
    assert placed_in("cpu(cores=2)", CPU, config=config) == "far"
    assert place_plan(plan("cpu(cores=2)"), config=config, tags=()).backend.title == "this machine"


def test_the_plans_need_is_for_steps_without_one(two):
    placed = place_plan(plan(None, "cuda(mem=24G)", need="cpu(cores=3)"), config=two)
    assert placed.places["a"].parameters["cpus_per_task"] == 3
    step = Step("a", None, work)
    assert need_in(Plan("p", step), None) == parse("cpu(cores=1)")
    assert need_in(Plan("p", step, need=CPU), None) is CPU
    assert need_in(Plan("p", step, need=CPU), parse("cpu()")) == parse("cpu()")


def test_a_plan_that_may_have_no_place(two, tmp_path):
    assert place_if_possible(plan("cpu(cores=2)"), two).group.name == "gpus"
    assert place_if_possible(plan("cpu(cores=999)"), two) is None
    with pytest.raises(ConfigError):
        place_if_possible(plan("cpu(cores=2)"), tmp_path / "no such file")
    assert issubclass(LauncherNotFoundError, LookupError)


# -- options beside a need -------------------------------------------------------------------------------------


def pinned(need, **options):
    return Pinned(parse(need), tuple(options.items()))


def test_options_narrow_down_where_the_broker_looks(tmp_path):
    config = write_config(
        tmp_path,
        slurm=[slurm_entry("far", {"small": partition(cores=4), "large": partition(cores=64)})],
    )
    anywhere = place_plan(plan("cpu(cores=2)"), config=config).places["a"].partition
    assert sorted(anywhere.split(",")) == ["large", "small"]
    found = place_plan(plan(pinned("cpu(cores=2)", partition="large", reservation="x")), config=config).places["a"]
    assert found.partition == "large"
    assert found.parameters["partition"] == "large"
    assert found.parameters["additional_parameters"] == {"reservation": "x"}
    with pytest.raises(PlacementError, match=r"far has no place for a \(it has no partition other\)"):
        place_plan(plan(pinned("cpu(cores=2)", partition="other")), config=config)
    with pytest.raises(PlacementError, match=r"far has no place for a \(small: "):
        place_plan(plan(pinned("cpu(cores=8)", partition="small")), config=config)


def test_options_of_slurm_mean_nothing_elsewhere(tmp_path):
    config = write_config(tmp_path, local=[local_entry()])
    with pytest.raises(PlacementError, match=r"box has no place for a \(it names a qos, which only Slurm has\)"):
        place_plan(plan(pinned("cpu(cores=1)", qos="long")), config=config)
    assert place_plan(plan(pinned("cpu(cores=1)", mail_user="me")), config=config).group.name == "box"


def test_how_far_down_the_alternatives_a_need_is(two):
    from launchers.launcher.groups import load_groups

    (gpus, cpus), _ = load_groups(two)
    need = parse("cuda(mem=24G) | cpu(cores=2)")
    assert place_need(need, gpus)[1] == 0
    assert place_need(need, cpus)[1] == 1
    why, _ = place_need(parse("cuda(mem=24G)"), cpus)
    assert isinstance(why, str)


# -- options that are all there is -----------------------------------------------------------------------------


def test_submitits_names_are_read_and_the_persons_dict_is_left_alone():
    raw = {
        "slurm_time": "02:00:00",
        "slurm_partition": "gpu_v100",
        "gpus_per_node": 1,
        "slurm_additional_parameters": {"clusters": "genius", "account": "my-account", "cpus_per_gpu": 4},
    }
    found = placement_from_options(raw)
    assert (found.seconds, found.gpus, found.partition, found.assumed) == (7200, 1, "gpu_v100", ())
    assert found.parameters["partition"] == "gpu_v100"
    assert found.parameters["time"] == 120
    assert found.parameters["additional_parameters"] == {
        "clusters": "genius", "account": "my-account", "cpus-per-gpu": 4,
    }  # fmt: skip
    assert raw["slurm_additional_parameters"]["cpus_per_gpu"] == 4  # planit wrote dependencies into the user's dict


def test_slurm_args_are_passed_as_they_stand():
    args = SlurmArgs(
        time="03:00:00", partition="gpu_a100", nodes=2, gpus_per_node=1, cpus_per_gpu=18, cluster="wice",
        account="my-account", mail_type=[MailType.BEGIN, MailType.END, MailType.FAIL], mail_user="me@university.edu",
    )  # fmt: skip
    found = placement_from_options(args)
    assert (found.seconds, found.gpus, found.partition) == (10800, 2, "gpu_a100")
    assert isinstance(found.parameters, Mapping)
    assert found.parameters["mail_type"] == "BEGIN,END,FAIL"
    assert found.parameters["additional_parameters"]["clusters"] == "wice"


def test_options_without_a_partition_or_a_time():
    found = placement_from_options({})
    assert (found.seconds, found.gpus, found.partition) == (None, 0, "")


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("72:00:00", 259200), ("24:00:00", 86400), ("2-12", 216000), ("120", 7200), ("UNLIMITED", None)],
)
def test_every_time_that_slurm_takes(time, seconds):
    assert placement_from_options(SlurmArgs(time=time)).seconds == seconds
