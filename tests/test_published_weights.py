"""Checkpoints of the authors' released code: read without running anything, imported, used, and written back."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import pathlib
import pickle
import pickletools
from collections import OrderedDict

import av
import numpy as np
import pytest
import torch
from safetensors import safe_open

from lpd_plugin.cli.main import main
from lpd_plugin.errors import BadInput
from lpd_plugin.reenactment.generate import GeneratedHeads
from lpd_plugin.reenactment.identity import Identity, encode_identity
from lpd_plugin.reenactment.pose import Pose
from lpd_plugin.weights.export_published import export_released
from lpd_plugin.weights.files import load_discriminator, load_model, weights_info
from lpd_plugin.weights.import_published import import_released
from lpd_plugin.weights.published_checkpoint import read_released

from conftest import SHARED

PARITY = SHARED / "parity"
needs_parity = pytest.mark.skipif(not PARITY.exists(), reason="needs ../shared/parity")


# Reading pickles


class Calls:
    """Pickles as a call of anything with anything."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def _evil(marker: pathlib.Path) -> dict[str, object]:
    command = f"touch {marker}"
    return {
        "os.system": Calls(os.system, command),
        "builtins.eval": Calls(eval, f"open({str(marker)!r}, 'w')"),
        "builtins.getattr": Calls(getattr, "text", "upper"),
        "torch.load": Calls(torch.load, str(marker)),
        "torch.hub.load": Calls(torch.hub.load, "owner/name", "model"),
        "torch.utils.cpp_extension.load": Calls(__import__("torch.utils.cpp_extension", fromlist=["load"]).load, "x", str(marker)),
        "pickle.loads": Calls(pickle.loads, pickle.dumps(Calls(os.system, command))),
        "in the arguments": argparse.Namespace(experiments_dir=Calls(os.system, command)),
        "deep inside": {"a": [({"b": Calls(os.system, command)},)]},
        "as a path": Calls(pathlib.Path.touch, pathlib.PosixPath(marker)),
        "numpy's object type": np.array([Calls(os.system, command)], dtype=object),
    }


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_nothing_in_a_checkpoint_can_run(tmp_path, zipped, protocol):
    marker, path = tmp_path / "ran", tmp_path / "evil.pth"
    for name, evil in _evil(marker).items():
        content = {"embedder": {}, "generator": {}, "args": evil}
        torch.save(content, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
        with pytest.raises(BadInput, match="evil.pth was not read: it asks for '") as raised:
            read_released(path)
        assert not marker.exists(), name
        assert "\n" not in str(raised.value)
    with pytest.raises(BadInput, match=r"it asks for '(posix|nt|os)\.system'"):
        torch.save(Calls(os.system, "true"), path)
        read_released(path)


def test_a_checkpoint_cannot_change_what_python_or_torch_do(tmp_path):
    """A pickle may set attributes on whatever it got hold of; on classes and functions it is refused."""
    path, rebuild = tmp_path / "evil.pth", torch._utils._rebuild_tensor_v2
    for target in (b"cargparse\nNamespace\n", b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n"):
        # protocol 2, the class or function, (no attributes, {"evil": None} as slots), build, stop
        evil = b"\x80\x02" + target + b"}}X\x04\x00\x00\x00evilNs\x86b."
        _write_legacy(path, evil)
        with pytest.raises(BadInput, match="it asks for 'the state of a (type|function)'"):
            read_released(path)
    assert torch._utils._rebuild_tensor_v2 is rebuild and not hasattr(rebuild, "evil")
    assert not hasattr(argparse.Namespace, "evil")


def _write_legacy(path: pathlib.Path, pickled: bytes) -> None:
    """torch's old format with that pickle as its object: magic number, version and system before, storages after."""
    torch.save({}, path, _use_new_zipfile_serialization=False)
    with path.open("rb") as file:
        for _ in range(3):
            for _ in pickletools.genops(file):
                pass
        head = file.tell()
    path.write_bytes(path.read_bytes()[:head] + pickled + pickle.dumps([], 2))


def _options() -> argparse.Namespace:
    return argparse.Namespace(
        experiments_dir=pathlib.PosixPath("/data/experiments"), iteration=1825438, num_labels=3, finetune=False,
        lr_gen=5e-5, beta1=0.0, fixed_val_ids=[50, 100], random_seed=np.int64(123), best=np.float32(0.5), flag=np.bool_(True),
        device="cuda:0", generator="vector_pose_unsupervised_segmentation_noBottleneck", bytes=b"\x00\xff", nothing=None,
        kinds={"a"}, where=torch.device("cpu"),
    )  # fmt: skip


@pytest.mark.parametrize("protocol", [2, 4, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_both_torch_formats_and_every_protocol_are_read_with_their_options(tmp_path, zipped, protocol):
    state = OrderedDict(weight=torch.arange(6.0).view(2, 3).t(), steps=torch.tensor(7), half=torch.ones(2).half())
    state._metadata = OrderedDict({"": {"version": 1}})
    content = {
        "embedder": state, "generator": OrderedDict(), "discriminator": OrderedDict(), "args": _options(),
        "optimizer_G": torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))]).state_dict(), "running_averages": {},
    }  # fmt: skip
    path = tmp_path / "a.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    read = read_released(path)
    assert all(torch.equal(read.embedder[k], v) and read.embedder[k].dtype == v.dtype for k, v in state.items())
    expected = vars(_options()) | {"experiments_dir": pathlib.PurePosixPath("/data/experiments")}
    assert read.args == expected and read.averages == {}
    assert type(read.args["random_seed"]) is int


