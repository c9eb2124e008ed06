"""The training loop: what it keeps, how it stops, and that sharing a step between processes changes nothing."""

from __future__ import annotations

import csv
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from training_runs import small_run, two_persons

from lpd_plugin.errors import BadInput, Cancelled, WorkFailed
from lpd_plugin.learning.checkpoint import module_state, read_checkpoint
from lpd_plugin.learning.data.store import HeadStore
from lpd_plugin.learning.meta_learning import MetaLearning
from lpd_plugin.learning.processes import Processes
from lpd_plugin.progress import Progress

ONE_OF_TWO = """
import pickle, sys, torch
from pathlib import Path
from lpd_plugin.learning.meta_learning import MetaLearning
from lpd_plugin.learning.processes import joined_processes
folder = Path(sys.argv[1])
torch.set_num_threads(1)
store, config = pickle.loads((folder / "store.pickle").read_bytes())
with joined_processes("cpu") as processes:
    MetaLearning(config, store, folder / "shared", processes=processes).run()
"""


@pytest.fixture(scope="module")
def store(carphone, astronaut) -> HeadStore:
    return two_persons(carphone, astronaut)


class StopAfter(Progress):
    """A host that asks to stop after some steps."""

    def __init__(self, steps: int):
        self.steps = steps

    def advanced(self, task) -> None:
        if task.done >= self.steps:
            raise Cancelled()


def largest_difference(one: dict, two: dict) -> float:
    """Of any weight, relative to its tensor's largest."""
    floats = [k for k, v in one.items() if v.is_floating_point() and v.numel()]
    return max(float((one[k] - two[k]).abs().max() / two[k].abs().max().clamp_min(1e-6)) for k in floats)


