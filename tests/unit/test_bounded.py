"""What a file asks for that takes too much is a problem with a place, soon: templates and regular expressions."""

import os
import signal
import time

import pytest
from flows import job, page, problems, sweep

from launchers import bounded
from launchers.bounded import TIME, Meter, OverBudgetError, Spent, work_in_child
from launchers.files.problems import ConfigError
from launchers.flow.read import loads

NESTED = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
TOO_LONG = "the templates of this page take more than 0.5 s"
TOO_LARGE = "it takes more memory than the templates of a page may"


def seconds_of_children(work):
    """Seconds of CPU that child processes used in a call."""
    before = os.times()
    work()
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ 'a'.ljust(4000000000) }}", TOO_LARGE),
        ("{{ 'a' | center(4000000000) }}", TOO_LARGE),
        ("{{ '%999999999d' | format(1) }}", TOO_LARGE),
        ("{{ '{:9999999999}'.format(1) }}", TOO_LARGE),
        ("{{ '{a:9999999999}'.format_map({'a': 1}) }}", TOO_LARGE),
        ("{{ ('a' * 1000000).join(['b'] * 100000) }}", TOO_LARGE),
        ("{{ [1] | tojson(indent=1000000000) }}", TOO_LARGE),
        ("{{ lipsum(n=100000000) }}", ""),
        (NESTED, TOO_LONG),
        ("{{ 123 | round(-10 ** 9) }}", ""),
        ("{{ [[[1] * 1000] * 1000] * 1000 }}", "the result is longer than 100000 items"),
        ("{{ 9 ** 9 ** 9 }}", "is too large"),
        ("{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}", ""),
        ("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", "maximum recursion depth exceeded"),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", ""),
        ("{% for a in [1] %}" * 30 + "{% endfor %}" * 30, "too many statically nested blocks"),
        ("{{ ('9' * 4000) | int }}", "the result is a number of too many digits"),
        ("{{ args.items.append(1) }}", "is unsafe"),
        ("{{ lipsum.__globals__ }}", "is unsafe"),
    ],
)
def test_a_template_that_takes_too_much_is_a_problem_with_its_place(template, message):
    text = page(job(command=["echo", template]), args={"items": [1]})
    found = []
    assert seconds_of_children(lambda: found.extend(problems(text))) < 2
    (problem,) = found
    assert problem.startswith("9:5 LC115 jobs[0].command[1]: ")
    assert message in problem
    assert len(problem) < 500


def test_templates_that_take_long_together_take_too_long():
    text = page(job(command=["{% for i in range(99999) %}{% endfor %}" * 5 + str(number) for number in range(99)]))
    found = []
    assert seconds_of_children(lambda: found.extend(problems(text))) < 2
    assert len(found) == 1
    assert TOO_LONG in found[0]


def test_many_templates_that_are_quick_are_fine():
    cells = loads(page(job(command=["{{ n }}"] * 20), **sweep(range(100)))).cells
    assert cells[99].jobs["a"].spec.command == (99,) * 20


def test_an_argument_from_outside_is_rendered_where_it_is_used():
    with pytest.raises(ConfigError) as caught:
        loads(page(job(command=["{{ n }}"]), args={"n": 1}), args={"n": [NESTED]})
    (problem,) = caught.value.problems
    assert (problem.path, problem.message) == ("jobs[0].command[0]", "'{{ n }}': " + TOO_LONG)


def test_a_page_without_templates_starts_no_process(monkeypatch):
    monkeypatch.delattr(os, "fork")
    assert loads(page(job(command=["echo ${HOME} {n} }}"]))).jobs["a"].spec.command == ("echo ${HOME} {n} }}",)


# -- the child ---------------------------------------------------------------------------------------------------


def test_the_result_of_a_child():
    assert work_in_child(lambda meter: [os.getpid(), meter.count()]) != [os.getpid(), 0]


def test_what_the_work_raises_is_raised_here():
    def fail(_meter):
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        work_in_child(fail)


def test_parts_that_are_shorter_than_a_tick_of_the_clock_use_up_the_time():
    def work(meter):
        for number in range(100_000):
            with meter.part((number,)):
                end = time.process_time() + 0.0005
                while time.process_time() < end:
                    pass

    with pytest.raises(OverBudgetError) as caught:
        work_in_child(work)
    assert caught.value.spent == Spent.TIME
    assert int(caught.value.place[0]) <= TIME / 0.0005


@pytest.mark.parametrize("ends", [signal.SIGSEGV, signal.SIGKILL])
def test_a_child_that_dies_was_at_a_template(ends):
    def die(meter):
        with meter.part(("jobs", 0, "x" * 100_000)):
            os.kill(os.getpid(), ends)

    with pytest.raises(OverBudgetError) as caught:
        work_in_child(die)
    assert (caught.value.place, caught.value.spent) == (("jobs", 0), Spent.MEMORY)


def test_memory_that_no_single_template_takes():
    with pytest.raises(OverBudgetError, match="MEMORY"):
        work_in_child(lambda _: ["x" * 10**8 + str(number) for number in range(9)])


@pytest.fixture
def children(monkeypatch):
    """The process ids of the children that are started; others of this process are none of a test's business."""
    started: list[int] = []
    monkeypatch.setattr(bounded, "_fork", lambda: started.append(os.fork()) or started[-1])
    return started


def test_a_child_that_is_stuck_is_ended(monkeypatch, children):
    monkeypatch.setattr(bounded, "SILENCE", 0.1)
    with pytest.raises(OverBudgetError, match="PATIENCE"):
        work_in_child(lambda _: time.sleep(60))
    with pytest.raises(ChildProcessError):
        os.waitpid(children[0], os.WNOHANG)


def test_the_meter_counts_time_between_templates_only(monkeypatch):
    monkeypatch.setattr(bounded, "TIME", 100)
    meter = Meter()
    assert (meter.count(), meter.place()) == (0, ())
    with meter.part(("a", 1)):
        start = time.process_time()
        while time.process_time() - start < 0.05:
            pass
    assert 0.02 < meter.used < 1
    used = meter.used
    while time.process_time() - start < 0.1:
        pass
    with meter.part(("b",)):
        pass
    assert (meter.count(), meter.place()) == (2, ("b",))
    assert meter.used - used < 0.02
    assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)


def test_an_interrupt_leaves_no_child(children):
    def interrupt(_meter):
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        work_in_child(interrupt)
    with pytest.raises(ChildProcessError):
        os.waitpid(children[0], os.WNOHANG)


def test_a_child_of_a_process_that_does_not_wait_for_children():
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert work_in_child(lambda _: 7) == 7
        with pytest.raises(OverBudgetError):
            work_in_child(lambda _: os.kill(os.getpid(), signal.SIGKILL))
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_no_child_can_be_started(monkeypatch):
    def fail():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fail)
    with pytest.raises(OSError, match="temporarily"):
        work_in_child(lambda _: 1)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
