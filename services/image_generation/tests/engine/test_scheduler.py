"""The order of requests, as arithmetic: no clock, no model, no event loop."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_image_generation.engine.scheduler import FairScheduler, Priority, SchedulingParameters

WORK_PER_SECOND = 10.0


@dataclass(eq=False)
class Job:
    """A request of so much work."""

    name: str
    remaining_work: float
    scheduling: SchedulingParameters = field(default_factory=SchedulingParameters)
    arrived_at: float = 0.0


class Machine:
    """Does one unit of work at a time for whoever is first, as the engine does."""

    def __init__(self, **options):
        self.scheduler = FairScheduler(**options)
        self.now = 0.0
        self.jobs = []
        self.served = Counter()
        self.finished = []

    def add(self, name, work, caller="", priority=Priority.INTERACTIVE):
        job = Job(name, work, SchedulingParameters(caller, priority), arrived_at=self.now)
        self.jobs.append(job)
        self.scheduler.join(job)
        return job

    def run(self, units=None):
        while self.jobs and units != 0:
            order = self.scheduler.order(self.now)
            assert Counter(map(id, order)) == Counter(map(id, self.jobs))
            job = order[0]
            job.remaining_work -= 1
            self.scheduler.charge(job, 1)
            self.served[job.scheduling.caller] += 1
            self.now += 1 / WORK_PER_SECOND
            if job.remaining_work <= 0:
                self.scheduler.leave(job)
                self.jobs.remove(job)
                self.finished.append(job.name)
            if units is not None:
                units -= 1
        return self.finished


def test_a_short_request_overtakes_the_long_ones_of_the_same_caller_at_once():
    machine = Machine()
    for index in range(10):
        machine.add(f"long {index}", 50)
    machine.run(5)
    machine.add("short", 4)
    machine.run(5)
    assert machine.finished == ["short"]


def test_requests_of_equal_length_run_one_after_the_other_in_the_order_of_arrival():
    machine = Machine()
    names = [f"request {index}" for index in range(5)]
    for name in names:
        machine.add(name, 8, caller=name)
    machine.run(9)
    assert machine.finished == names[:1]
    assert machine.run() == names


def test_callers_share_evenly_however_many_requests_each_has():
    machine = Machine()
    for index in range(100):
        machine.add(f"flood {index}", 8, caller="flood")
    machine.run(40)
    machine.add("single 0", 8, caller="single")
    machine.run(16)
    assert "single 0" in machine.finished
    machine = Machine()
    for index in range(30):
        machine.add(f"flood {index}", 8, caller="flood")
        if index < 10:
            machine.add(f"some {index}", 8, caller="some")
    machine.run(100)
    assert abs(machine.served["flood"] - machine.served["some"]) <= 8


def test_who_was_away_has_saved_nothing_up():
    machine = Machine()
    machine.add("early", 1, caller="late")
    machine.run()
    machine.add("a", 1000, caller="busy")
    machine.run(500)
    machine.add("b", 1000, caller="late")
    before = machine.served.copy()
    machine.run(200)
    served = machine.served - before
    assert served["late"] <= 100


def test_nobody_gains_by_coming_back_again_and_again():
    machine = Machine()
    machine.add("patient", 200, caller="patient")
    for index in range(40):
        machine.add(f"returning {index}", 5, caller="returning")
        machine.run(10)
    assert "patient" in machine.finished


def test_a_batch_request_gives_way_but_gets_its_share():
    machine = Machine()
    machine.add("batch", 20, caller="a", priority=Priority.BATCH)
    machine.run(2)
    machine.add("interactive", 16, caller="a")
    machine.run(24)
    assert machine.finished == ["interactive"]
    machine = Machine()
    for index in range(50):
        machine.add(f"batch {index}", 10, caller="night", priority=Priority.BATCH)
        machine.add(f"interactive {index}", 10, caller="day")
    machine.run(500)
    share = machine.served["night"] / 500
    assert 0.15 < share < 0.25


def test_a_batch_request_that_waited_long_counts_as_interactive():
    machine = Machine(promotion_seconds=5.0)
    machine.add("batch", 300, caller="night", priority=Priority.BATCH)
    machine.add("interactive", 1000, caller="day")
    machine.run(50)
    assert machine.served["night"] == 0
    machine.run(310)
    assert "batch" in machine.finished


def test_newcomers_cannot_starve_a_long_request_of_somebody_else():
    machine = Machine()
    machine.add("long", 50, caller="patient")
    for index in range(100):
        machine.add(f"short {index}", 8, caller=f"newcomer {index}")
        machine.run(8)
    assert machine.finished.index("long") <= 20


def test_short_requests_slow_down_their_callers_long_one_fivefold_at_most():
    machine = Machine()
    machine.add("long", 50)
    waits = []
    for index in range(100):
        machine.add(f"short {index}", 4)
        started_at = machine.now
        while f"short {index}" not in machine.finished:
            machine.run(1)
        waits.append(round((machine.now - started_at) * WORK_PER_SECOND))
        if "long" in machine.finished:
            break
    assert machine.now * WORK_PER_SECOND <= 250 + 5
    # Five turns, and once the last steps of the long one, by then as short as they.
    assert max(waits) <= 9
    assert sorted(waits)[len(waits) // 2] <= 5


def test_who_was_served_alone_for_long_still_gets_the_share_of_the_oldest():
    machine = Machine()
    machine.add("long", 550)
    machine.run(500)
    for index in range(100):
        machine.add(f"short {index}", 4)
    machine.run(250)
    assert "long" in machine.finished


@settings(max_examples=150, deadline=None)
@given(
    arrivals=st.lists(
        st.tuples(
            st.integers(0, 5),
            st.integers(1, 40),
            st.sampled_from(["a", "b", "c"]),
            st.sampled_from(Priority),
        ),
        min_size=1,
        max_size=25,
    ),
    oldest_share=st.sampled_from([0.0, 0.2, 1.0]),
)
def test_all_work_is_done_and_nothing_is_remembered_of_it(arrivals, oldest_share):
    machine = Machine(oldest_share=oldest_share)
    for index, (pause, work, caller, priority) in enumerate(arrivals):
        machine.run(pause)
        machine.add(index, work, caller, priority)
    assert sorted(machine.run()) == list(range(len(arrivals)))
    assert sum(machine.served.values()) == sum(work for _, work, _, _ in arrivals)
    for index in range(100):
        machine.add(f"later {index}", 3, caller=f"visitor {index}")
        machine.run()
    machine.scheduler.order(machine.now)
    assert len(machine.scheduler._accounts) <= 6


def test_leaving_twice_or_never_having_joined_is_no_fault():
    scheduler = FairScheduler()
    job = Job("x", 3)
    scheduler.leave(job)
    scheduler.join(job)
    scheduler.leave(job)
    scheduler.leave(job)
    assert scheduler.order(0.0) == []


def test_live_images_share_evenly_and_leave_more_than_half_to_an_image_that_is_waited_for():
    machine = Machine()
    machine.add("still", 40, "reader")
    viewers = [f"viewer {number}" for number in range(4)]
    for _ in range(60):  # Each stream asks for its next frame as soon as it has one.
        drawing = {job.scheduling.caller for job in machine.jobs}
        for viewer in viewers:
            if viewer not in drawing:
                machine.add("frame", 1, viewer, Priority.LIVE)
        machine.run(1)
    assert 33 <= machine.served["reader"] < 40
    served = [machine.served[viewer] for viewer in viewers]
    assert max(served) - min(served) <= 1
    assert min(served) > 3
