"""What `defaults` and the keys of `resources` and `environment` add to a job."""

from flows import flow, job, only_job

from launchers.flow.compile import job_need


def test_keys_of_resources_and_environment_may_stand_in_the_job_itself():
    nested = only_job(resources={"nodes": 2, "time_limit": "10"}, environment={"conda": "c", "env_vars": {"A": 1}})
    flat = only_job(nodes=2, time_limit=10, conda="c", env={"A": 1})
    assert job_need(nested) == job_need(flat)
    assert nested.environment == flat.environment


def test_the_job_wins_over_the_defaults_and_the_nested_key_over_the_flat_one():
    found = flow(job(retry=0, resources={"nodes": 3}, nodes=4), defaults={"retry": 2, "setup": "x", "account": "acc"})
    assert (found.jobs["a"].spec.retry, found.jobs["a"].spec.setup) == (0, "x")
    assert (found.jobs["a"].resources.nodes, found.jobs["a"].resources.account) == (3, "acc")


def test_what_a_job_needs_replaces_what_the_defaults_need_whichever_way_it_is_said():
    amounts = flow(job(cpus_per_task=3), defaults={"needs": "cuda()"}).jobs["a"]
    needs = flow(job(needs="cuda()"), defaults={"cpus_per_task": 3, "partition": "p"}).jobs["a"]
    both = flow(job(), defaults={"cpus_per_task": 3}).jobs["a"]
    assert (amounts.spec.needs, amounts.resources.cpus_per_task) == (None, 3)
    assert (needs.spec.needs, needs.resources.cpus_per_task, needs.resources.partition) == ("cuda()", None, "p")
    assert both.resources.cpus_per_task == 3


def test_a_partition_is_no_amount_and_leaves_the_requirement_of_the_defaults():
    found = flow(job(partition="p"), defaults={"needs": "cuda()"}).jobs["a"]
    assert found.spec.needs == "cuda()"


def test_of_conda_and_venv_only_the_nearer_one_counts():
    assert flow(job(conda="c"), defaults={"venv": "/v"}).jobs["a"].environment.venv is None
    assert flow(job(venv="/v"), defaults={"environment": {"conda": "c"}}).jobs["a"].environment.conda is None
    inherited = flow(job(), defaults={"venv": "/v"}).jobs["a"].environment
    assert (inherited.conda, inherited.venv) == (None, "/v")


def test_variables_of_all_layers_are_combined_and_the_nearest_wins():
    found = flow(
        job(environment={"env": {"A": "job", "B": "job"}}, env_vars={"B": "flat", "C": "flat"}),
        defaults={"env": {"A": "defaults", "C": "defaults", "D": "defaults"}},
    )
    environment = found.jobs["a"].environment
    assert environment.env == {"A": "job", "B": "job", "C": "flat", "D": "defaults"}
    assert environment.env_vars is None
    assert only_job(env={"A": 1}, env_vars={"A": 2}).environment.env == {"A": 1}


def test_a_job_knows_its_place_in_the_file():
    jobs = flow(job("b", depends_on="a"), job("a")).jobs
    assert [(name, found.name, found.index) for name, found in jobs.items()] == [("a", "a", 1), ("b", "b", 0)]
