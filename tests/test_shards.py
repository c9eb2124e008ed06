"""Heads in every form that training reads: shards, packs, folders; the same people come out, and no held-out one."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from lpd_plugin.cli.main import main
from lpd_plugin.errors import BadInput
from lpd_plugin.learning.data.any_heads import open_heads
from lpd_plugin.learning.data.packs import write_pack
from lpd_plugin.learning.data.sampling import Sampler
from lpd_plugin.preparation.head_clips import CropSettings
from lpd_plugin.preparation.prepare import prepare
from lpd_plugin.whole_files import write_tensors
from heads_media import heads_folder

WITHOUT_VIDEO_LIBRARY = """
import sys
sys.modules["av"] = None  # importing it fails, as where it is not installed
from lpd_plugin.cli.main import main
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def heads(tmp_path_factory, carphone, astronaut) -> Path:
    return heads_folder(tmp_path_factory.mktemp("heads"), carphone, astronaut)


@pytest.fixture(scope="module")
def shards(tmp_path_factory, heads) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "shards"
    prepare(heads, folder, CropSettings(side=64, frames=64), shard_bytes=150_000)
    return folder


@pytest.fixture(scope="module")
def pack(tmp_path_factory, heads) -> Path:
    return write_pack(open_heads(heads, None), tmp_path_factory.mktemp("packed") / "heads.safetensors")[0]


@pytest.fixture(params=["heads", "shards", "pack"])
def form(request) -> Path:
    return request.getfixturevalue(request.param)


def copied(path: Path, tmp_path: Path) -> Path:
    target = tmp_path / f"copy{path.suffix}"
    tmp_path.mkdir(exist_ok=True)
    return Path(shutil.copytree(path, target) if path.is_dir() else shutil.copy(path, target))


def psnr(one: np.ndarray, two: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(((one.astype(float) - two) ** 2).mean(), 1e-6)))


def test_every_form_gives_the_same_people_in_the_same_order_and_nearly_the_same_pictures(form, heads):
    one, original = open_heads(form, "train", 64), open_heads(heads, "train", 64)
    found, expected = (
        [(c.person, c.clip, c.start, c.stop, c.split, c.pad_fraction) for c in store.clips] for store in (one, original)
    )
    assert found == expected and [f[:2] for f in found] == [("her", "a"), ("man", "a"), ("man", "b"), ("man", "c")]
    for clip in original.clips:
        rows = np.arange(clip.start, clip.stop)
        (frames, masks), (true, true_masks) = one.raw(rows), original.raw(rows)
        assert psnr(frames, true) > 30 and psnr(masks, true_masks) > 30
        assert ((masks > 127) != (true_masks > 127)).mean() < 0.01


def test_a_held_out_person_is_trained_on_in_no_form(form):
    assert {c.person for c in open_heads(form, "train", 64).clips} == {"man", "her"}
    assert {c.person for c in open_heads(form, "val", 64).clips} == {"other"}
    with pytest.raises(BadInput, match="no clip of split 'dev'"):
        open_heads(form, "dev", 64)


@pytest.mark.parametrize("kind", ["heads", "shards"])
def test_an_index_with_a_person_in_two_splits_is_refused(kind, request, tmp_path):
    folder = copied(request.getfixturevalue(kind), tmp_path)
    index = (folder / "index.csv").read_text()
    (folder / "index.csv").write_text(re.sub(r"(?m)^train,man,a,", "val,man,a,", index))
    with pytest.raises(BadInput, match="man is in split"):
        open_heads(folder, "train", 64)
    pack = tmp_path / "two.safetensors"
    with pytest.raises(BadInput, match="man is in split"):
        write_pack(open_heads(folder, None), pack)


def test_a_pack_with_a_person_in_two_splits_is_refused(heads, tmp_path):
    store = open_heads(heads, None)
    store.clips[1] = replace(store.clips[1], split="val")
    pack = write_pack(store, tmp_path / "two.safetensors")[0]
    with pytest.raises(BadInput, match="man is in split 'val' and in another one"):
        open_heads(pack, "train")


