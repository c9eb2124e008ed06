"""Image sequences: right in every file, numbered as wished, the folder whole or not there."""

from __future__ import annotations

import gc
import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clip_makers import PictureClip, files_in, living_pictures
from format_media import SEQUENCE_FORMATS, patch_clip, patch_means, target

from lpd_plugin.errors import BadInput, Cancelled, WorkFailed
from lpd_plugin.progress import Progress
from lpd_plugin.video.batch_clip import BatchClip
from lpd_plugin.video.clip import AudioSource, ColourTags
from lpd_plugin.video.image_tags import tags_in
from lpd_plugin.video.metadata import Metadata
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.planes import picture_from_planes, plane_views
from lpd_plugin.video.timecode import Timecode
from lpd_plugin.video.transfer import from_linear, to_linear
from lpd_plugin.video.writer import SYNTHETIC_NOTE, check_output, write_clip

BT709, BT601, PQ, HLG = ColourTags(1, 1, 1, 1), ColourTags(1, 6, 6, 6), ColourTags(1, 9, 9, 16), ColourTags(1, 9, 9, 18)
RATE = Fraction(30000, 1001)


def exr_planes(path: Path) -> dict[str, np.ndarray]:
    """Linear channels of an OpenEXR file, as half floats say them."""
    decoder = av.CodecContext.create("exr", "r")
    picture = (decoder.decode(av.Packet(path.read_bytes())) + decoder.decode(None))[0]
    assert "f16" in picture.format.name, "not half float"
    lines = [np.frombuffer(plane, np.float16).reshape(picture.height, -1)[:, : picture.width] for plane in picture.planes]
    return dict(zip("GBRA", (line.astype(np.float32) for line in lines)))


class Stopper(Progress):
    def advanced(self, task):
        if task.done == 3:
            raise Cancelled()


@pytest.mark.parametrize("tags", [BT709, BT601, ColourTags(2, 1, 1, 1), PQ, HLG, ColourTags(1, 1, 1, 8)])
@pytest.mark.parametrize("name", SEQUENCE_FORMATS)
def test_ten_bit_colours_come_back_within_half_a_code(tmp_path, name, tags):
    clip = patch_clip("yuv444p10le", tags)
    written = open_clip(write_clip(clip, target(tmp_path, name), name).path)
    error = np.abs(patch_means(next(written.frames()).picture)[0] - patch_means(clip.pictures[0])[0])
    assert error.max() * 1023 < 0.5
    assert (written.info.colour.primaries, written.info.colour.transfer) == (tags.primaries, tags.transfer)
    assert (written.info.rate, written.info.frame_count) == (25, 3)


def test_eight_bits_stay_eight_in_png_and_grey_stays_grey(carphone_pictures, tmp_path):
    write_clip(PictureClip(carphone_pictures[:2]), tmp_path / "a.####.png", "png")
    assert cv2.imread(str(tmp_path / "a.0001.png"), cv2.IMREAD_UNCHANGED).dtype == np.uint8
    grey = np.random.default_rng(0).integers(0, 65536, (2, 9, 7, 1), np.uint16)
    for name, suffix in (("png", "png"), ("tiff", "tif")):
        write_clip(BatchClip(grey), tmp_path / f"g.####.{suffix}", name)
        stored = cv2.imread(str(tmp_path / f"g.0002.{suffix}"), cv2.IMREAD_UNCHANGED)
        assert stored.shape == (9, 7) and np.array_equal(stored, grey[1, ..., 0])


def test_exr_is_linear_half_float_by_the_cameras_curve(tmp_path):
    levels = np.float32([0, 0.018, 0.09, 0.18, 0.5, 1])
    coded = np.where(levels < 0.018, 4.5 * levels, 1.099 * levels**0.45 - 0.099)  # BT.709
    luma = np.rint(64 + coded * 876).astype(np.uint16)
    picture = av.VideoFrame(96, 16, "yuv444p10le")
    for plane, value in zip(plane_views(picture), (np.repeat(luma, 16)[None], 512, 512)):
        plane[...] = value
    picture.color_range, picture.colorspace, picture.color_primaries, picture.color_trc = 1, 1, 1, 1
    write_clip(PictureClip([picture]), tmp_path / "x.####.exr", "exr")
    planes = exr_planes(tmp_path / "x.0001.exr")
    for channel in "RGB":
        assert np.allclose(planes[channel][8, 8::16], levels, atol=1.5e-3)


