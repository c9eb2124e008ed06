"""The loop that the smaller trainings share: what it logs, when it saves, how it stops and what it refuses to save."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from training_runs import two_persons

from lpd_plugin.errors import Cancelled, WorkFailed
from lpd_plugin.learning.matte_training import MatteConfig, MatteTraining
from lpd_plugin.learning.running_average import follow, memory
from lpd_plugin.learning.single_run import SingleRun


class Counting(SingleRun):
    """Its loss is the number of the step; remembers at which steps it saved and looked."""

    def __init__(self, folder, steps=5, minutes=60.0, at=None, do=None):
        self.config = SimpleNamespace(steps=steps, log_steps=2, checkpoint_minutes=minutes)
        self.folder, self.step, self.seconds, self.saved, self.looked, self.at, self.do = folder, 0, 0.0, [], [], at, do

    def train_step(self):
        self.step += 1
        value = float(self.step)
        if self.step == self.at:
            value = self.do(value)
        return {"loss": value}

    def save(self):
        self.saved.append(self.step)

    def look(self, last):
        self.looked.append((self.step, last))


def rows(folder) -> list[list[str]]:
    return [line.split(",") for line in (folder / "log.csv").read_text().splitlines()]


def test_a_run_logs_means_saves_at_its_end_and_looks_at_every_step(tmp_path):
    run = Counting(tmp_path / "run")
    run.run()
    assert [(row[0], row[3]) for row in rows(tmp_path / "run")[1:]] == [("2", "1.5"), ("4", "3.5"), ("5", "5")]
    assert run.saved == [5] and run.looked == [(1, False), (2, False), (3, False), (4, False), (5, True)]
    often = Counting(tmp_path / "often", minutes=0.0)
    often.run()
    assert often.saved == [1, 2, 3, 4, 5]


def test_a_loss_that_is_no_number_ends_the_run_before_anything_is_saved_over(tmp_path):
    run = Counting(tmp_path, minutes=0.0, at=3, do=lambda value: float("nan"))
    with pytest.raises(WorkFailed, match="The loss 'loss' is not a number any more at step 3: the last checkpoint is kept"):
        run.run()
    assert run.saved == [1, 2]


def test_a_run_asked_to_stop_finishes_its_step_saves_and_says_how_to_go_on(tmp_path):
    def asked(value):
        os.kill(os.getpid(), signal.SIGTERM)
        return value

    run = Counting(tmp_path, at=3, do=asked)
    with pytest.raises(Cancelled, match="stopped at step 3 of 5; the same command goes on"):
        run.run()
    assert run.saved == [3]
    run.at = None
    run.run()
    assert run.saved == [3, 5] and [row[0] for row in rows(tmp_path)[1:]] == ["2", "3", "4", "5"]


def test_a_matte_stopped_and_resumed_learns_the_same(carphone, astronaut, tmp_path):
    store = two_persons(carphone, astronaut)
    config = MatteConfig(steps=4, batch=2, log_steps=2)
    MatteTraining(config, store, tmp_path / "whole").run()
    part = MatteTraining(config, store, tmp_path / "parts")
    part.train_step(), part.train_step()
    part.folder.mkdir()
    part.save()
    MatteTraining(config, store, tmp_path / "parts").run()
    whole, again = (MatteTraining(config, store, tmp_path / name).average.state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(value, again[name]) for name, value in whole.items())


def test_an_average_follows_parameters_and_statistics_and_its_memory_grows():
    average, network = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    with torch.no_grad():
        network.weight.fill_(3.0), network.running_mean.fill_(10.0), network.num_batches_tracked.fill_(7)
    follow(average, network, 0.75)
    assert torch.allclose(average.weight, torch.full((2,), 1.5)) and torch.allclose(average.running_mean, torch.full((2,), 2.5))
    assert average.num_batches_tracked == 7
    assert memory(0.99, 0) == 0.1 and memory(0.99, 90) == 0.91 and memory(0.99, 10**6) == 0.99
