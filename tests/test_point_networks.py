"""Teachers of the face reader: networks of others that find 68 points of a face."""

import sys

import numpy as np
import pytest
from heads_media import heads_folder

from lpd_plugin.cli.main import main
from lpd_plugin.errors import BadInput
from lpd_plugin.learning.data.any_heads import open_heads
from lpd_plugin.learning.face_marks import BOX, MIRRORED, marks_of, taught_by
from lpd_plugin.learning.point_networks import SIDE, PointNetwork, mean_finder

BEGIN = np.reshape(BOX, (2, 2))
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def seeker(path, numbers=136, off=0.0, channel=0):
    """A network whose 68 points all lie in the middle of what shines in one channel, each a little apart, `off` further right."""
    from onnx import TensorProto, helper, numpy_helper

    axis = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE
    across, down = np.tile(axis, (SIDE, 1)), np.tile(axis[:, None], (1, SIDE))
    apart = np.random.default_rng(0).uniform(-0.2, 0.2, (68, 2)).astype(np.float32) + np.float32([off, 0])
    constants = {
        "across": across[None], "down": down[None], "apart": apart.reshape(1, 136), "which": np.int64(channel),
        "axes": np.array([1, 2]), "little": np.float32(1e-6), "times": np.array([1, 68]), "first": np.array([0]),
        "last": np.array([numbers]), "one": np.array([1]),
    }  # fmt: skip
    node = helper.make_node
    nodes = [
        node("Gather", ["face", "which"], ["lit"], axis=1),
        node("ReduceSum", ["lit", "axes"], ["light"], keepdims=0), node("Add", ["light", "little"], ["all"]),
        node("Mul", ["lit", "across"], ["by x"]), node("ReduceSum", ["by x", "axes"], ["sum x"], keepdims=0),
        node("Mul", ["lit", "down"], ["by y"]), node("ReduceSum", ["by y", "axes"], ["sum y"], keepdims=0),
        node("Div", ["sum x", "all"], ["x"]), node("Div", ["sum y", "all"], ["y"]),
        node("Unsqueeze", ["x", "one"], ["x1"]), node("Unsqueeze", ["y", "one"], ["y1"]),
        node("Concat", ["x1", "y1"], ["place"], axis=1), node("Tile", ["place", "times"], ["places"]),
        node("Add", ["places", "apart"], ["points"]), node("Slice", ["points", "first", "last", "one"], ["said"]),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes, "seeker", [helper.make_tensor_value_info("face", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("said", TensorProto.FLOAT, [1, numbers])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path, apart


def lit(x, y, side=256, channel=0):
    """A dark head crop with a bright disc at x, y in shares of its side."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    picture = np.zeros((side, side, 3), np.uint8)
    bright = (side / 28 - np.hypot(columns - x * side, rows - y * side)).clip(0, 1)  # smooth: its middle is exact
    picture[..., channel] = (255 * bright).round()
    return picture


@pytest.mark.parametrize("place", [(0.5, 0.5), (0.42, 0.6), (0.6, 0.47)])
@pytest.mark.parametrize("side", [256, 96])
def test_points_are_said_where_they_lie_in_the_crop_whatever_square_of_it_the_network_saw(tmp_path, place, side):
    path, apart = seeker(tmp_path / "seeker.onnx")
    network = PointNetwork(path)
    for near in (BEGIN, BEGIN * 0.5 + 0.25, BEGIN + 0.03):
        found = network.points(lit(*place, side), near, MIRRORED)
        reach = (near.max(0) - near.min(0)).max() * 1.15  # of the two squares it looks at, in the mean
        # What it says of each point by itself is a mean with what it says of the one on the other side of a mirror image.
        own = (apart + apart[MIRRORED] * (-1, 1)) / 2 * reach
        wanted = np.array(place) + own - 0.5 / side  # counted from the middle of the first pixel
        assert np.abs(found - wanted).max() < 0.15 / side


def test_a_networks_own_leaning_to_one_side_is_gone_by_mirror_images(tmp_path):
    straight, leaning = (PointNetwork(seeker(tmp_path / f"{off}.onnx", off=off)[0]) for off in (0.0, 0.1))
    picture = lit(0.5, 0.55)
    assert np.abs(straight.points(picture, BEGIN, MIRRORED) - leaning.points(picture, BEGIN, MIRRORED)).max() < 1e-5


def test_several_networks_are_asked_twice_and_their_mean_counts(tmp_path):
    red, green = (seeker(tmp_path / f"{channel}.onnx", channel=channel)[0] for channel in (0, 1))
    picture = lit(0.45, 0.5) + lit(0.55, 0.54, channel=1)
    found = mean_finder([red, green], BEGIN, MIRRORED)(picture)
    assert np.abs(found.mean(0) - (0.5, 0.52)).max() < 0.02
    alone = mean_finder([red], BEGIN, MIRRORED)(picture)
    assert np.abs(alone.mean(0) - (0.45, 0.5)).max() < 0.02
    # Asked again around what was found: its points reach less far than the face's box did.
    once = PointNetwork(red).points(picture, BEGIN, MIRRORED)
    assert np.ptp(alone, 0).max() < 0.5 * np.ptp(once, 0).max()


def test_labels_say_who_found_them_and_are_not_mixed_up_with_others(tmp_path, monkeypatch):
    class Store:
        count = 2

        def raw(self, rows):
            return np.stack([lit(0.5, 0.4 + 0.1 * row) for row in rows]), None

    path, cache = seeker(tmp_path / "seeker.onnx")[0], tmp_path / "points.npz"
    marks = marks_of(Store(), cache, networks=[path])
    assert marks.points[1, :, 1].mean() - marks.points[0, :, 1].mean() == pytest.approx(0.1, abs=0.01)
    assert np.allclose(marks_of(Store(), cache, networks=[path]).points, marks.points, atol=1e-6)
    assert np.allclose(marks_of(Store(), cache).points, marks.points, atol=1e-6)  # a painter takes what its reader learned from
    with pytest.raises(BadInput, match="points that seeker.onnx found, not dlib: delete it, or take another folder"):
        marks_of(Store(), cache, networks=[])
    other = seeker(tmp_path / "other.onnx")[0]
    with pytest.raises(BadInput, match=r"points that seeker.onnx found, not seeker.onnx \+ other.onnx"):
        marks_of(Store(), cache, networks=[path, other])


def test_what_is_no_such_network_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "text.onnx").write_text("not a network")
    (tmp_path / "net.xml").write_text("<net/>")
    (tmp_path / "net.pth").write_bytes(b"")
    short, _ = seeker(tmp_path / "short.onnx", numbers=10)
    monkeypatch.setitem(sys.modules, "openvino", None)
    for name, sentence in {
        "missing.onnx": "There is no file .*missing.onnx", "text.onnx": "onnxruntime cannot run .*text.onnx",
        "net.pth": "no network of points", "net.xml": "needs openvino: pip install openvino",
        "short.onnx": "says 10 numbers of a face, not x and y of 68 points",
    }.items():  # fmt: skip
        with pytest.raises(BadInput, match=sentence) as raised:
            PointNetwork(tmp_path / name)
        assert "\n" not in str(raised.value)


def test_the_command_learns_from_networks_it_is_told_and_of_mouths_from_dlib(tmp_path, carphone, astronaut, monkeypatch, capsys):
    heads, run = heads_folder(tmp_path / "heads", carphone, astronaut), tmp_path / "run"
    dlibs = np.random.default_rng(1).uniform(0.3, 0.7, (68, 2))
    monkeypatch.setattr("lpd_plugin.learning.face_marks.point_finder", lambda: lambda picture: dlibs)
    words = ["train", "face-reader", "-o", str(run), "--heads", str(heads), "--steps", "2", "--device", "cpu"]
    main([*words, "--points", str(seeker(tmp_path / "a.onnx")[0]), "--points", str(seeker(tmp_path / "b.onnx")[0])])
    assert (run / "checkpoint.safetensors").is_file()
    with np.load(run / "points-train.npz") as file:
        assert str(file["finder"]) == "a.onnx + b.onnx" and len(file["points"]) == 46
        assert not np.allclose(file["points"], dlibs)
    with np.load(run / "mouths-train.npz") as file:
        assert str(file["finder"]) == "dlib" and np.allclose(file["points"], dlibs)
    # A painter over this reader learns from the same: the networks' points, but for where lips meet.
    store = open_heads(heads, "train", 256)
    marks, mouths = taught_by(store, "train", run)
    assert np.allclose(marks.points[:, 60:], dlibs[60:]) and np.allclose(mouths.points, dlibs)
    assert np.allclose(marks.points[:, :60], marks_of(store, run / "points-train.npz").points[:, :60])
    assert taught_by(store, "train", tmp_path / "dlibs", networks=())[1] is None
    with pytest.raises(SystemExit):
        main(words)
    assert "holds points that a.onnx + b.onnx found, not dlib" in capsys.readouterr().err
