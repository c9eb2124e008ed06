"""The losses of a training step against plain formulas, and the files that the content losses take their weights from."""

from __future__ import annotations

import pickle
from itertools import islice

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from lpd_plugin.errors import BadInput
from lpd_plugin.learning.losses.content import content_loss
from lpd_plugin.learning.losses.dice import dice_loss
from lpd_plugin.learning.losses.face_content import central_face, face_content_loss
from lpd_plugin.learning.losses.face_features import FaceFeatures, face_feature_loss
from lpd_plugin.learning.losses.total import LossTerms
from lpd_plugin.learning.losses.vgg import Vgg
from lpd_plugin.learning.training_config import TrainingConfig
from lpd_plugin.networks.configurations import configuration
from lpd_plugin.networks.discriminator import Discriminator
from lpd_plugin.networks.model import at_size

# torchvision's `features`: the convolutions' numbers and widths, written out
VGG19 = [(0, 64), (2, 64), (5, 128), (7, 128), (10, 256), (12, 256), (14, 256), (16, 256), (19, 512), (21, 512), (23, 512),
         (25, 512), (28, 512)]  # fmt: skip
VGG16 = [(0, 64), (2, 64), (5, 128), (7, 128), (10, 256), (12, 256), (14, 256), (17, 512), (19, 512), (21, 512), (24, 512),
         (26, 512), (28, 512)]  # fmt: skip
POOLED_BEFORE = {"VGG-19": (5, 10, 19, 28), "VGG-16": (5, 10, 17, 24)}


def filled(layers) -> dict[str, torch.Tensor]:
    """Weights that keep the scale of what passes, under torchvision's names."""
    random, tensors, inputs = torch.Generator().manual_seed(1), {}, 3
    for index, width in layers:
        tensors[f"features.{index}.weight"] = torch.randn(width, inputs, 3, 3, generator=random) * (2 / (9 * inputs)) ** 0.5
        tensors[f"features.{index}.bias"] = 0.1 * torch.randn(width, generator=random)
        inputs = width
    return tensors


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, object]:
    folder, files = tmp_path_factory.mktemp("vgg"), {}
    for kind, layers in (("VGG-19", VGG19), ("VGG-16", VGG16)):
        files[kind] = folder / f"{kind}.safetensors"
        save_file(filled(layers), files[kind])
    return files


@pytest.fixture(scope="module")
def crops(astronaut) -> torch.Tensor:
    """Two views of the portrait, (2, 3, 64, 64) in [0, 1]."""
    picture = cv2.cvtColor(cv2.imread(str(astronaut)), cv2.COLOR_BGR2RGB)
    views = [cv2.resize(picture[y : y + 220, 130:350], (64, 64), interpolation=cv2.INTER_AREA) for y in (0, 30)]
    return torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2).float() / 255


def plain_distance(kind, layers, a, b) -> float:
    """Layer by layer in double precision: average pooling, convolution, ReLU, mean of absolute differences."""
    weights, total = filled(layers), 0.0
    a, b = a.double(), b.double()
    for index, _ in layers:
        if index in POOLED_BEFORE[kind]:
            a, b = (x.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2)) for x in (a, b))
        w, bias = weights[f"features.{index}.weight"].double(), weights[f"features.{index}.bias"].double()
        a, b = (F.conv2d(x, w, bias, padding=1).clamp(min=0) for x in (a, b))
        total += float((a - b).abs().mean())
    return total


def released_input(x: torch.Tensor) -> torch.Tensor:
    """As the authors' code scales: (x + 1) / 2, minus the means over 255, over 1 / 255; channels stay RGB."""
    return ((x + 1) / 2 - torch.tensor([103.939, 116.779, 123.680]).view(3, 1, 1) / 255) * 255


def caffe_input(x: torch.Tensor) -> torch.Tensor:
    red, green, blue = x.unbind(1)
    return torch.stack((255 * blue - 103.939, 255 * green - 116.779, 255 * red - 123.680), 1)


def torchvision_input(x: torch.Tensor) -> torch.Tensor:
    red, green, blue = x.unbind(1)
    return torch.stack(((red - 0.485) / 0.229, (green - 0.456) / 0.224, (blue - 0.406) / 0.225), 1)