def test_mostly_mirrored_clips_can_be_left_out_of_every_form(form):
    assert sorted(c.clip for c in open_heads(form, "train", 64, max_pad_fraction=0.3).clips) == ["a", "a", "b"]


def test_read_picture_by_picture_is_what_is_read_at_once_at_any_size(shards, pack):
    rows = np.array([[40, 3], [17, 3]])
    for path in (shards, pack):
        for side in (64, 48):
            lazy, loaded = open_heads(path, "train", side, in_memory=0), open_heads(path, "train", side)
            assert type(lazy) is not type(loaded) and lazy.count == loaded.count == 46
            for one, two in zip(lazy.pictures(rows), loaded.pictures(rows)):
                assert one.shape[-1] == side and bool((one == two).all())
        with pytest.raises(BadInput, match="holds heads of 64 pixels, but 128 are wanted: prepare it again with --side 128"):
            open_heads(path, "train", 128)
        again = pickle.loads(pickle.dumps(open_heads(path, "train", in_memory=0)))
        assert Sampler(again, 2, 3, 1, seed=1).draw().identity.shape == (2, 3, 3, 64, 64)


def test_a_shard_is_a_tar_archive_whose_files_go_together_by_name_up_to_the_first_dot(shards):
    names, samples = [], {}
    for path in sorted(shards.glob("*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                names.append(key := member.name.split(".", 1)[0])
                samples.setdefault(key, {})[member.name.split(".", 1)[1]] = archive.extractfile(member).read()
    runs = [name for before, name in zip([None, *names], names) if name != before]
    assert len(runs) == len(samples) == 5, "a sample's files stand together, in one shard"
    man = samples["man/a"]
    assert set(man) == {"json"} | {f"{i:04d}.{suffix}" for i in range(12) for suffix in ("jpg", "mask.png")}
    assert cv2.imdecode(np.frombuffer(man["0011.mask.png"], np.uint8), cv2.IMREAD_UNCHANGED).shape == (64, 64)
    assert len(list(shards.glob("*.tar"))) > 2 and all(p.stat().st_size < 160_000 for p in shards.glob("*.tar"))


def _overwritten(path: Path, at: int) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(bytes(2000))


@pytest.mark.parametrize(
    "at, words",
    [(0, "no clip begins where one should"), (6000, "a (picture|mask) in it cannot be decoded")],
    ids=["where a clip begins", "in a picture"],
)
def test_a_damaged_shard_is_named_with_the_clip(shards, tmp_path, at, words):
    folder = copied(shards, tmp_path)
    _overwritten(folder / "train-000000.tar", at)
    with pytest.raises(BadInput, match=words) as error:
        store = open_heads(folder, "train", in_memory=0)
        store.raw(np.arange(store.count))
    assert str(folder) in str(error.value) and re.search(r"(man|her)(/|, )[abc]", str(error.value))


def test_shards_that_are_missing_or_not_those_of_the_index_are_named(shards, tmp_path):
    folder = copied(shards, tmp_path)
    (folder / "train-000001.tar").unlink()
    with pytest.raises(BadInput, match="train-000001.tar is missing; copy it again"):
        open_heads(folder, "train")
    folder = copied(shards, tmp_path / "again")
    (folder / "index.csv").write_text((shards / "index.csv").read_text().replace("train,man,a,", "train,man,z,"))
    with pytest.raises(BadInput, match="man/z, is another clip than index.csv says; copy both from the same place"):
        open_heads(folder, "train")


def test_a_pack_is_split_where_it_would_be_too_large_and_each_part_is_needed(heads, tmp_path):
    store = open_heads(heads, None)
    files = write_pack(store, tmp_path / "h.safetensors", part_bytes=30_000)
    assert len(files) >= 3 and files[0].name == f"h-1-of-{len(files)}.safetensors"
    assert all(f.stat().st_size <= 30_000 for f in files)
    for name in (tmp_path / "h.safetensors", files[1]):
        assert open_heads(name, "train").count == 46
    moved = files[1].rename(tmp_path / "elsewhere.safetensors")
    with pytest.raises(BadInput, match=rf"part 2 of {len(files)} is missing; copy it beside h-1-of"):
        open_heads(tmp_path / "h.safetensors", "train")
    moved.rename(files[1])
    write_pack(store, tmp_path / "i.safetensors", frames=9, part_bytes=30_000)[1].replace(files[1])
    with pytest.raises(BadInput, match="parts of different packs; delete the older ones"):
        open_heads(tmp_path / "h.safetensors", "train")
    with pytest.raises(BadInput, match="exists already"):
        write_pack(store, tmp_path / "h.safetensors", part_bytes=30_000)
    small = write_pack(store, tmp_path / "h.safetensors", frames=2, overwrite=True)
    assert small == [tmp_path / "h.safetensors"] and open_heads(small[0], "train").count == 8
    assert not any(f.exists() for f in files), "an older pack of that name must not be mixed up with it"


def test_a_pack_that_is_cut_or_something_else_is_one_sentence(pack, tmp_path):
    cut = copied(pack, tmp_path)
    os.truncate(cut, cut.stat().st_size // 2)
    with pytest.raises(BadInput, match="copy.safetensors is damaged or cut short .*; copy or pack it again"):
        open_heads(cut, "train")
    store = open_heads(pack, None)
    store.masks = store.masks[:, ::2, ::2]
    with pytest.raises(BadInput, match="small.safetensors: her, a: a mask measures 32x32 pixels, not 64x64 as it says"):
        open_heads(write_pack(store, tmp_path / "small.safetensors")[0], "train")
    write_tensors(tmp_path / "weights.safetensors", {}, {"kind": "reenactment"})
    with pytest.raises(BadInput, match=r"holds no packed heads \(but reenactment\)"):
        open_heads(tmp_path / "weights.safetensors", "train")
    with pytest.raises(BadInput, match="nothing.safetensors holds no heads: give a folder with an index.csv"):
        open_heads(tmp_path / "nothing.safetensors", "train")
    with pytest.raises(BadInput, match="give it the suffix .safetensors"):
        write_pack(open_heads(pack, None), tmp_path / "heads.tar")


def test_a_machine_without_a_video_library_packs_shards_and_trains_on_a_pack(heads, tmp_path):
    prepare(heads, tmp_path / "shards", CropSettings(side=128))
    config, packed = tmp_path / "run.yaml", tmp_path / "carried.safetensors"
    config.write_text("side: 32\nvideos: 2\nidentity_pictures: 1\nsteps: 1\nwarm_up: 1\nweights: {ssim: 0.0}\nthreads: 1\n")
    for arguments in (
        ["pack", tmp_path / "shards", "-o", packed],
        ["train", config, "--heads", packed, "-o", tmp_path / "run"],
    ):
        command = [sys.executable, "-c", WITHOUT_VIDEO_LIBRARY, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "run/checkpoint.safetensors").is_file()


def test_packing_leaves_an_existing_file_alone_and_says_what_it_wrote(heads, tmp_path, capsys):
    (tmp_path / "h.safetensors").write_text("before")
    with pytest.raises(SystemExit) as end:
        main(["pack", str(heads), "-o", str(tmp_path / "h.safetensors"), "--side", "64"])
    assert end.value.code == 2 and "exists already" in capsys.readouterr().err
    main(["pack", str(heads), "-o", str(tmp_path / "h.safetensors"), "--side", "64", "--split", "train", "--overwrite"])
    assert "h.safetensors: 0.1 MB" in capsys.readouterr().out
    assert {c.split for c in open_heads(tmp_path / "h.safetensors", None).clips} == {"train"}
