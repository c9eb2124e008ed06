"""The generated head sits where the footage's head sat, in size and place."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from composite_media import fixed_track

from lpd_plugin.compositing.head.placement import Fit, PlacementOptions, head_shape, measure_placement, placed
from lpd_plugin.compositing.picture.look import look_at, person_mattes
from lpd_plugin.compositing.picture.square import typical_person
from lpd_plugin.errors import BadInput
from lpd_plugin.video.file_clip import FileClip
from lpd_plugin.video.track import CropBox, Origin
from lpd_plugin.weights.files import load_matte

PIXEL = 1 / 256


@pytest.fixture(scope="module")
def talking_mattes(carphone) -> list[np.ndarray]:
    """The talking man's mattes by the embedded network, at five moments that show the whole head."""
    lefts = {0: 31.9, 15: 28.6, 30: 25.2, 45: 22.0, 60: 18.8}
    frames = [frame for frame in FileClip(str(carphone)).frames() if frame.index in lefts]
    looks = [look_at(frame.picture, CropBox(lefts[frame.index], 6.5, 112.8)) for frame in frames]
    return person_mattes(looks, load_matte(device="cpu"))


def in_another_square(matte: np.ndarray, fit: Fit) -> np.ndarray:
    """The matte as it looks in a square that `fit` would lay over the matte's own."""
    side = matte.shape[0]
    corner = (1 - fit.scale) * (side - 1) / 2
    to_own = np.array([[fit.scale, 0, corner + fit.dx * side], [0, fit.scale, corner + fit.dy * side]])
    # Above a head there is nobody; the sides and the bottom go on.
    open_above = np.pad(matte, ((side, 0), (0, 0)))
    to_own[1, 2] += side
    return cv2.warpAffine(
        open_above, to_own, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )


@pytest.mark.parametrize("fit", [Fit(1.18, 0.03, 0.02), Fit(0.9, -0.04, -0.02), Fit(1.0, 0.05, -0.01), Fit(0.93, 0.0, 0.0)])
def test_known_scales_and_shifts_of_real_mattes_are_found_within_a_pixel(talking_mattes, fit):
    found = measure_placement((matte, in_another_square(matte, fit)) for matte in talking_mattes)
    assert found.dx == pytest.approx(fit.dx, abs=PIXEL)
    assert found.dy == pytest.approx(fit.dy, abs=PIXEL)
    assert found.scale == pytest.approx(fit.scale, abs=2 * PIXEL)  # half the side times this is the edge's error


def test_heads_of_people_in_the_shared_footage_fit_the_same(shared):
    clips = sorted((shared / "heads" / "val").glob("*/*.mask.mp4"))[:6]
    if not clips:
        pytest.skip("the shared heads are not on this machine")
    fit = Fit(0.88, 0.02, 0.01)
    for path in clips:
        mattes = [frame.rgb()[..., 0].astype(np.float32) / 255 for frame, _ in zip(FileClip(str(path)).frames(), range(5))]
        whole = [matte for matte in mattes if matte[:4].max() < 0.5]
        if not whole:
            continue
        found = measure_placement((matte, in_another_square(matte, fit)) for matte in whole)
        errors = [(found.scale - fit.scale) / 2, found.dx - fit.dx, found.dy - fit.dy]
        assert np.abs(errors).max() < 1.5 * PIXEL, (path.parent.name, errors)


def test_a_few_moments_with_a_hand_at_the_head_do_not_count(talking_mattes):
    fit = Fit(1.1, 0.02, 0.02)
    pairs = [(matte, in_another_square(matte, fit)) for matte in talking_mattes]
    for number in (0, 3):
        with_hand = pairs[number][0].copy()
        with_hand[60:150, 180:230] = 1
        pairs[number] = with_hand, pairs[number][1]
    found = measure_placement(pairs)
    assert found.scale == pytest.approx(fit.scale, abs=0.02)
    assert (found.dx, found.dy) == pytest.approx((fit.dx, fit.dy), abs=2 * PIXEL)


def test_what_a_matte_shows_elsewhere_does_not_count(talking_mattes):
    fit = Fit(1.1, 0.02, 0.02)
    pairs = [(matte, in_another_square(matte, fit)) for matte in talking_mattes]
    for _, made in pairs:
        made[2:40, 215:254] = 1  # a lamp that the network takes for somebody
        made[100:150, 2:22] = 1
    found = measure_placement(pairs)
    assert (found.dx, found.dy) == pytest.approx((fit.dx, fit.dy), abs=2 * PIXEL)
    assert found.scale == pytest.approx(fit.scale, abs=2 * PIXEL)


def test_mattes_of_different_resolutions_measure_alike(talking_mattes):
    small = [cv2.resize(matte, (128, 128), interpolation=cv2.INTER_AREA) for matte in talking_mattes]
    found = measure_placement(zip(talking_mattes, small))
    assert abs(found.scale - 1) < 2 * PIXEL and max(abs(found.dx), abs(found.dy)) < PIXEL


def test_heads_that_already_fit_stay_exactly_where_they_are(talking_mattes):
    assert measure_placement(zip(talking_mattes, talking_mattes)) == Fit()
    track = fixed_track(np.arange(3) / 25, (50, 40), 30, (100, 80))
    assert placed(track) is track


