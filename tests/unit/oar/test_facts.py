"""What ``oarnodes -J`` prints, as facts: recorded output of a real 2.5.9, and texts made for one rule each."""

import pytest
from oarnodes import oarnodes, resource

from launchers.oar.facts import OTHERS, is_oarnodes_output, read_oarnodes

MIB = 1024**2


def test_gpus_are_counted_by_what_is_stated():
    """NULL is no GPU; a site without gpu_count still numbers its GPUs."""
    text = oarnodes(
        resource(1, "a", core=1, gpu=1, gpu_model="A100"),
        resource(2, "a", core=2, gpu=2, gpu_model="A100"),
        resource(3, "b", core=3, gpu=None, gpu_count=0, gpu_model=None),
        resource(4, "c", core=4, gpu=1, gpu_count=4),
    )
    assert {node.name: (node.gpus, node.gpu_model) for node in read_oarnodes(text).nodes} == {
        "a": (2, "A100"), "b": (0, None), "c": (4, None),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("properties", "gpus"),
    [
        ({"gpu": 0, "gpu_count": 0, "gpu_mem": 0, "gpu_model": None}, 0), ({"gpu": 0, "gpu_count": "0"}, 0), ({"gpu": 0}, 0),
        ({"gpu": 1, "gpu_count": 0}, 0), ({"gpu": None, "gpu_count": 0}, 0), ({"gpu": 0, "gpu_model": None, "gpu_mem": 0}, 0),
        ({"gpu": 0, "gpu_model": "A100"}, 1), ({"gpu": 0, "gpudevice": 0}, 1), ({"gpu": 0, "gpu_count": 1}, 1), ({"gpu": 3}, 1),
        ({"gpu_count": "2"}, 2),
    ],
)  # fmt: skip
def test_the_number_0_is_no_gpu_where_nothing_says_so(properties, gpus):
    assert read_oarnodes(oarnodes(resource(1, "a", core=1, **properties))).nodes[0].gpus == gpus


def test_a_host_with_two_gpu_models_has_none():
    text = oarnodes(resource(1, "a", gpu=1, gpu_model="A100"), resource(2, "a", gpu=2, gpu_model="V100"))
    assert read_oarnodes(text).nodes[0].gpu_model is None


def test_the_least_memory_that_a_resource_states_counts():
    text = oarnodes(
        resource(1, "a", core=1, memnode=2048, gpu_mem=0),
        resource(2, "a", core=1, memnode=1024),
        resource(3, "a", core=2, memnode="much"),
    )
    (node,) = read_oarnodes(text).nodes
    assert (node.memory, node.gpu_memory, node.cores) == (1024 * MIB, None, 2)


@pytest.mark.parametrize(
    ("states", "until", "alive"),
    [
        (["Alive"], 0, True), (["Absent"], 0, False), (["Absent"], 1, True), (["Dead"], 1, False),
        (["Suspected"], 0, False), (["Dead", "Alive"], 0, True),
    ],
)  # fmt: skip
def test_where_jobs_can_start(states, until, alive):
    text = oarnodes(
        *(resource(number, "a", state=state, available_upto=until) for number, state in enumerate(states, 1))
    )
    assert read_oarnodes(text).nodes[0].alive is alive


@pytest.mark.parametrize(("drains", "alive"), [(["YES"], False), (["YES", "NO"], True), (["NO"], True), ([None], True)])
def test_no_job_starts_where_all_is_drained(drains, alive):
    text = oarnodes(*(resource(number, "a", drain=drain) for number, drain in enumerate(drains, 1)))
    assert read_oarnodes(text).nodes[0].alive is alive


def test_what_is_no_place_to_run():
    found = read_oarnodes(
        oarnodes(resource(1, "a"), resource(2, "disk", type="disk"), resource(3, None), resource(10, None))
    )
    assert [node.name for node in found.nodes] == ["a"]
    assert found.problems == ("resource 3 has no host", "resource 10 has no host")


def test_a_host_has_the_name_of_its_network_address_where_it_has_no_other():
    (node,) = read_oarnodes(oarnodes(resource(1, "a", host=None))).nodes
    assert node.name == "a"


@pytest.mark.parametrize(
    ("properties", "levels"),
    [
        ({"core": 1, "gpu": 1}, ("host", "gpu", "core")),
        ({"core": 1, "gpu": None}, ("host", "core")),
        ({"host": None, "core": 1}, ("network_address", "core")),
    ],
)
def test_levels(properties, levels):
    assert read_oarnodes(oarnodes(resource(1, "a", **properties))).levels == levels


def test_what_is_not_the_output_of_oarnodes():
    assert read_oarnodes(" \n").problems == ("oarnodes printed nothing: the cluster has no resources",)
    half = '{"1": {"resource_id": 1}}'
    for text in ("", "{}", "[]", '{"1": {}}', '{"1": 2}', half, "nodes", '{"nodes": []}', "{" * 100_000):
        assert not is_oarnodes_output(text)
    assert is_oarnodes_output(oarnodes(resource(1, "a")))
    odd = [oarnodes(resource(1, "a", **{key: {"a": 1}})) for key in ("core", "gpu", "available_upto", "gpu_model")]
    for text in ('{"1": {}}', "{" * 100_000, *odd[:3], oarnodes(resource(1, "a", available_upto=1e999))):
        with pytest.raises(ValueError, match="not what oarnodes -J prints"):
            read_oarnodes(text)


def test_what_others_print_around_it_does_not_matter():
    text = oarnodes(resource(1, "a"))
    for around in (f"[NEWS] {{tonight}}\n{text}", f"{text}\nbye", f"{{}}\n{text}"):
        assert is_oarnodes_output(around)
        assert read_oarnodes(around) == read_oarnodes(text)


def test_a_second_cluster_is_told_and_the_same_again_is_not():
    first, second = oarnodes(resource(1, "a")), oarnodes(resource(1, "b"))
    assert read_oarnodes(f"{first}\n{first}").problems == ()
    both = read_oarnodes(f"{first}\n$ oarnodes -J\n{second}")
    assert ([node.name for node in both.nodes], both.problems) == (["a"], (OTHERS,))


def test_properties_are_those_that_all_resources_have_and_sql_can_name():
    text = oarnodes(
        resource(1, "a", cluster="back\\slash", cputype="two\nlines", production="YES", deploy="", gpu_model="A100"),
        resource(2, "a", cluster="back\\slash", cputype="two\nlines", production="YES", deploy="", gpu_model="V100"),
    )
    assert read_oarnodes(text).nodes[0].properties == (("production", "YES"),)


@pytest.mark.parametrize(
    ("stated", "arch"),
    [
        (["x86_64", "x86_64"], "x86_64"),
        (["arm64", None], "aarch64"),
        (["x86_64", "ppc64le"], None),
        ([None, ""], None),
        ([7, 7], None),
    ],
)
def test_the_architecture_of_a_host(stated, arch):
    resources = [resource(number, "a", cpuarch=text) for number, text in enumerate(stated, 1)]
    assert read_oarnodes(oarnodes(*resources)).nodes[0].arch == arch