def test_what_is_brighter_than_white_stays_so_in_exr(tmp_path):
    picture = av.VideoFrame(16, 16, "yuv444p10le")
    for plane, value in zip(plane_views(picture), (1019, 512, 512)):
        plane[...] = value
    picture.color_range, picture.colorspace, picture.color_trc = 1, 1, 1
    write_clip(PictureClip([picture]), tmp_path / "x.####.exr", "exr")
    light = ((955 / 876 + 0.099) / 1.099) ** (1 / 0.45)
    assert exr_planes(tmp_path / "x.0001.exr")["G"].mean() == pytest.approx(light, rel=2e-3)


def test_reference_white_of_pq_and_hlg_is_one_in_linear_light():
    assert to_linear(np.float32([0.58068]), 16)[0] == pytest.approx(1, abs=2e-3)  # 203 cd/m^2, BT.2408 table 1
    assert to_linear(np.float32([1]), 16)[0] == pytest.approx(10000 / 203, rel=1e-4)
    assert to_linear(np.float32([0.75]), 18)[0] == pytest.approx(1, abs=1e-6)
    assert to_linear(np.float32([1]), 18)[0] == pytest.approx(1 / 0.26496, rel=1e-3)
    assert to_linear(np.float32([0.5]), 13)[0] == pytest.approx(0.21404, abs=1e-5)  # sRGB
    codes = np.linspace(0, 1, 4096, dtype=np.float32)
    for transfer in (1, 4, 5, 8, 13, 16, 18):
        assert np.abs(from_linear(to_linear(codes, transfer), transfer) - codes).max() < 1e-3


def test_exr_says_its_primaries_rate_and_timecode_where_openexr_looks(tmp_path):
    clip = patch_clip("yuv444p10le", PQ, count=2)
    timecode = Timecode.parse("01:00:00;08", RATE)
    clip._whole_info = replace(clip._whole_info, rate=RATE, metadata=Metadata(timecode=timecode))
    write_clip(clip, tmp_path / "x.####.exr", "exr", first_number="timecode")
    assert files_in(tmp_path) == ["x.107900.exr", "x.107901.exr"]
    data = (tmp_path / "x.107901.exr").read_bytes()
    place = data.index(b"timeCode\0timecode\0") + 22
    assert struct.unpack_from("<I", data, place)[0] == 0x01000049  # 01:00:00;09, BCD, bit 6 for dropped frames
    place = data.index(b"chromaticities\0chromaticities\0") + 34
    assert np.allclose(struct.unpack_from("<8f", data, place), (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, 0.3127, 0.329))
    assert tags_in(data)["framespersecond"] == "30000/1001"
    assert len(exr_planes(tmp_path / "x.107901.exr")) == 3  # the parts are still found


@pytest.mark.parametrize("name", SEQUENCE_FORMATS)
def test_every_file_says_that_it_is_synthetic_its_rate_and_its_own_timecode(carphone_pictures, tmp_path, name):
    clip = PictureClip(carphone_pictures[:3], Fraction(24))
    metadata = Metadata((("title", "Tür 3"),), Timecode.parse("10:00:00:22", Fraction(24)))
    clip._whole_info = replace(clip._whole_info, metadata=metadata)
    result = write_clip(clip, target(tmp_path, name), name, metadata={"lpd_graph": {"1": "a"}})
    files = sorted((tmp_path / name).iterdir())
    assert [tags_in(file.read_bytes())["timecode"] for file in files] == ["10:00:00:22", "10:00:00:23", "10:00:01:00"]
    said = tags_in(files[1].read_bytes())
    assert (said["comment"], said["title"], said["lpd_graph"]) == (SYNTHETIC_NOTE, "Tür 3", '{"1": "a"}')
    written = open_clip(result.path)
    assert written.info.rate == 24 and written.timestamps() == clip.timestamps()
    assert str(written.trimmed(Fraction(1, 24), None).info.metadata.timecode) == "10:00:00:23"
    assert dict(written.info.metadata.tags)["title"] == "Tür 3"
    assert open_clip(result.path, rate=12).info.rate == 12
    again = write_clip(written, tmp_path / "again.mov", "prores_422_hq")
    assert str(open_clip(again.path).info.metadata.timecode) == "10:00:00:22"


def test_files_are_numbered_as_wished(carphone_pictures, tmp_path):
    clip = PictureClip(carphone_pictures[:2])
    write_clip(clip, tmp_path / "one" / "a_%05d.png", "png")
    write_clip(clip, tmp_path / "late" / "a.##.png", "png", first_number=1001)
    result = write_clip(clip, tmp_path / "none" / "a.####.png", "png", first_number="timecode")
    assert files_in(tmp_path / "one") == ["a_00001.png", "a_00002.png"]
    assert files_in(tmp_path / "late") == ["a.1001.png", "a.1002.png"]
    assert files_in(tmp_path / "none") == ["a.0001.png", "a.0002.png"] and "has no timecode" in result.notes[0]


