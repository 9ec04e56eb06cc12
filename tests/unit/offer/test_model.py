"""Offers as data: what a limit and an offer are called, and in which order offers come."""

import pytest
from attrs import asdict

from launchers.offer.model import Access, Device, Group, Limit, Offer, Partition, Per, Shape, Source, SourceKind
from launchers.offer.rules import LOCAL_RULES, OAR_RULES, SLURM_RULES

G = 1024**3


@pytest.mark.parametrize(
    ("quantity", "per", "subject"),
    [
        ("duration", Per.JOB, "duration"),
        ("mem", Per.NODE, "mem/node"),
        ("mem", Per.CPU, "mem/cpu"),
        ("gres/gpu:a100", Per.MINUTE, "gres/gpu:a100*min"),
    ],
)
def test_the_subject_of_a_limit_has_what_it_is_counted_over(quantity, per, subject):
    assert Limit(quantity, 1, Source(SourceKind.QOS, "gpu"), "MaxTRES", per).subject == subject


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        (Source(SourceKind.QOS, "gpu"), "QoS gpu MaxWall"),
        (Source(SourceKind.PARTITION, "gpu"), "partition gpu MaxWall"),
        (Source(SourceKind.GROUP), "limits MaxWall"),
    ],
)
def test_the_origin_of_a_limit_is_its_source_and_its_rule(source, origin):
    assert Limit("duration", 60, source, "MaxWall").origin == origin


def test_a_device_may_have_the_sizes_of_its_model_where_its_own_is_not_known():
    assert Device(sizes=(16 * G, 32 * G)).possible_sizes == (16 * G, 32 * G)
    assert Device(memory=24 * G, sizes=(16 * G, 32 * G)).possible_sizes == (24 * G,)
    assert Device().possible_sizes == ()


@pytest.mark.parametrize(
    ("partition", "access", "name"),
    [
        ("gpu", Access(), "gpu/n[1-4]"),
        ("", Access(), "n[1-4]"),
        ("gpu", Access(qos="long"), "gpu/n[1-4] qos=long"),
        ("gpu", Access(account="lab"), "gpu/n[1-4] account=lab"),
        ("gpu", Access(qos="long", account="lab"), "gpu/n[1-4] qos=long account=lab"),
    ],
)
def test_the_name_of_an_offer(partition, access, name):
    shape = Shape("n[1-4]")
    place = Partition(partition, (shape,), (access,))
    assert Offer(Group("g", "slurm", (place,)), place, shape, access).name == name


def test_offers_come_in_the_order_of_the_file():
    both = (Access(qos="short"), Access(qos="long"))
    partitions = (Partition("b", (Shape("n1"), Shape("n2")), both), Partition("a", (Shape("n1"),)))
    names = [offer.name for offer in Group("g", "slurm", partitions).offers()]
    assert names == ["b/n1 qos=short", "b/n1 qos=long", "b/n2 qos=short", "b/n2 qos=long", "a/n1"]


def test_an_offer_has_the_limits_of_its_partition_and_of_its_access():
    first, second = (Limit("nodes", number, Source(SourceKind.PARTITION, "p"), "MaxNodes") for number in (1, 2))
    shape, access = Shape("n1"), Access(limits=(second,))
    place = Partition("p", (shape,), (access,), limits=(first,))
    assert Offer(Group("g", "slurm", (place,)), place, shape, access).limits == (first, second)


@pytest.mark.parametrize(
    ("rules", "true"),
    [
        (LOCAL_RULES, set()),
        (SLURM_RULES, {"grants_gpus_by_type", "limits_give_time"}),
        (OAR_RULES, {"gpus_bring_cores", "filters_by_properties", "one_partition", "besteffort"}),
    ],
)
def test_the_rules_that_set_schedulers_apart(rules, true):
    assert {name for name, holds in asdict(rules).items() if holds} == true


def test_a_job_on_an_offer_meets_the_limits_of_its_partition_and_then_of_its_access():
    source = Source(SourceKind.PARTITION, "p")
    own, access = Limit("nodes", 2, source, "MaxNodes"), Limit("duration", 60, source, "MaxTime")
    place = Partition("p", (Shape("n"),), (Access(limits=(access,)),), limits=(own,))
    (offer,) = Group("g", "slurm", (place,)).offers()
    assert offer.limits == (own, access)


def test_what_the_user_gets_by_default_has_rank_0():
    assert Access().rank == 0