def test_paths_of_windows_are_read_on_any_system(tmp_path):
    path = tmp_path / "a.pth"
    windows = b"\x80\x02cargparse\nNamespace\n)\x81}X\x01\x00\x00\x00dcpathlib\nWindowsPath\nX\x03\x00\x00\x00C:\\X\x04\x00\x00\x00data\x86Rsb."
    whole = b"\x80\x02}(X\x08\x00\x00\x00embedder}X\x09\x00\x00\x00generator}X\x04\x00\x00\x00args" + windows[2:-1] + b"u."
    _write_legacy(path, whole)
    assert read_released(path).args == {"d": pathlib.PureWindowsPath("C:\\data")}


def test_what_is_no_checkpoint_is_named_in_one_sentence(tmp_path):
    text, cut, other, script = (tmp_path / name for name in ("text.pth", "cut.pth", "other.pth", "script.pth"))
    text.write_text("not a checkpoint " * 20)
    torch.save({"embedder": {"a": torch.zeros(1000)}, "generator": {}}, cut)
    cut.write_bytes(cut.read_bytes()[:700])
    torch.save({"state_dict": {}}, other)
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), script)
    for path, said in (
        (tmp_path / "none.pth", "There is no checkpoint at"),
        (text, "damaged or no torch checkpoint"),
        (cut, "damaged or no torch checkpoint"),
        (other, "lacks 'embedder' and 'generator'"),
        (script, "a torch archive of another kind"),
    ):
        with pytest.raises(BadInput, match=said) as raised:
            read_released(path)
        assert "\n" not in str(raised.value)


# Importing, using, exporting


