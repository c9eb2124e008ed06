"""Views to judge a composite by: comparisons, contact sheets, and a table that finds the bad frame."""

from __future__ import annotations

import csv
from fractions import Fraction
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
from composite_media import FlatHeads, noise_picture

from lpd_plugin.compositing.views.comparison import GAIN, ComparisonClip, ComparisonOptions
from lpd_plugin.compositing.views.contact_sheet import CELL, LABEL, contact_sheet
from lpd_plugin.compositing.views.frame_report import MEASURES, FrameTable, change_outside
from lpd_plugin.compositing.views.report import CompositeReport, Outcome
from lpd_plugin.errors import BadInput
from lpd_plugin.video.batch_clip import BatchClip
from lpd_plugin.video.clip import Clip, Frame
from lpd_plugin.video.file_clip import FileClip
from lpd_plugin.video.planes import plane_views, tags_of
from lpd_plugin.video.regions.region import Rect, blend_region, copy_picture
from lpd_plugin.video.still_clip import StillClip
from lpd_plugin.video.track import CropBox

HEAD = np.s_[40:100, 60:110]  # where the altered clip differs, whole chroma samples


class Altered(Clip):
    """Footage with a grey patch, as a composite would have changed it; every other sample is the original's."""

    def __init__(self, footage: Clip):
        self.footage, self.info, self.audio = footage, footage.info, footage.audio

    def frames(self, start=0):
        for frame in self.footage.frames(start):
            picture = copy_picture(frame.picture)
            for plane in plane_views(picture):
                step = picture.height // plane.shape[0]
                plane[HEAD[0].start // step : HEAD[0].stop // step, HEAD[1].start // step : HEAD[1].stop // step] = 128
            yield Frame(frame.index, frame.time, picture)

    def timestamps(self):
        return self.footage.timestamps()

    def trimmed(self, in_point, out_point):
        return Altered(self.footage.trimmed(in_point, out_point))

    def fingerprint(self):
        return f"altered {self.footage.fingerprint()}"


@pytest.fixture
def pair(carphone) -> tuple[FileClip, Altered]:
    return FileClip(str(carphone)), Altered(FileClip(str(carphone)))


def planes_at(clip, index: int) -> list[np.ndarray]:
    frames = clip.frames(index)
    try:
        return [plane.copy() for plane in plane_views(next(frames).picture)]
    finally:
        frames.close()


# Comparisons


def test_left_of_a_wipes_line_is_the_footage_and_right_of_it_the_composite_sample_for_sample(pair):
    wiped = planes_at(ComparisonClip(*pair, ComparisonOptions("wipe", 0.5)), 3)
    for mixed, old, new in zip(wiped, planes_at(pair[0], 3), planes_at(pair[1], 3)):
        width = mixed.shape[1]
        assert np.array_equal(mixed[:, : width // 2 - 2], old[:, : width // 2 - 2])
        assert np.array_equal(mixed[:, width // 2 + 2 :], new[:, width // 2 + 2 :])
    assert wiped[0][0, 88] == 235 and wiped[1][0, 44] == 128, "the line is white"


def test_a_sweeping_line_goes_to_the_right_border_and_back(pair):
    clip = ComparisonClip(*pair, ComparisonOptions("wipe", sweep=2.0))
    rows = [planes_at(clip, index)[0][70] for index in (0, 15, 30, 45)]
    old, new = ([planes_at(one, index)[0][70] for index in (0, 15, 30, 45)] for one in pair)
    footage = [np.mean(row[60:110] == a[60:110]) > 0.9 for row, a in zip(rows, old)]
    assert footage == [False, False, True, False], "at 0, 0.5, 1 and 1.5 seconds"
    assert np.array_equal(rows[0][8:], new[0][8:])
    assert np.array_equal(rows[1][:84], old[1][:84]) and np.array_equal(rows[3][:84], old[3][:84])


@pytest.mark.parametrize("options", [
    ComparisonOptions("wipe", sweep=1.0), ComparisonOptions("onion", 0.3), ComparisonOptions("side by side"),
    ComparisonOptions("difference"),
])  # fmt: skip
def test_a_frame_is_the_same_wherever_one_starts(pair, options):
    clip = ComparisonClip(*pair, options)
    part = clip.trimmed(Fraction(1, 2), Fraction(1))
    number = next(i for i, time in enumerate(clip.timestamps()) if time >= Fraction(1, 2))
    whole = list(islice(clip.frames(), number + 4))
    for other in (list(islice(clip.frames(number), 4)), list(islice(part.frames(), 4))):
        for a, b in zip(whole[number:], other, strict=True):
            assert all(np.array_equal(x, y) for x, y in zip(plane_views(a.picture), plane_views(b.picture)))
    assert part.fingerprint() != clip.fingerprint() and len(part.timestamps()) == len(list(part.frames()))


def test_an_onion_skin_mixes_by_its_amount(pair):
    skin = ComparisonClip(*pair, ComparisonOptions("onion", 0.25))
    mixed, old, new = (planes_at(clip, 5)[0].astype(float) for clip in (skin, *pair))
    assert np.abs(mixed - (0.75 * old + 0.25 * new)).max() <= 0.5
    for amount, same in ((0.0, pair[0]), (1.0, pair[1])):
        skin = ComparisonClip(*pair, ComparisonOptions("onion", amount))
        assert np.array_equal(planes_at(skin, 5)[0], planes_at(same, 5)[0])


def test_side_by_side_is_twice_as_wide_and_changes_no_sample(pair):
    clip = ComparisonClip(*pair, ComparisonOptions("side by side"))
    assert (clip.info.width, clip.info.height) == (352, 144)
    for both, old, new in zip(planes_at(clip, 2), planes_at(pair[0], 2), planes_at(pair[1], 2)):
        assert np.array_equal(both, np.concatenate((old, new), 1))


def test_a_difference_is_black_where_nothing_changed_and_eight_times_as_strong_elsewhere(pair):
    shown, old, new = (planes_at(clip, 4) for clip in (ComparisonClip(*pair, ComparisonOptions("difference")), *pair))
    outside = np.ones(shown[0].shape, bool)
    outside[HEAD] = False
    assert (shown[0][outside] == 16).all() and (shown[1][outside[::2, ::2]] == 128).all()
    expected = np.clip(16 + GAIN * np.abs(new[0].astype(int) - old[0]), 16, 235)
    assert np.array_equal(shown[0], expected) and (shown[0] > 16).any()


def test_a_comparison_keeps_format_tags_times_and_sound(pair):
    clip = ComparisonClip(*pair)
    info, before = clip.info, pair[0].info
    assert (info.pixel_format, info.colour, info.rate, info.frame_count) == (
        before.pixel_format, before.colour, before.rate, before.frame_count,
    )  # fmt: skip
    assert clip.timestamps() == pair[0].timestamps() and clip.audio == pair[1].audio
    picture = next(clip.frames()).picture
    assert picture.format.name == info.pixel_format and tags_of(picture) == tags_of(next(pair[0].frames()).picture)


def test_a_still_holds_under_a_moving_composite_and_other_formats_are_converted(pair):
    rgb = np.full((144, 176, 3), 200, np.uint8)
    shown = ComparisonClip(StillClip(rgb), pair[1], ComparisonOptions("wipe", 0.5))
    frames = list(islice(shown.frames(118), 2))
    assert len(frames) == 2 and frames[0].picture.format.name == "gbrp" and not shown.info.is_still
    assert (frames[1].rgb()[:, :80] == 200).all() and frames[1].rgb()[:, 100:].std() > 20


def test_footage_at_another_rate_shows_the_frame_of_the_moment(pair):
    slow = BatchClip(np.stack([np.full((144, 176, 3), level, np.float32) for level in (0.2, 0.4, 0.6, 0.8)]), 2.0)
    shown = ComparisonClip(slow, pair[1], ComparisonOptions("onion", 0.0))
    levels = [int(frame.rgb().mean().round()) for frame in shown.frames()]
    assert [levels[i] for i in (0, 14, 16, 29, 31, 60)] == [51, 51, 102, 102, 153, 204]


def test_clips_of_different_sizes_and_unknown_modes_are_refused(pair):
    with pytest.raises(BadInput, match="is 20x10 and .* is 176x144: give two clips of the same size"):
        ComparisonClip(StillClip(np.zeros((10, 20, 3), np.uint8)), pair[1])
    with pytest.raises(BadInput, match="choose one of: wipe, onion, side by side, difference"):
        ComparisonOptions("split")


# Contact sheets


def test_a_sheet_has_a_row_for_source_driver_head_matte_composite_and_difference(pair):
    times = [float(t) for t in pair[0].timestamps()]
    matte = BatchClip(np.zeros((120, 144, 176, 3), np.float32) + 0.5, 30.0)
    sheet = contact_sheet(pair[1], pair[0], pair[0], FlatHeads(times), 3, matte)
    assert sheet.shape[0] == 6 * (CELL + LABEL)
    rows = [sheet[row * (CELL + LABEL) + LABEL : (row + 1) * (CELL + LABEL)] for row in range(6)]
    assert np.array_equal(rows[0], rows[1]) and not np.array_equal(rows[0], rows[4])
    assert abs(int(rows[3][100, 100, 0]) - 128) <= 1, "the matte that was given"
    assert rows[5][:40].max() == 0 and rows[5][70:120, 100:140].max() > 100, "only the patch differs"


def test_without_a_matte_the_heads_own_masks_are_shown_and_without_a_source_no_difference(pair):
    times = [float(t) for t in pair[0].timestamps()]
    assert contact_sheet(pair[1], None, None, FlatHeads(times), 2).shape[0] == 3 * (CELL + LABEL)
    other = StillClip(np.zeros((100, 100, 3), np.uint8))
    assert contact_sheet(pair[1], other, None, None, 2).shape[0] == 2 * (CELL + LABEL), "of another size: not compared"
    with pytest.raises(BadInput, match="nothing to show"):
        contact_sheet(None, None, None, None)


# The table of frames


def look(box: CropBox, rect: Rect, level: float = 0.5):
    return SimpleNamespace(box=box, rect=rect, rgb=np.full((rect.height, rect.width, 3), level, np.float32))


def layer(box: CropBox, rect: Rect, radius: float = 0.3, shift: float = 0.0, level: float = 0.5):
    """A disc of a head in the middle of the square, `shift` of its side to the right."""
    x = (np.arange(rect.left, rect.right) + 0.5 - box.left) / box.side - 0.5 - shift
    y = (np.arange(rect.top, rect.bottom) + 0.5 - box.top) / box.side - 0.5
    alpha = np.clip((radius - np.hypot(x[None], y[:, None])) / 0.02 + 0.5, 0, 1).astype(np.float32)
    rgb = np.full((rect.height, rect.width, 3), level, np.float32)
    return SimpleNamespace(rect=rect, rgb=rgb, alpha=alpha, head=alpha)


def around(box: CropBox) -> Rect:
    return Rect(int(box.left), int(box.top), int(np.ceil(box.left + box.side)), int(np.ceil(box.top + box.side)))


def measured(count: int = 40, order=None, spoiled=None, **spoil) -> FrameTable:
    """A head that glides through the picture, one frame of it (`spoiled`) drawn differently."""
    table = FrameTable(count)
    for index in order or range(count):
        box = CropBox(100 + 3.7 * index, 50.5, 333.3)
        more = spoil if index == spoiled else {}
        table.measure(index, index / 25, look(box, around(box)), layer(box, around(box), **more), 0.9)
    return table


def test_a_frame_is_measured_as_it_was_drawn():
    table = measured(5)
    assert table.column("mask_area")[2] == pytest.approx(np.pi * 0.3**2, rel=0.01)
    assert table.column("x")[3] == pytest.approx(100 + 3.7 * 3) and table.column("side")[3] == pytest.approx(333.3)
    assert np.nanmax(table.column("edge_flicker")) < 0.01, "a head that glides with its square does not flicker"
    assert np.nanmax(table.column("colour_shift")) == 0 and table.column("confidence")[0] == np.float32(0.9)


def test_the_colour_shift_is_a_distance_in_lab():
    table = FrameTable(1)
    box = CropBox(10, 10, 200)
    table.measure(0, 0.0, look(box, around(box), 0.5), layer(box, around(box), level=0.6))
    assert table.column("colour_shift")[0] == pytest.approx(9.8, abs=0.5)  # L of sRGB 0.5 is 53.4, of 0.6 63.2


def test_a_matte_that_jumps_for_one_frame_flickers_in_that_frame_most():
    flicker = measured(20, spoiled=9, shift=0.02).column("edge_flicker")
    assert int(np.nanargmax(flicker)) == 9 and flicker[9] > 5 * flicker[5]


def test_a_head_cut_by_the_pictures_border_is_measured_in_the_same_square():
    whole, cut = FrameTable(3), FrameTable(3)
    for index, shift in enumerate((0.0, 0.02, 0.0)):
        box = CropBox(-20.0, 30.0, 300.0)
        full, part = around(box), Rect(0, 30, 280, 330)
        whole.measure(index, 0, look(box, full), layer(box, full, shift=shift))
        cut.measure(index, 0, look(box, part), layer(box, part, shift=shift))
    assert cut.column("edge_flicker")[1] == pytest.approx(whole.column("edge_flicker")[1], rel=0.05)
    assert cut.column("mask_area")[0] == pytest.approx(whole.column("mask_area")[0], rel=0.01)


def test_a_square_that_shakes_across_the_pictures_border_is_no_flicker():
    table = FrameTable(12)
    for index in range(12):
        box = CropBox(-30.0 + 25 * np.sin(index * 1.7), 30.0, 300.0)
        visible = around(box).clipped(640, 480)
        table.measure(index, 0, look(box, visible), layer(box, visible, radius=0.25))
    assert np.nanmax(table.column("edge_flicker")) < 0.02


def test_measures_do_not_depend_on_where_iteration_began():
    whole, late = measured(20), measured(20, order=range(7, 20))
    assert np.array_equal(whole.values[8:], late.values[8:], equal_nan=True), "frame 7 lacks its neighbour"
    assert np.isnan(late.values[:7]).all() and np.isnan(late.column("edge_flicker")[7])


@pytest.mark.parametrize(("spoil", "flag"), [
    (dict(shift=0.05), "edge flicker"), (dict(radius=0.22), "mask area"), (dict(level=0.6), "colour shift"),
])  # fmt: skip
def test_the_bad_frame_is_found_and_named(spoil, flag):
    report = CompositeReport(40)
    report.table = measured(40, spoiled=23, **spoil)
    report.outcomes[:] = Outcome.COMPOSITED
    runs = report.odd_frames()[flag]
    assert len(runs) == 1 and runs[0][0] >= 22 and runs[0][1] <= 24, "the frame, and at most its neighbours"
    assert f"({flag})" in report.summary() and "look at frames" in report.summary()


def test_a_square_that_jumps_is_found_and_steady_frames_are_not():
    table = measured(40)
    assert table.flags() == [()] * 40
    table.column("x")[17] += 30
    assert "box jumps" in table.flags()[17] and not any(table.flags()[:16])
    assert CompositeReport(40).summary() == "0 of 40 frames composited"


def test_a_whole_stretch_of_bad_frames_is_one_run():
    report = CompositeReport(60)
    report.table = measured(60)
    report.table.column("edge_flicker")[31:35] = 0.2
    assert report.odd_frames() == {"edge flicker": [(31, 34)]}
    assert "look at frames 31-34 (edge flicker)" in report.summary()


def test_a_change_outside_the_region_is_found_down_to_one_code():
    before = noise_picture("yuv420p", 64, 48)
    rect = Rect(11, 9, 41, 33)
    alpha = np.ones((rect.height, rect.width), np.float32)
    after = blend_region(before, rect, np.zeros((rect.height, rect.width, 3), np.float32), alpha)
    assert change_outside(before, after, rect) == 0 and change_outside(before, after, Rect(20, 9, 41, 33)) > 50
    plane_views(after)[1][0, 0] ^= 1
    assert change_outside(before, after, rect) == 1


@pytest.mark.parametrize("row", (2, 20, 45))
def test_a_change_outside_that_stays_is_found_within_four_frames(row):
    before = noise_picture("yuv420p", 64, 48)
    rect, after = Rect(11, 9, 41, 33), copy_picture(before)
    plane_views(after)[0][row, 60] ^= 8
    table = measured(8)
    for index in range(8):
        table.check_outside(index, before, after, rect)
    assert sorted(table.column("outside_change")) == [0] * 6 + [8] * 2


def test_the_table_is_written_as_a_line_a_frame_whole_or_not_at_all(tmp_path):
    report = CompositeReport(40)
    report.table = measured(40, order=range(1, 40), spoiled=23, level=0.6)
    report.outcomes[1:] = Outcome.COMPOSITED
    report.note(0, Outcome.NO_HEAD_IN_FOOTAGE)
    path = report.write_csv(tmp_path / "frames.csv")
    rows = list(csv.DictReader(path.open()))
    assert len(rows) == 40 and set(MEASURES) | {"frame", "outcome", "look at"} == set(rows[0])
    assert [rows[i]["outcome"] for i in (0, 5)] == ["no head in footage", "composited"] and rows[0]["mask_area"] == ""
    assert rows[23]["look at"] == "colour shift" and rows[22]["look at"] == ""
    assert float(rows[5]["time"]) == pytest.approx(0.2)
    with pytest.raises(BadInput, match="exists already"):
        report.write_csv(path)
    report.write_csv(path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["frames.csv"]
