"""Who is given what: nothing to two at once, nothing for ever to the dead, and no clock of the calendar in it."""

from __future__ import annotations

import os
import time

import pytest
from batch_media import Bench, write_jobs

from lpd_plugin.batch import leases, records, state as states
from lpd_plugin.batch.failures import is_transient
from lpd_plugin.batch.leases import Watch, leave, register
from lpd_plugin.batch.records import LeaseLost
from lpd_plugin.batch.state import State
from lpd_plugin.errors import BadInput, WorkFailed
from lpd_plugin.video.segments import cut


@pytest.fixture
def bench(make_clip, tmp_path):
    clips = [str(make_clip(f"{n}.mp4", count=64)) for n in range(2)]
    return Bench(write_jobs(tmp_path / "w", [{"set": {"clip": clip}} for clip in clips]))


def opened(state: State, worker: str, frames: int = 64):
    """Take a job and say how long it is."""
    task = state.claim(worker)
    assert task.kind == "open"
    state.opened(task, worker, cut(frames, 8), 0.0)
    return task


def test_a_worker_goes_on_with_the_next_segment_of_its_job(bench):
    state = bench.state
    job = opened(state, "one").job
    numbers, last = [], (job, -1)
    for _ in range(8):
        task = state.claim("one", last)
        state.rendered(task, "one", 0.0, False)
        last = (task.job, task.number)
        numbers.append(last)
    assert numbers == [(job, n) for n in range(8)]
    assert state.claim("one", last).kind == "finish"


def test_another_worker_takes_another_job_and_then_half_of_what_is_left(bench):
    state = bench.state
    job = opened(state, "one").job
    first = state.claim("one", (job, -1))
    assert first.number == 0
    other = state.claim("two")
    assert other.kind == "open" and other.job != job
    state.failed(other, "two", "broken", None)
    stolen = state.claim("two")
    assert (stolen.job, stolen.number) == (job, 4)
    assert state.claim("two", (job, 4)).number == 5
    assert state.claim("one", (job, 0)).number == 1


def test_nothing_is_handed_out_twice(bench):
    job = opened(bench.state, "w0").job
    given = [bench.state.claim(f"w{n}", (job, -1)) for n in range(9)]
    segments = [task.number for task in given if task.kind == "segment"]
    assert len(segments) == len(set(segments)) == 8 and given[-1].kind == "open"
    assert bench.state.claim("w9") is None


def test_a_late_workers_word_does_not_count(bench):
    state = bench.state
    slow = register(state)
    task = state.claim(slow)
    leave(state, slow)  # as whoever took it for dead does
    again = state.claim("two")
    assert (again.job, again.kind, again.epoch) == (task.job, "open", task.epoch + 1)
    for word in (
        lambda: state.opened(task, slow, cut(8, 8), 0.0),
        lambda: state.failed(task, slow, "x", None),
        lambda: state.placed(task, slow, lambda: pytest.fail("it was given its name"), 0.0),
    ):
        with pytest.raises(LeaseLost):
            word()
    state.opened(again, "two", cut(8, 8), 0.0)


class Clock:
    def __init__(self):
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def elsewhere(state: State, name: str) -> None:
    """A worker whose process cannot be seen from here, as in another container."""
    with state.write() as db:
        db.execute("INSERT INTO workers (id, place, pid, born) VALUES (?, 'another machine', 1, '1')", (name,))


def beat(state: State, name: str) -> None:
    with state.write() as db:
        db.execute("UPDATE workers SET beat = beat + 1 WHERE id = ?", (name,))


def test_a_worker_that_cannot_be_seen_is_gone_when_its_beat_stands_still_for_a_lease(bench):
    state, clock = bench.state, Clock()
    watch = Watch(clock, lease=60)
    elsewhere(state, "far")
    task = state.claim("far")
    assert watch.bury_dead(state) == []
    for _ in range(5):
        clock.seconds += 59
        beat(state, "far")
        assert watch.bury_dead(state) == []
    clock.seconds += 59
    assert watch.bury_dead(state) == []
    clock.seconds += 2
    assert watch.bury_dead(state) == ["far"] and watch.bury_dead(state) == []
    assert state.claim("near").job == task.job