@pytest.fixture(scope="module")
def fill():
    spec = importlib.util.spec_from_file_location("parity_fill", PARITY / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def released(fill) -> dict:
    """A meta-learned checkpoint with the parity weights as running averages, and other weights of the last step."""
    shapes = json.loads((PARITY / "shapes.json").read_text())
    content = {}
    for part, keys in shapes.items():
        integer = {k for k in keys if k.endswith("num_batches_tracked")}
        empty = {k: torch.zeros(s, dtype=torch.int64 if k in integer else torch.float32) for k, s in keys.items()}
        content[part] = OrderedDict(fill.fill(empty))
    averages = {part: content[part] for part in ("embedder", "generator")}
    last = {part: OrderedDict(state) for part, state in averages.items()}
    last["generator"]["constant.constant"] = 2 * last["generator"]["constant.constant"]
    return {**content, **last, "running_averages": averages, "args": _options()}


@pytest.fixture(scope="module")
def checkpoint(released, tmp_path_factory):
    path = tmp_path_factory.mktemp("released") / "model.pth"
    torch.save(released, path, pickle_protocol=-1)  # as the authors' code does
    return path


@pytest.fixture(scope="module")
def imported(checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("imported") / "published.safetensors"
    return import_released(checkpoint, path, discriminator=True).path


def fake(model, fill, identity=None):
    """rgb * mask and mask of the parity inputs, from a loaded model."""
    with torch.no_grad():
        if identity is None:
            identity = model.identity_encoder(fill.images("identity", 6).view(2, 3, 3, 256, 256))
        rgb, mask = model.generator(identity, model.pose_encoder(fill.images("pose", 2)))
    return rgb * mask, mask


@needs_parity
def test_the_imported_model_computes_what_the_released_code_computes(imported, fill):
    expected = np.load(PARITY / "expected.npz")
    for computed, name in zip(fake(load_model(imported), fill), ("rgb_times_mask", "mask")):
        assert np.abs(computed.numpy() - expected[name]).max() < 1e-3 * expected[name].std()


@needs_parity
def test_the_kept_discriminator_scores_as_the_released_one(imported, fill):
    expected = np.load(PARITY / "expected.npz")
    discriminator = load_discriminator(imported).eval()
    with torch.no_grad():
        score, _ = discriminator(torch.from_numpy(expected["rgb_times_mask"]), torch.tensor([0, 2]))
    assert np.allclose(score.numpy(), expected["score_fake"], atol=1e-3)
    assert load_discriminator("compact") is None


@needs_parity
def test_the_file_says_where_it_comes_from(imported, checkpoint):
    info = weights_info(imported)
    assert info.configuration == "published" and info.note.startswith("Imported from a checkpoint of the method's authors")
    assert info.training["iteration"] == 1825438 and info.training["running averages"] == "embedder, generator"
    assert info.parameters["generator"] == pytest.approx(37.5e6, rel=0.01)


@needs_parity
def test_the_last_steps_weights_are_taken_where_asked_or_where_no_averages_are_kept(released, checkpoint, imported, tmp_path):
    last = import_released(checkpoint, tmp_path / "last.safetensors", averages=False, half=True)
    without = tmp_path / "without.pth"
    torch.save({k: v for k, v in released.items() if k != "running_averages"}, without)
    fallen_back = import_released(without, tmp_path / "without.safetensors", half=True)
    assert last.averaged == fallen_back.averaged == () and last.videos == 0
    constants = [_tensor(path, "generator.constant").float() for path in (imported, last.path, fallen_back.path)]
    assert torch.equal(constants[1], constants[2])
    assert torch.allclose(constants[1], 2 * constants[0], rtol=1e-3)


def _tensor(path, name: str) -> torch.Tensor:
    with safe_open(path, "pt") as file:
        return file.get_tensor(name)


@needs_parity
def test_an_export_is_the_checkpoint_again(released, imported, tmp_path):
    path = export_released(imported, tmp_path / "again.pth")
    again = torch.load(path, weights_only=False)
    assert set(again) == {"embedder", "generator", "discriminator", "optimizer_G", "optimizer_D", "running_averages", "args"}
    for part in ("embedder", "generator"):
        for state in (again[part], again["running_averages"][part]):
            wanted = released["running_averages"][part]
            assert set(state) == set(wanted) and all(torch.equal(state[k], v) for k, v in wanted.items())
    assert all(torch.equal(again["discriminator"][k], v) for k, v in released["discriminator"].items())
    assert again["args"].experiments_dir == pathlib.Path("/data/experiments") and again["args"].num_labels == 3
    assert again["args"].iteration == 1825438 and again["args"].finetune is False
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in again["optimizer_D"]["param_groups"][0]["params"]]
    torch.optim.Adam(parameters).load_state_dict(again["optimizer_D"])
    assert len(parameters) == len([k for k in released["discriminator"] if k.endswith(("weight_orig", "bias"))])


@needs_parity
def test_a_checkpoint_of_another_network_is_named(released, tmp_path):
    path = tmp_path / "other.pth"
    content = {**released, "running_averages": {}, "embedder": released["embedder"] | {"keypoints.0.weight": torch.zeros(1)}}
    torch.save(content, path)
    with pytest.raises(BadInput, match="holds 'keypoints.0.weight', which the published model does not have"):
        import_released(path, tmp_path / "out.safetensors")
    content["embedder"] = {k: v for k, v in released["embedder"].items() if k != "pose_encoder.classifier.1.bias"}
    torch.save(content, path)
    with pytest.raises(BadInput, match="pose_encoder.backbone.classifier.1.bias is missing"):
        import_released(path, tmp_path / "out.safetensors")
    assert not list(tmp_path.glob("*.safetensors"))


def test_only_weights_of_the_published_size_with_a_discriminator_can_be_exported(tmp_path):
    with pytest.raises(BadInput, match="of configuration 'compact'; only 'published'"):
        export_released("compact", tmp_path / "a.pth")


@needs_parity
def test_the_command_imports_and_refuses_to_replace_and_half_precision_hardly_changes_the_picture(
    checkpoint, fill, tmp_path, capsys
):
    output = tmp_path / "published.safetensors"
    main_exits(0, "weights", "import", checkpoint, "-o", output, "--half")
    assert "meta-learned, iteration 1825438, running averages of embedder and generator, 129 MB" in capsys.readouterr().out
    main_exits(2, "weights", "import", checkpoint, "-o", output)
    assert "exists already" in capsys.readouterr().err
    main_exits(2, "weights", "export", output, "-o", tmp_path / "a.pth")
    assert "holds no discriminator" in capsys.readouterr().err
    whole, halved = np.load(PARITY / "expected.npz")["rgb_times_mask"], fake(load_model(output), fill)[0].numpy()
    assert np.abs(whole - halved).mean() < 1 / 255 < whole.std() / 50


def main_exits(code: int, *arguments) -> None:
    try:
        main([str(a) for a in arguments])
        assert code == 0
    except SystemExit as exit:
        assert (exit.code or 0) == code


@pytest.fixture(scope="module")
def fine_tuned(released, tmp_path_factory):
    """A checkpoint fine-tuned to one person, in the weights of its running averages, and the person's embedding."""
    path = tmp_path_factory.mktemp("fine-tuned") / "her.pth"
    embedding = torch.linspace(-1, 1, 512)
    averages = {**released["running_averages"]}
    averages["generator"] = averages["generator"] | {"identity_embedding": embedding[None]}
    content = {**released, "generator": averages["generator"], "running_averages": averages}
    table = ("embed.weight_orig", "embed.weight_u")  # of one row now
    content["discriminator"] = {k: v[:1] if k in table else v for k, v in released["discriminator"].items()}
    torch.save(content, path)
    imported = import_released(path, path.with_suffix(".safetensors"), discriminator=True)
    assert imported.variant == "fine-tuned" and imported.videos == 1
    return imported.path, embedding


@needs_parity
def test_a_fine_tuned_checkpoint_is_the_persons_identity_with_their_own_generator(fine_tuned, fill):
    path, embedding = fine_tuned
    model, identity = load_model(path), Identity.load(path)
    assert torch.equal(identity.embedding, embedding) and not len(identity.pictures)
    pose = Pose(np.zeros(1), model.pose_encoder(fill.images("pose", 1)).detach().numpy(), np.ones(1, bool), 0.04, model.digest)
    head = next(iter(GeneratedHeads(identity, pose, load_model(identity.weights_name))))
    product, mask = fake(model, fill, embedding.expand(2, -1))
    assert np.abs(head.matte - mask[0, 0].numpy()).max() < 1e-3
    seen = mask[0, 0] > 0.01
    straight = (product[0] / mask[0]).clamp(0, 1).permute(1, 2, 0)
    assert np.abs(head.rgb[seen] - straight[seen].numpy()).max() < 1e-3 and seen.sum() > 1000
    crops = (fill.images("identity", 1).permute(0, 2, 3, 1) * 255).byte().numpy()
    assert torch.equal(encode_identity(model, crops).embedding, embedding)  # whoever the pictures show


@needs_parity
def test_a_fine_tuned_checkpoint_goes_back_as_one(fine_tuned, tmp_path):
    path, embedding = fine_tuned
    again = torch.load(export_released(path, tmp_path / "again.pth"), weights_only=False)
    assert torch.equal(again["running_averages"]["generator"]["identity_embedding"], embedding[None])
    assert again["args"].finetune is True and again["args"].num_labels == 1


@needs_parity
def test_a_preset_renders_with_imported_weights(imported, astronaut, carphone, tmp_path):
    """Weights of the parity vectors draw no face; what is checked is that their head arrives in the picture."""
    output = tmp_path / "out.mkv"
    main_exits(
        0, "render", "puppeteer", "--set", f"portrait={astronaut}", "--set", f"driver={carphone}", "--set", "driver_out=0.02",
        "--set", "adapt_steps=0", "--set", "pictures=1", "--set", "format=ffv1", "--set", f"weights={imported}", "-o", output,
    )  # fmt: skip
    with av.open(str(output)) as container, av.open(str(astronaut)) as portrait:
        after, before = (next(c.decode(video=0)).to_ndarray(format="rgb24").astype(float) for c in (container, portrait))
    changed = np.abs(after - before).mean(2)
    assert changed[20:180, 150:300].mean() > 20 and changed[:, 450:].max() < 8