@pytest.mark.parametrize("name", ["released", "caffe", "torchvision"])
def test_the_content_loss_is_the_sum_over_the_relus_of_vgg19_for_every_input_convention(files, crops, name):
    scale = {"released": released_input, "caffe": caffe_input, "torchvision": torchvision_input}[name]
    expected = plain_distance("VGG-19", VGG19, scale(crops[:1]), scale(crops[1:]))
    loss = content_loss(Vgg("VGG-19", files["VGG-19"], name), crops[:1], crops[1:])
    assert float(loss) == pytest.approx(expected, rel=1e-4) and expected > 0.1


def test_the_face_loss_looks_at_the_central_face_alone(files, crops):
    network = Vgg("VGG-16", files["VGG-16"])
    a, b = crops[:1], crops[1:]
    expected = plain_distance("VGG-16", VGG16, released_input(central_face(a)), released_input(central_face(b)))
    assert float(face_content_loss(network, a, b)) == pytest.approx(expected, rel=1e-4)
    border = a.clone()
    border[..., :12, :] = border[..., :12] = 1  # the face begins at 64 / 2 * (1 - 1 / 1.8) = 14.2
    assert float(face_content_loss(network, border, a)) == 0


def test_the_central_face_is_bilinear_sampling_over_the_published_share(crops):
    ours = central_face(crops)[0, 1].numpy()
    position = (32 + (np.arange(64) + 0.5 - 32) / 1.8 - 0.5).astype(np.float32)  # in pixel centres
    x, y = np.meshgrid(position, position)
    plain = cv2.remap(crops[0, 1].numpy(), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    assert np.abs(ours - plain).max() < 0.02  # cv2 rounds positions to 1/32 pixel
    assert np.abs(ours - plain).mean() < 0.002


def test_the_gradient_reaches_the_picture_and_neither_target_nor_network(files, crops):
    network = Vgg("VGG-19", files["VGG-19"])
    picture, target = (c.clone().requires_grad_() for c in (crops[:1], crops[1:]))
    content_loss(network, picture, target).backward()
    assert picture.grad.abs().sum() > 0 and target.grad is None
    assert all(p.grad is None for p in network.parameters())


@pytest.mark.parametrize("naming", ["features alone", "layer names", "pth"])
def test_other_namings_and_pth_files_give_the_same_features(files, crops, tmp_path, naming):
    tensors, path = filled(VGG19), tmp_path / "other.safetensors"
    if naming == "features alone":
        save_file({k.removeprefix("features."): v for k, v in tensors.items()}, path)
    elif naming == "layer names":
        names = ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4", "4_1", "4_2", "4_3", "4_4", "5_1"]
        stems = {f"features.{index}": f"conv{name}" for (index, _), name in zip(VGG19, names)}
        save_file({f"{stems[k.rpartition('.')[0]]}.{k.rpartition('.')[2]}": v for k, v in tensors.items()}, path)
    else:
        path = path.with_suffix(".pth")
        torch.save(tensors | {"classifier.0.weight": torch.zeros(2, 2)}, path, _use_new_zipfile_serialization=False)
    with torch.no_grad():
        pairs = [islice(Vgg("VGG-19", f)(crops), 3) for f in (files["VGG-19"], path)]
        assert all(torch.equal(a, b) for a, b in zip(*pairs))


def test_a_weights_file_that_is_incomplete_missing_or_damaged_is_one_sentence(files, tmp_path):
    incomplete, damaged, other = tmp_path / "incomplete.safetensors", tmp_path / "damaged.pth", tmp_path / "list.pth"
    save_file({k: v for k, v in filled(VGG19).items() if k != "features.28.bias"}, incomplete)
    damaged.write_bytes(b"PK\x03\x04 and then nothing")
    torch.save([1, 2], other)
    for path, said in (
        (incomplete, r"not a VGG-19 weights file: 'features.28.bias' is missing, \(512,\) is needed"),
        (files["VGG-16"], r"'features.16.weight' is missing"),
        (tmp_path / "nowhere.pth", "There are no VGG-19 weights at"),
        (damaged, "damaged.pth holds no VGG-19 weights"),
        (other, "tensors by name are needed"),
    ):
        with pytest.raises(BadInput, match=said) as raised:
            Vgg("VGG-19", path)
        assert "\n" not in str(raised.value)
    with pytest.raises(BadInput, match="Unknown input convention 'bgr' for VGG-19"):
        Vgg("VGG-19", files["VGG-19"], "bgr")


def test_a_face_recognisers_file_that_is_another_networks_is_one_sentence(files):
    with pytest.raises(BadInput, match="not MobileFaceNet's weights file: 'conv1.conv.weight' is missing"):
        FaceFeatures(files["VGG-16"])


def test_the_shared_face_recogniser_loads_and_finds_no_difference_where_there_is_none(shared, crops):
    path = shared / "models" / "face_features.safetensors"
    if not path.is_file():
        pytest.skip("the shared face recogniser is not on this machine")
    *_, embedding = FaceFeatures(path)(crops)
    assert embedding.shape == (2, 128) and torch.allclose(embedding.norm(dim=1), torch.ones(2), atol=1e-5)
    assert float(face_feature_loss(FaceFeatures(path), crops[:1], crops[:1])) == pytest.approx(0, abs=1e-5)


class _Runs:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (open, (str(self.marker), "w"))


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_in_a_pth_file_of_weights_runs(tmp_path, zipped):
    path, marker = tmp_path / "evil.pth", tmp_path / "ran"
    torch.save({"features.0.weight": _Runs(marker)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(BadInput, match="holds no VGG-19 weights"):
        Vgg("VGG-19", path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(_Runs(marker))).close()  # it would have run
    assert marker.exists()


def test_given_vgg_files_the_papers_losses_are_the_defaults_and_the_stand_ins_rest(files, crops):
    published = TrainingConfig(side=64, vgg19=str(files["VGG-19"]), vgg_face=str(files["VGG-16"]))
    terms = LossTerms(published, "cpu")
    mask = torch.full((1, 1, 64, 64), 0.5)
    sample = {"target": crops[1:], "mask": mask, "label": torch.zeros(1, dtype=torch.int64)}
    got = terms.generator_terms(crops[:1], mask, sample, None)
    assert set(got) == {"content", "face_content", "dice"}
    assert float(got["content"]) == pytest.approx(3e-2 * float(content_loss(terms.vgg19, crops[:1], crops[1:])))
    face = float(face_content_loss(terms.vgg_face, crops[:1], crops[1:]))
    assert float(got["face_content"]) == pytest.approx(6e-3 * face)
    weights = published.loss_weights()
    assert [weights[n] for n in ("adversarial", "feature_matching", "embedding_match", "dice")] == [1, 10, 1e-2, 1]
    without = LossTerms(TrainingConfig(side=64), "cpu").generator_terms(crops[:1], mask, sample, None)
    assert set(without) == {"content_laplacian", "ssim", "dice"}


def test_masks_that_do_not_overlap_give_a_finite_dice_loss_and_no_broken_gradient():
    mask = torch.full((1, 1, 8, 8), 0.3, requires_grad=True)
    loss = dice_loss(mask, torch.zeros(1, 1, 8, 8))
    loss.backward()
    assert torch.isfinite(loss) and loss > 10 and torch.isfinite(mask.grad).all()


def test_a_videos_embedding_learns_from_its_real_frames_only():
    torch.manual_seed(0)
    size = at_size(configuration("compact"), 64)
    discriminator = Discriminator(size, 3)
    fake, real, label = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64), torch.tensor([0, 2])
    with torch.no_grad():
        for _ in range(10):  # power iterations
            discriminator(real, label)
        discriminator.eval()  # none between the passes to come; scores near 0: inside the hinges, where both teach
        discriminator.score.bias -= discriminator(real, label)[0].mean()
        assert all((discriminator(p, label)[0].abs() < 1).all() for p in (real, fake))
    table = discriminator.label_embedding.weight_orig
    LossTerms(TrainingConfig(side=64), "cpu").discriminator_loss(discriminator, fake, {"target": real, "label": label}).backward()
    got = table.grad.clone()
    discriminator.zero_grad()
    torch.relu(1 - discriminator(real, label)[0]).mean().backward()
    assert torch.allclose(got, table.grad, atol=1e-7) and got.abs().sum() > 0