def test_a_jump_of_the_calendars_clock_takes_nobodys_work_away(bench, monkeypatch):
    state, watch = bench.state, Watch()
    elsewhere(state, "far")
    state.claim("far")
    assert watch.bury_dead(state) == []
    for jump in (+10 * 365 * 86400, -10 * 365 * 86400):
        shown = time.time() + jump
        monkeypatch.setattr(time, "time", lambda: shown)
        assert watch.bury_dead(state) == [] and watch.living(state) == ["far"]
    task = state.claim("near")
    state.failed(task, "near", "passing", 0.0)
    assert state.claim("near").job == task.job  # what is due is due, whatever the calendar says


def test_a_killed_process_of_this_machine_is_seen_at_once(bench):
    state = bench.state
    register(state, "killed", os.getpid())
    with state.write() as db:  # its number lives on, as another process
        db.execute("UPDATE workers SET born = 'before' WHERE id = 'killed'")
    task = state.claim("killed")
    register(state, "alive")
    assert Watch().bury_dead(state) == ["killed"] and Watch().living(state) == ["alive"]
    assert state.claim("alive").job == task.job


def test_a_sleeper_that_was_buried_learns_it_from_its_own_heart(bench):
    name = register(bench.state)
    heart = leases.Heart(bench.folder, name, lambda: ("at work", 1, 2))
    heart._beat(bench.state)
    assert not heart.lost.is_set()
    leave(bench.state, name)
    heart._beat(bench.state)
    assert heart.lost.is_set()


def test_what_passes_is_tried_again_after_a_wait_that_doubles(bench, monkeypatch):
    clock = Clock()
    for module in (states, records):
        monkeypatch.setattr(module, "now", clock)
    worker = bench.worker("one")
    patience = type(bench.patience)(retries=2, wait=10.0)
    worker.patience = patience

    class Failing:
        def ready(self):
            return True

        def open(self, spec):
            raise ConnectionResetError("the network went away")

        def close(self): ...

    worker.performer = Failing()
    ids = [job.id for job in bench.jobs]

    def attempts() -> list[int]:
        while worker.step():
            pass
        return [sum(e["job"] == one and e["what"] in ("retry", "failed") for e in bench.state.events()) for one in ids]

    assert attempts() == [1, 1]
    clock.seconds += 9
    assert attempts() == [1, 1]
    clock.seconds += 2
    assert attempts() == [2, 2]
    clock.seconds += 19
    assert attempts() == [2, 2]
    clock.seconds += 2
    assert attempts() == [3, 3] and bench.state.settled()
    assert all(job["reason"] == "ConnectionResetError: the network went away" for job in bench.state.jobs())


def test_only_what_may_pass_is_tried_again():
    def caused(error, cause):
        error.__cause__ = cause
        return error

    assert is_transient(OSError(28, "No space left on device")) and is_transient(MemoryError())
    assert is_transient(caused(WorkFailed("writing failed"), OSError(116, "Stale file handle")))
    assert not is_transient(BadInput("no head was found")) and not is_transient(ZeroDivisionError())
    assert not is_transient(caused(BadInput("cannot be written"), OSError(13, "Permission denied")))


def test_a_process_that_dies_on_the_same_work_again_and_again_fails_its_job_only(bench):
    state = bench.state
    job = None
    for number in range(3):
        name = register(state)
        task = state.claim(name)
        job = job or task.job
        assert task.job == job and task.attempts == number
        state.lost(name, "the process that worked on it was ended by SIGKILL", 2, 0.0)
    outcome = {one["id"]: one for one in state.jobs()}
    assert outcome[job]["state"] == "failed" and "SIGKILL" in outcome[job]["reason"]
    assert state.claim("next").job != job


def test_an_identity_that_several_jobs_need_is_made_once_before_them(make_clip, tmp_path):
    clip = str(make_clip("a.mp4"))
    values = {"footage": clip, "driver": clip, "adapt_steps": 0}
    jobs = [{"preset": "reenact", "set": values | {"grain": grain}, "output": f"{grain}.mp4"} for grain in (0.1, 0.2, 0.3)]
    bench = Bench(write_jobs(tmp_path / "w", jobs))
    assert len({key for job in bench.jobs for _, key in job.shared}) == 1
    share = bench.state.claim("one")
    assert (share.kind, share.node) == ("share", "adapted") and bench.state.claim("two") is None
    bench.state.shared(share, "one", 1.0)
    assert [bench.state.claim(name).kind for name in ("one", "two", "three")] == ["open"] * 3
