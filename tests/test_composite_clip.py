"""Heads go into footage: nothing else changes, and what was cut out goes back as it was."""

from fractions import Fraction

import numpy as np
import pytest
from composite_media import FlatHeads, fixed_track

from lpd_plugin.compositing.composite_clip import CompositeClip, CompositeOptions
from lpd_plugin.compositing.head.dressing import HeadOptions
from lpd_plugin.compositing.head.footage_heads import FootageHeads, nearest_moments
from lpd_plugin.compositing.matte.edge import EdgeOptions
from lpd_plugin.compositing.views.report import Outcome
from lpd_plugin.errors import BadInput
from lpd_plugin.reenactment.heads import Head
from lpd_plugin.video.batch_clip import BatchClip
from lpd_plugin.video.file_clip import FileClip
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.planes import bit_depth, plane_views, tags_of
from lpd_plugin.video.regions.region import Rect, box_rect
from lpd_plugin.video.still_clip import StillClip

WHOLE_SQUARE = CompositeOptions(EdgeOptions(region="square", border=0, feather=0))
AS_IT_COMES = CompositeOptions()
FACES = {"foot_01_static_1080p.mp4": ((947, 377), 427), "foot_03_moving_camera.mp4": ((768, 245), 562)}


@pytest.fixture
def talking(carphone) -> FileClip:
    return FileClip(str(carphone))


def carphone_track(clip, **more):
    return fixed_track(clip.timestamps(), (84.3, 66.7), 101.4, (clip.info.width, clip.info.height), **more)