def test_without_a_head_in_the_mattes_nothing_moves():
    empty, full = np.zeros((256, 256), np.float32), np.ones((256, 256), np.float32)
    assert measure_placement([]) == Fit()
    assert measure_placement([(empty, typical_person()), (typical_person(), full)]) == Fit()
    assert head_shape(full) is None and head_shape(empty) is None


def test_a_fit_is_bounded():
    tiny = in_another_square(typical_person(), Fit(2.0, 0.0, 0.0))
    found = measure_placement([(typical_person(), tiny)])
    assert found.scale == pytest.approx(1.4) and abs(found.dy) <= 0.2


def test_a_head_cut_by_its_square_rises_no_further_than_is_proven():
    person = typical_person()
    cut = in_another_square(person, Fit(1.0, 0.0, 0.25))
    assert cut[0].max() > 0.9
    assert -0.061 < measure_placement([(cut, person)]).dy < -0.02
    assert measure_placement([(cut, cut)]) == Fit()


def moving_track(count: int = 50, rate: float = 25.0):
    times = np.arange(count) / rate
    centres = np.stack([100 + 20 * np.sin(times * 3), 80 + 5 * times], 1)
    return fixed_track(times, centres, 40, (200, 160))


def test_follow_keeps_the_tracks_motion_and_lays_the_fit_on_it():
    track = replace(moving_track(), side=np.linspace(40, 60, 50, dtype=np.float32))
    options = PlacementOptions(scale=0.5, offset_x=0.1, offset_y=-0.2)
    result = placed(track, Fit(1.2, 0.05, 0.1), options)
    assert result.side == pytest.approx(track.side * 0.6)
    assert result.centre[:, 0] == pytest.approx(track.centre[:, 0] + 0.15 * track.side, abs=1e-3)
    assert result.centre[:, 1] == pytest.approx(track.centre[:, 1] - 0.1 * track.side, abs=1e-3)
    assert result.times is track.times and np.array_equal(result.origin, track.origin)


def test_hold_stands_still_through_a_short_gap_and_starts_anew_after_a_cut():
    track = moving_track(75)
    centre, origin = track.centre.copy(), track.origin.copy()
    centre[50:] += (60, 0)  # another shot
    for gap in (slice(10, 15),):
        centre[gap], origin[gap] = 0, Origin.ABSENT
    track = replace(track, centre=centre, origin=origin)
    result = placed(track, options=PlacementOptions("hold"))
    seen = np.flatnonzero(track.present[:50])
    assert result.centre[seen] == pytest.approx(np.broadcast_to(np.median(centre[seen], 0), (45, 2)), abs=1e-3)
    assert result.centre[50:] == pytest.approx(np.broadcast_to(np.median(centre[50:], 0), (25, 2)), abs=1e-3)
    assert not result.centre[10:15].any() and result.box(12) is None


def test_driver_adds_the_drivers_own_motion_in_sides_of_its_square():
    track = fixed_track(np.arange(50) / 25, (100, 80), 40, (200, 160))
    driver = moving_track(61, 30.0)
    driver = replace(driver, centre=driver.centre * 3, side=driver.side * 3)
    result = placed(track, options=PlacementOptions("driver"), driver_track=driver)
    then = driver.at(track.times).centre
    wanted = 100 + (then[:, 0] - np.median(driver.centre[:, 0])) / 120 * 40
    assert result.centre[:, 0] == pytest.approx(wanted, abs=0.02)
    assert result.side == pytest.approx(track.side)


def test_driver_at_given_moments_and_its_growth():
    track = fixed_track(np.arange(4) / 25, (100, 80), 40, (200, 160))
    driver = moving_track(50)
    driver = replace(driver, side=np.where(np.arange(50) < 25, 40, 44).astype(np.float32))
    backwards = np.array([1.8, 1.6, 0.2, 0.0])
    result = placed(track, options=PlacementOptions("driver"), driver_track=driver, moments=backwards)
    rest = np.median(driver.side)
    assert result.side == pytest.approx(40 * np.array([44, 44, 40, 40]) / rest)


def test_the_drivers_absence_is_bridged():
    track = fixed_track(np.arange(50) / 25, (100, 80), 40, (200, 160))
    whole = moving_track()
    centre, side, origin = whole.centre.copy(), whole.side.copy(), whole.origin.copy()
    centre[20:24], side[20:24], origin[20:24] = 0, 0, Origin.ABSENT
    with_gap = replace(whole, centre=centre, side=side, origin=origin)
    result = placed(track, options=PlacementOptions("driver"), driver_track=with_gap)
    steps = np.abs(np.diff(result.centre, axis=0)).max()
    assert steps < 4 and result.present.all()


def test_wrong_placements_are_refused_with_what_to_do():
    with pytest.raises(BadInput, match="follow, hold, driver"):
        PlacementOptions(mode="stick")
    with pytest.raises(BadInput, match="scale is 0"):
        PlacementOptions(scale=0)
    with pytest.raises(BadInput, match="offset_x is nan"):
        PlacementOptions(offset_x=float("nan"))
    with pytest.raises(BadInput, match="driver's track"):
        placed(moving_track(), options=PlacementOptions("driver"))
