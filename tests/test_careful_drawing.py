"""Heads get drawn where memory is short and where half precision is not enough, and the user is told."""

from __future__ import annotations

import importlib
import sys
import time
from types import SimpleNamespace

import fake_comfyui
import numpy as np
import pytest
import torch
from torch import nn

from lpd_plugin.ahead import worked_ahead
from lpd_plugin.errors import WorkFailed
from lpd_plugin.graph.registry import nodes_package
from lpd_plugin.reenactment import half
from lpd_plugin.reenactment.careful import CarefulDrawing
from lpd_plugin.weights.residency import at_work, brought_by

POSES = np.linspace(0, 1, 6, dtype=np.float32)[:, None]


class Model(nn.Module):
    """Where a drawing lies."""

    def __init__(self):
        super().__init__()
        self.generator = nn.Module()
        self.generator.constant = nn.Parameter(torch.zeros(1))
        self.pose_bank = torch.tensor([[0.2], [0.6]])


def careful(draw, **options):
    """A drawing that is careful with `draw`, and the list of what it says."""
    said = []
    identity = SimpleNamespace(embedding=torch.zeros(1))
    return CarefulDrawing(identity, Model(), lambda identity, model: draw, note=said.append, **options), said


def shade(_, poses):
    """Grey heads as light as their pose says."""
    return poses[:, :, None, None].expand(-1, 3, 4, 4).clone(), torch.ones(len(poses), 1, 4, 4)


def lightness(heads):
    return np.array([head.rgb.mean() for head in heads])


@pytest.mark.parametrize("room", [5, 3, 1])
def test_where_memory_is_short_fewer_are_drawn_at_once_and_all_are_drawn(room):
    drawn = []

    def small(identity, poses):
        if len(poses) > room:
            raise torch.OutOfMemoryError
        drawn.append(len(poses))
        return shade(identity, poses)

    draw, said = careful(small)
    assert np.allclose(lightness(draw(POSES)), POSES[:, 0])
    assert sum(drawn) == 6 and max(drawn) <= room
    assert said and all("the memory of cpu is full: drawing" in one for one in said)
    drawn.clear()
    before = len(said)
    draw(POSES)  # it has learned how much there is
    assert sum(drawn) == 6 and len(said) == before


def test_where_not_even_one_can_be_drawn_the_work_fails_in_words():
    def none(identity, poses):
        raise torch.OutOfMemoryError

    draw, _ = careful(none)
    with pytest.raises(WorkFailed, match="^out of memory while drawing heads; close other programs$"):
        draw(POSES)


@pytest.fixture
def halves(monkeypatch):
    """A machine whose CPU computes half precision."""
    monkeypatch.setattr(half, "half_type", lambda device: torch.bfloat16)


def test_what_half_precision_cannot_hold_is_drawn_again_in_full(halves):
    asked = []

    def overflowing(identity, poses):
        in_half = torch.is_autocast_enabled("cpu")
        asked.append((in_half, len(poses)))
        rgb, mask = shade(identity, poses)
        if in_half:
            rgb[poses[:, 0] > 0.7] = float("inf")
            mask[poses[:, 0] > 0.9] = float("nan")
        return rgb, mask

    draw, said = careful(overflowing, half=True)
    with torch.inference_mode():
        heads = draw(POSES)
    assert np.allclose(lightness(heads), POSES[:, 0]) and all((head.matte == 1).all() for head in heads)
    assert asked == [(False, 2), (True, 2), (True, 6), (False, 2)]  # tried on the bank, drawn, and what was lost
    assert said == ["some heads are too bright or dark for half precision and were drawn in full"]


@pytest.mark.parametrize("off, psnr", [(0.004, None), (0.01, 41)])
def test_half_precision_is_used_only_where_it_draws_the_same(halves, off, psnr):
    """Lighter by 0.004 is 49 dB, by 0.01 41 dB, of which the mask, which is right, makes a quarter."""
    used = []

    def lighter(identity, poses):
        in_half = torch.is_autocast_enabled("cpu")
        used.append(in_half)
        rgb, mask = shade(identity, poses)
        return rgb + off * in_half, mask

    draw, said = careful(lighter, half=True)
    heads = draw(POSES)
    if psnr is None:
        assert said == [] and used[-1]
    else:
        assert said == [f"half precision draws something else ({psnr} dB, 45 wanted): heads are drawn in full"]
        assert not used[-1] and np.allclose(lightness(heads), POSES[:, 0])


def test_a_cpu_without_half_precision_draws_in_full_and_says_so(monkeypatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    used = []
    draw, said = careful(lambda one, poses: used.append(torch.is_autocast_enabled("cpu")) or shade(one, poses), half=True)
    draw(POSES)
    assert used == [False] and said == ["half precision is no faster on this machine's CPU: heads are drawn in full"]


def test_weights_that_draw_no_numbers_are_not_passed_on():
    draw, _ = careful(lambda identity, poses: (shade(identity, poses)[0] * float("nan"), shade(identity, poses)[1]))
    with pytest.raises(WorkFailed, match="^the weights draw values that are no numbers"):
        draw(POSES)


def test_a_host_is_asked_to_bring_a_network_to_its_device_and_leaves_copies_alone(monkeypatch, tmp_path):
    host = fake_comfyui.install(monkeypatch, tmp_path)
    fake_comfyui.forget_adapter(monkeypatch)
    nodes_package()
    try:
        importlib.import_module("lpd_plugin.nodes.host.residency").register()
        network = Model()
        at_work(network)
        assert host.brought == []  # on the CPU there is nothing to manage
        host.device = "cuda"
        other = Model()
        at_work(other)
        at_work(other)
        assert host.brought == [other, other] and other.lpd_patcher.load_device.type == "cuda"
        copied = Model()
        copied.lpd_patcher = other.lpd_patcher
        at_work(copied)
        assert host.brought == [other, other]
    finally:
        brought_by(None)
        for name in [name for name in sys.modules if name.startswith("lpd_plugin.nodes.host")]:
            del sys.modules[name]


def test_a_host_is_asked_by_one_thread_at_a_time():
    inside, most = [], []

    def bring(network):
        inside.append(network)
        most.append(len(inside))
        time.sleep(0.001)
        inside.pop()

    brought_by(bring)
    try:
        list(worked_ahead(lambda _: at_work(None), range(40), 4))
    finally:
        brought_by(None)
    assert len(most) == 40 and max(most) == 1