def run_in_two_processes(folder: Path, store: HeadStore, config) -> None:
    """As torchrun would start it on one machine with two CPUs; the run's folder is folder/shared."""
    (folder / "store.pickle").write_bytes(pickle.dumps((store, config)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    here = Path(__file__).parent
    common = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    common["PYTHONPATH"] = os.pathsep.join([str(here), str(here.parent)])
    command = [sys.executable, "-c", ONE_OF_TWO, str(folder)]
    started = [
        subprocess.Popen(command, env={**common, "RANK": rank, "LOCAL_RANK": rank}, stderr=subprocess.PIPE, text=True)
        for rank in ("0", "1")
    ]
    said = [process.communicate(timeout=240)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], said


def test_what_was_drawn_before_a_run_does_not_change_what_it_sees(store, tmp_path):
    first = MetaLearning(small_run(), store, tmp_path / "one")
    one = [first.train_step() for _ in range(2)]
    second = MetaLearning(small_run(), store, tmp_path / "two")
    torch.manual_seed(99)
    torch.rand(7)
    assert [second.train_step() for _ in range(2)] == one


def test_the_losses_of_two_micro_batches_are_the_mean_of_each_alone(store, tmp_path):
    terms = MetaLearning(small_run(micro_batches=2), store, tmp_path / "a").train_step()
    halves = []
    for part in (0, 1):
        run = MetaLearning(small_run(micro_batches=2), store, tmp_path / "b")
        run.micro_batches = range(part, part + 1)
        halves.append(run.train_step())
    for name, value in terms.items():
        assert value == pytest.approx((halves[0][name] + halves[1][name]) / 2, rel=1e-4), name
    assert halves[0]["content_laplacian"] != halves[1]["content_laplacian"]


def test_micro_batches_that_processes_cannot_share_are_refused(store, tmp_path):
    with pytest.raises(BadInput, match="micro_batches is 1, which 2 processes cannot share"):
        MetaLearning(small_run(), store, tmp_path / "run", processes=Processes(0, 2))


def test_two_processes_learn_what_one_learns_from_the_same_global_batch(store, tmp_path, one_thread):
    config = small_run(micro_batches=2, adversarial_from=1, steps=3, checkpoint_minutes=60)
    alone = MetaLearning(config, store, tmp_path / "alone")
    before = {name: value.clone() for name, value in alone.model.state_dict().items()}
    alone.run()
    run_in_two_processes(tmp_path, store, config)
    tensors, extra = read_checkpoint(tmp_path / "shared" / "checkpoint.safetensors")
    assert extra["step"] == 3
    assert largest_difference(before, alone.model.state_dict()) > 1e-2
    assert largest_difference(module_state(tensors, "model"), alone.model.state_dict()) < 1e-3
    judge = module_state(tensors, "discriminator")
    assert largest_difference(judge, alone.discriminator.state_dict()) < 1e-3


def test_bfloat16_gives_the_same_losses_to_its_precision_and_leaves_float32_weights(store, tmp_path):
    exact = MetaLearning(small_run(adversarial_from=0), store, tmp_path / "a").train_step()
    run = MetaLearning(small_run(adversarial_from=0, precision="bfloat16"), store, tmp_path / "b")
    mixed = run.train_step()
    assert mixed["content_laplacian"] == pytest.approx(exact["content_laplacian"], rel=0.02)
    assert mixed["content_laplacian"] != exact["content_laplacian"]
    assert {p.dtype for p in run.model.parameters()} == {torch.float32}
    assert all(p.grad.isfinite().all() for p in run.model.parameters() if p.grad is not None)


def test_the_last_checkpoints_and_the_best_are_kept(store, tmp_path):
    folder = tmp_path / "run"
    config = small_run(steps=5, checkpoint_minutes=0.0, keep_last=2, validation_steps=1)
    MetaLearning(config, store, folder, held_out=store).run()
    kept = sorted(path.name for path in folder.glob("checkpoint-*"))
    assert kept == ["checkpoint-00000004.safetensors", "checkpoint-00000005.safetensors"]
    assert read_checkpoint(folder / kept[0])[1]["step"] == 4
    with (folder / "log.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["validation"]]
    best = min(rows, key=lambda row: float(row["validation"]))
    assert len(rows) == 5 and read_checkpoint(folder / "best.safetensors")[1]["step"] == int(best["step"])


def test_a_run_asked_to_stop_writes_its_checkpoint_and_goes_on_from_there(store, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Cancelled, match="stopped at step 2 of 4"):
        MetaLearning(small_run(), store, folder).run(StopAfter(2))
    again = MetaLearning(small_run(), store, folder)
    assert again.step == 2
    again.run()
    whole = MetaLearning(small_run(), store, tmp_path / "whole")
    whole.run()
    for name, value in whole.average.state_dict().items():
        assert torch.equal(value, again.average.state_dict()[name]), name


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoint(store, tmp_path):
    folder = tmp_path / "run"
    MetaLearning(small_run(steps=2), store, folder).run()
    before = (folder / "checkpoint.safetensors").read_bytes()
    run = MetaLearning(small_run(steps=6), store, folder)
    with torch.no_grad():
        run.model.generator.constant.fill_(float("nan"))
    with pytest.raises(WorkFailed, match="not a number any more at step"):
        run.run()
    assert (folder / "checkpoint.safetensors").read_bytes() == before


def test_a_full_disk_during_a_checkpoint_keeps_the_one_before(store, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    run = MetaLearning(small_run(steps=2), store, folder)
    run.run()
    before = (folder / "checkpoint.safetensors").read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    run.train_step()
    with pytest.raises(BadInput, match="is full, so checkpoint.safetensors was not written"):
        run.save()
    assert (folder / "checkpoint.safetensors").read_bytes() == before
    assert not [path for path in folder.iterdir() if "part" in path.name]


def test_another_runs_folder_is_refused(store, tmp_path):
    MetaLearning(small_run(steps=1), store, tmp_path / "run").run()
    with pytest.raises(BadInput, match="holds a run with side 32, not 64"):
        MetaLearning(small_run(side=64), store, tmp_path / "run")
    fewer = HeadStore(store.frames, store.masks, store.clips[:2])
    with pytest.raises(BadInput, match="holds a run over 3 clips, but there are 2 now"):
        MetaLearning(small_run(), fewer, tmp_path / "run")


def test_losses_and_sheets_go_to_tensorboard(store, tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = MetaLearning(small_run(steps=3, log_steps=1, sheet_steps=3, tensorboard=True), store, tmp_path / "run")
    run.run()
    read = events.EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    read.Reload()
    assert [event.step for event in read.Scalars("content_laplacian")] == [1, 2, 3]
    assert read.Images("sheet")[0].width == 10 * 128