def test_a_single_picture_needs_no_number(astronaut, tmp_path):
    result = write_clip(open_clip(astronaut), tmp_path / "still.png", "png")
    assert (result.frames, files_in(tmp_path)) == (1, ["still.png"])
    assert np.array_equal(cv2.imread(result.path), cv2.imread(str(astronaut)))


def test_a_cancelled_sequence_leaves_no_folder_and_no_file(carphone_pictures, tmp_path):
    clip = PictureClip(carphone_pictures[:6])
    with pytest.raises(Cancelled):
        write_clip(clip, tmp_path / "shot" / "a.####.png", "png", Stopper())
    assert files_in(tmp_path) == []
    (tmp_path / "kept.txt").write_text("kept")
    with pytest.raises(Cancelled):
        write_clip(clip, tmp_path / "a.####.png", "png", Stopper())
    assert files_in(tmp_path) == ["kept.txt"]


def test_files_are_not_there_under_their_names_before_all_are_whole(carphone_pictures, tmp_path):
    seen = []

    class Watcher(Progress):
        def advanced(self, task):
            seen.append(files_in(tmp_path))

    write_clip(PictureClip(carphone_pictures[:4]), tmp_path / "shot" / "a.####.png", "png", Watcher())
    assert seen == [[".shot.part"]] * 4
    assert files_in(tmp_path) == ["shot"] and len(files_in(tmp_path / "shot")) == 4


def test_what_exists_is_refused_or_replaced_as_a_whole(carphone_pictures, tmp_path):
    path = tmp_path / "a.####.png"
    (tmp_path / "a.txt").write_text("kept")
    write_clip(PictureClip(carphone_pictures[:5]), path, "png")
    with pytest.raises(BadInput, match="5 images of the name .*a.####.png exist already, such as a.0001.png"):
        write_clip(PictureClip(carphone_pictures[:2]), path, "png")
    with pytest.raises(BadInput, match="5 images"):
        check_output(path)
    write_clip(PictureClip(carphone_pictures[:2]), path, "png", overwrite=True)
    assert files_in(tmp_path) == ["a.0001.png", "a.0002.png", "a.txt"]
    clip = open_clip(path)  # a sequence may even replace the one it is read from
    write_clip(clip, path, "png", overwrite=True)
    assert open_clip(path).info.frame_count == 2


def test_a_name_without_a_place_for_numbers_and_a_missing_folder_are_refused(carphone_pictures, tmp_path):
    clip = PictureClip(carphone_pictures[:2])
    for path, words in {
        tmp_path / "a.png": r"has no place for frame numbers: put #### into the name, such as a.####.png",
        tmp_path / "x" / "y" / "a.####.png": "The folder .*x does not exist",
        tmp_path / "a.####.exr": "does not end in .png, which the format png needs",
        tmp_path: "is a folder: give the name of a file in it, such as png.####.png",
    }.items():
        with pytest.raises(BadInput, match=words):
            write_clip(clip, path, "png")
    assert files_in(tmp_path) == []


def test_a_clip_that_gives_no_frames_leaves_nothing(carphone_pictures, tmp_path):
    clip = PictureClip(carphone_pictures[:2])
    clip.frames = lambda start=0: iter(())
    with pytest.raises(WorkFailed, match="gave no frames"):
        write_clip(clip, tmp_path / "shot" / "a.####.png", "png")
    assert files_in(tmp_path) == []


def test_writing_images_holds_as_many_frames_for_a_long_clip_as_for_a_short_one(carphone_pictures, tmp_path):
    class Made(PictureClip):
        def _picture(self, position):
            return picture_from_planes(plane_views(carphone_pictures[0]), "yuv420p", BT709)

    class Counter(Progress):
        most = 0

        def advanced(self, task):
            self.most = max(self.most, living_pictures() - before)

    gc.collect()
    before, held = living_pictures(), []
    for frames in (30, 90):
        counter = Counter()
        write_clip(Made([carphone_pictures[0]] * frames), tmp_path / str(frames) / "a.####.tif", "tiff", progress=counter)
        held.append(counter.most)
    assert held[0] == held[1] <= 5


def test_what_a_sequence_cannot_keep_is_said(carphone, carphone_pictures, tmp_path):
    clip = PictureClip(carphone_pictures[:3])
    clip._whole_info = replace(clip._whole_info, variable_rate=True)
    clip.audio = AudioSource(str(carphone))
    notes = write_clip(clip, tmp_path / "a.####.png", "png").notes
    assert "has a variable rate, which an image sequence cannot keep" in notes[0] and "has no sound" in notes[1]