def differences(before, after, rect: Rect) -> tuple[np.ndarray, bool]:
    """Absolute differences in 1/255 inside the rectangle, of all planes; whether all outside is identical."""
    inside, outside_same = [], True
    scale = 255 / ((1 << bit_depth(before.format.name)) - 1)
    for one, other in zip(plane_views(before), plane_views(after), strict=True):
        fy, fx = -(-before.height // one.shape[0]), -(-before.width // one.shape[1])
        mask = np.zeros(one.shape, bool)
        mask[-(-rect.top // fy) : -(-rect.bottom // fy), -(-rect.left // fx) : -(-rect.right // fx)] = True
        outside_same &= np.array_equal(one[~mask], other[~mask])
        inside.append(np.abs(one[mask].astype(np.float64) - other[mask]) * scale)
    return np.concatenate(inside), outside_same


class EightBit(FootageHeads):
    """Heads that went through 8-bit RGB on their way, as through a host's image files."""

    def __iter__(self):
        for head in super().__iter__():
            yield head and Head((np.rint(head.rgb.clip(0, 1) * 255) / 255).astype(np.float32), head.matte)


def assert_null(clip, track, heads, options, frames=3):
    composite = CompositeClip(clip, track, heads, None, options)
    seen = []
    for before, after, _ in zip(clip.frames(), composite.frames(), range(frames)):
        rect = box_rect(track.box(before.index), clip.info.width, clip.info.height)
        inside, outside_same = differences(before.picture, after.picture, rect)
        assert outside_same
        assert after.picture is not before.picture
        assert (after.time, tags_of(after.picture)) == (before.time, tags_of(before.picture))
        seen.append(inside)
    inside = np.concatenate(seen)
    assert inside.mean() <= 1
    assert np.percentile(inside, 99.9) <= 4
    return inside


@pytest.mark.parametrize("options", [WHOLE_SQUARE, AS_IT_COMES], ids=["whole square", "defaults"])
@pytest.mark.parametrize("name", FACES)
def test_null_heads_of_real_footage_go_back_exactly(footage, name, options):
    clip = open_clip(footage / name)
    track = fixed_track(clip.timestamps(), *FACES[name], (clip.info.width, clip.info.height)).snapped()
    assert assert_null(clip, track, FootageHeads(clip, track), options).max() == 0


@pytest.mark.parametrize(
    ("pixel_format", "codec", "coded"),
    [
        ("yuv420p", "ffv1", "yuv420p"),
        ("yuv422p10le", "ffv1", "yuv422p10le"),
        ("gbrp", "libx264rgb", "rgb24"),
        ("gbrp10le", "ffv1", "gbrp10le"),
        ("gray", "ffv1", "gray"),
    ],
)
def test_null_in_every_kind_of_lossless_clip(make_clip, pixel_format, codec, coded):
    lossless = {"qp": "0"} if codec == "libx264rgb" else None
    clip = FileClip(str(make_clip("null.mkv", codec, coded, count=4, options=lossless)))
    assert clip.info.pixel_format == pixel_format
    track = carphone_track(clip).snapped()
    assert assert_null(clip, track, FootageHeads(clip, track), WHOLE_SQUARE).max() == 0
    assert_null(clip, track, EightBit(clip, track), WHOLE_SQUARE)


def test_null_with_a_square_beyond_the_picture(talking):
    track = fixed_track(talking.timestamps(), (20, 40), 120, (176, 144)).snapped()
    assert assert_null(talking, track, FootageHeads(talking, track), WHOLE_SQUARE).max() == 0


def test_the_null_test_notices_another_moments_heads(talking):
    track = carphone_track(talking).snapped()
    late = FootageHeads(talking, track, picks=np.arange(len(track))[::-1])
    with pytest.raises(AssertionError):
        assert_null(talking, track, late, WHOLE_SQUARE)


def test_frames_without_a_head_are_the_very_same_pictures(make_clip):
    clip = open_clip(make_clip("talk.mkv", "ffv1", count=10))
    pictures = [frame.picture for frame in clip.frames()]

    class Kept(type(clip)):
        def frames(self, start=0):
            for frame in list(super().frames())[start:]:
                frame.picture = pictures[frame.index]
                yield frame

    clip.__class__ = Kept
    heads = FlatHeads([float(t) for t in clip.timestamps()], none={4})
    composite = CompositeClip(clip, carphone_track(clip, absent=(0, 7)), heads)
    same = [frame.picture is pictures[frame.index] for frame in composite.frames()]
    assert same == [index in (0, 4, 7) for index in range(10)]
    assert composite.report.spans(Outcome.NO_HEAD_IN_FOOTAGE) == [(0, 0), (7, 7)]
    assert composite.report.spans(Outcome.NO_HEAD_IN_PERFORMANCE) == [(4, 4)]
    assert composite.report.count(Outcome.COMPOSITED) == 7
    assert "7 of 10 frames composited" in composite.report.summary()


def test_the_head_is_there_and_the_crops_border_never_is(talking):
    track = carphone_track(talking)
    heads = FlatHeads(track.times)
    for region in ("head", "person"):
        composite = CompositeClip(talking, track, heads, None, CompositeOptions(EdgeOptions(region=region)))
        frame, layer = next(composite.layers())
        border = [layer.alpha[0], layer.alpha[-1], layer.alpha[:, 0], layer.alpha[:, -1]]
        assert all(not edge.any() for edge in border)
        assert layer.alpha.max() > 0.99
        after = next(composite.frames()).rgb()
        assert np.abs(after[62, 84].astype(int) - (230, 26, 26)).max() <= 6


def test_the_matte_clip_is_the_alpha_with_and_without_the_composite_made_first(talking):
    track = carphone_track(talking, absent=(3,))
    composite = CompositeClip(talking, track, FlatHeads(track.times[:8]))
    matte = composite.matte_clip()
    other_matte = CompositeClip(talking, track, composite.heads).matte_clip()
    fresh = [plane_views(f.picture)[0].copy() for f in other_matte.frames()]
    before = [f.picture for f in talking.frames()][:8]
    after = [f.picture for f in composite.frames()]
    composite.layers = None  # what was put aside has to do
    put_aside = [plane_views(f.picture)[0] for f in matte.frames()]
    assert len(fresh) == len(put_aside) == 8
    for own, other, old, new in zip(fresh, put_aside, before, after):
        assert np.array_equal(own, other)
        changed = plane_views(old)[0] != plane_views(new)[0]
        assert not (changed & (own == 0)).any()
    assert not put_aside[3].any()
    assert put_aside[0].max() == 255
    assert (matte.info.width, matte.info.pixel_format) == (176, "gray")


def test_trim_ends_with_the_performance_and_hold_goes_on(talking):
    track = carphone_track(talking)
    heads = FootageHeads(talking, fixed_track(talking.timestamps()[:30], (84, 66), 100, (176, 144)), 64)
    trim = CompositeClip(talking, track, heads, None, CompositeOptions(end_policy="trim"))
    assert len(trim.timestamps()) == trim.info.frame_count == 30
    assert trim.info.duration == talking.timestamps()[30]
    assert len(list(trim.frames(20))) == 10
    hold = CompositeClip(talking, track, heads, None, CompositeOptions(end_policy="hold"))
    assert hold.timestamps() == talking.timestamps()
    assert [f.index for f in hold.frames(116)] == [116, 117, 118, 119]
    assert hold.report.spans(Outcome.HELD) == [(116, 119)]


def test_a_trimmed_composite_shows_the_same_frames_from_its_in_point(talking):
    track = carphone_track(talking)
    whole = CompositeClip(talking, track, FootageHeads(talking, track, 64, picks=np.arange(120)[::-1]))
    times = whole.timestamps()
    part = whole.trimmed(times[10], times[14])
    assert part.timestamps() == [time - times[10] for time in times[10:14]]
    assert part.fingerprint() != whole.fingerprint()
    expected = {frame.index: frame.rgb() for frame in whole.frames(10) if frame.index < 14}
    for frame in part.frames():
        assert np.array_equal(frame.rgb(), expected[frame.index + 10])
    assert part.trimmed(times[1], None).timestamps()[0] == times[11] - times[10] - times[1]


def test_a_still_lasts_as_long_as_the_performance(astronaut):
    still = StillClip(str(astronaut))
    track = fixed_track([0], (224, 115), 190, (512, 512))
    heads = FlatHeads(np.arange(5) * 1001 / 30000)
    composite = CompositeClip(still, track, heads)
    assert composite.timestamps() == [Fraction(1001 * i, 30000) for i in range(5)]
    info = composite.info
    assert (info.is_still, info.frame_count) == (False, 5)
    assert (info.rate, info.duration) == (Fraction(30000, 1001), Fraction(1001, 6000))
    frames = list(composite.frames(2))
    assert [frame.index for frame in frames] == [2, 3, 4]
    rect = box_rect(track.box(0), 512, 512)
    inside, outside_same = differences(next(still.frames()).picture, frames[0].picture, rect)
    assert outside_same
    assert inside.max() > 50
    assert list(composite.trimmed(Fraction(1001, 30000), None).timestamps()) == composite.timestamps()[:4]


def test_sound_goes_as_far_as_the_pictures(footage):
    clip = open_clip(footage / "foot_01_static_1080p.mp4")
    track = fixed_track(clip.timestamps(), *FACES["foot_01_static_1080p.mp4"], (1920, 1080))
    full = CompositeClip(clip, track, FlatHeads(track.times))
    assert full.audio == clip.audio
    short = CompositeClip(clip, track, FlatHeads(track.times[:60]))
    assert short.audio.path == clip.audio.path
    assert short.audio.out_point - clip.audio.in_point == clip.timestamps()[60]
    part = short.trimmed(Fraction(1), None)
    assert part.audio.in_point == clip.audio.in_point + 1
    assert part.audio.out_point == short.audio.out_point


def test_colour_match_brings_a_tinted_head_back(talking):
    track = carphone_track(talking)

    class Tinted(FootageHeads):
        def __iter__(self):
            for head in super().__iter__():
                yield head and Head(np.clip(head.rgb * (0.75, 0.9, 1.1) + 0.05, 0, 1).astype(np.float32), head.matte)

    heads = Tinted(talking, track, 128)
    box = np.s_[50:85, 70:98]
    original = next(talking.frames(20)).rgb()[box].astype(float)
    errors = {}
    for match in (False, True):
        composite = CompositeClip(talking, track, heads, None, CompositeOptions(head=HeadOptions(colour=float(match))))
        errors[match] = np.abs(next(composite.frames(20)).rgb()[box] - original).mean()
    assert errors[True] < errors[False] / 2.5


def test_heads_of_footage_follow_the_end_policies():
    source = np.arange(4) / 10
    wanted = np.arange(9) / 10
    assert nearest_moments(source, wanted, "trim").tolist() == [0, 1, 2, 3, -1, -1, -1, -1, -1]
    assert nearest_moments(source, wanted, "hold").tolist() == [0, 1, 2, 3, 3, 3, 3, 3, 3]
    assert nearest_moments(source, wanted, "loop").tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    assert nearest_moments(source, wanted, "ping-pong").tolist() == [0, 1, 2, 3, 2, 1, 0, 1, 2]


def test_heads_of_footage_play_backwards_as_forwards(make_clip):
    clip = FileClip(str(make_clip("back.mkv", "ffv1", count=40)))
    track = carphone_track(clip)
    forwards = [head.rgb for head in FootageHeads(clip, track, 32)]
    backwards = [head.rgb for head in FootageHeads(clip, track, 32, picks=np.arange(40)[::-1])]
    assert len(forwards) == len(backwards) == 40
    assert all(np.array_equal(a, b) for a, b in zip(forwards, backwards[::-1]))


def test_no_more_than_a_batch_of_frames_is_held(talking):
    pulled = 0

    class Counted(FlatHeads):
        def __iter__(self):
            nonlocal pulled
            for head in super().__iter__():
                pulled += 1
                yield head

        def retimed(self, times, end_policy):
            return self

    track = carphone_track(talking)
    composite = CompositeClip(talking, track, Counted(track.times), None, CompositeOptions(micro_batch=3))
    for count, _ in zip(range(1, 31), composite.frames()):
        assert count <= pulled <= count + 3


def test_a_frame_asks_for_the_times_of_the_whole_footage_no_more_than_the_clip_does(talking, monkeypatch):
    made = CompositeClip(talking, carphone_track(talking), FlatHeads([float(t) for t in talking.timestamps()]))
    asked, timestamps = [], FileClip.timestamps
    monkeypatch.setattr(FileClip, "timestamps", lambda clip: asked.append(1) or timestamps(clip))
    counts = [len(asked) for frame, _ in zip(made.frames(), range(30))]
    assert counts[2] == counts[-1]


def test_an_image_batch_is_footage_too():
    batch = BatchClip(np.full((3, 40, 60, 3), 0.25, np.float32))
    track = fixed_track(batch.timestamps(), (30, 20), 30, (60, 40))
    rgb = next(CompositeClip(batch, track, FlatHeads(track.times)).frames()).rgb()
    assert np.all(rgb[:4] == 64)
    assert rgb[19, 30, 0] > 200


def test_wrong_options_are_refused_with_the_choices():
    with pytest.raises(BadInput, match="trim, hold, loop, ping-pong"):
        CompositeOptions(end_policy="stop")
    with pytest.raises(BadInput, match="head, person, square"):
        EdgeOptions(region="face")
    with pytest.raises(BadInput, match="gamma is 0"):
        EdgeOptions(gamma=0)
