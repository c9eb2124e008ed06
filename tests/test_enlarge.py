"""A head of 256 pixels on the footage's pixels is nearer to the filmed one than by cubic interpolation; so is its detail."""

import cv2
import numpy as np
import pytest
import torch
from composite_media import fixed_track

from lpd_plugin.compositing.head.detail import DetailBank, Reference, inject, steady_weights
from lpd_plugin.compositing.head.enlarge import enlarged, enlarged_matte
from lpd_plugin.compositing.head.grain import Grain
from lpd_plugin.compositing.head.sharpness import edge_spread
from lpd_plugin.compositing.head.texture import Texture, TextureOptions
from lpd_plugin.compositing.picture.look import Look, frames_at
from lpd_plugin.compositing.picture.square import square_to_rect
from lpd_plugin.evaluation.measures import pictures
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.regions.region import Rect, read_region
from lpd_plugin.video.track import CropBox

# Squares of heads in the shared footage: left, top, side.
FILMED = {
    "foot_01_static_1080p.mp4": (700, 143, 459),
    "foot_03_moving_camera.mp4": (504, 0, 516),
    "foot_05_face_lost.mp4": (141, 0, 540),
    "foot_06_profile.mp4": (255, 0, 361),
    "foot_08_static_vertical.mp4": (340, 402, 476),
}
ALL = np.ones((256, 256), np.float32)


def reduced(square: np.ndarray) -> np.ndarray:
    return cv2.resize(square, (256, 256), interpolation=cv2.INTER_AREA)


def whole(square: np.ndarray) -> tuple[CropBox, Rect]:
    side = square.shape[0]
    return CropBox(0, 0, side), Rect(0, 0, side, side)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(np.clip(a, 0, 1) - np.clip(b, 0, 1)).mean()))


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    a, b = (torch.from_numpy(np.ascontiguousarray(one)).permute(2, 0, 1) for one in (a, b))
    return pictures.ssim(a, b, torch.ones(a.shape[1:], dtype=torch.bool))


@pytest.fixture(scope="module")
def portrait(astronaut) -> np.ndarray:
    """(330, 330, 3), the head of the demo's portrait."""
    picture = cv2.imread(str(astronaut))[..., ::-1]
    return np.ascontiguousarray(picture[:330, 60:390]) / np.float32(255)


def filmed(footage, name: str, numbers=(4,)) -> list[np.ndarray]:
    """The head's square in frames of the shared footage."""
    left, top, side = FILMED[name]
    rect = Rect(left, top, left + side, top + side)
    return [read_region(frame.picture, rect).clip(0, 1) for frame in frames_at(open_clip(footage / name), numbers)]


def better_than_cubic(truth: np.ndarray) -> tuple[float, float]:
    """PSNR gained over cubic interpolation, in dB, and share of the missing SSIM that was won back."""
    small = reduced(truth)
    box, rect = whole(truth)
    cubic, ours = square_to_rect(small, box, rect).clip(0, 1), enlarged(small, box, rect).clip(0, 1)
    before, after = ssim(cubic, truth), ssim(ours, truth)
    real = edge_spread(truth)
    assert abs(edge_spread(ours) - real) < abs(edge_spread(cubic) - real)
    return psnr(ours, truth) - psnr(cubic, truth), (after - before) / (1 - before)


def test_a_portrait_brought_down_and_back_is_nearer_to_itself_than_by_cubic_interpolation(portrait):
    decibels, share = better_than_cubic(portrait)
    assert decibels > 1.5
    assert share > 0.2


@pytest.mark.parametrize("name, least", [(name, 0.7 if "03" in name else 2.0) for name in FILMED])
def test_filmed_heads_brought_down_and_back_are_nearer_than_by_cubic_interpolation(footage, name, least):
    decibels, share = better_than_cubic(filmed(footage, name)[0])
    assert decibels > least
    assert share > 0.1


def test_shrunk_again_an_enlarged_head_is_the_head_it_was_made_from(portrait):
    small = reduced(portrait)
    box = CropBox(0, 0, 768)
    rect = Rect(0, 0, 768, 768)

    def missed(one):
        return np.sqrt(np.square(reduced(one) - small).mean())

    ours = missed(enlarged(small, box, rect))
    assert ours < missed(square_to_rect(small, box, rect)) / 3
    assert ours < 1 / 255


def test_a_square_on_whole_pixels_with_its_own_side_is_copied(portrait):
    box, rect = CropBox(17, 9, 330), Rect(20, 9, 347, 300)
    assert np.array_equal(enlarged(portrait, box, rect), portrait[:291, 3:330])


def test_what_is_shrunk_is_averaged_as_everywhere_else(portrait):
    box, rect = CropBox(3.25, 2.5, 120.7), Rect(3, 2, 124, 124)
    assert np.array_equal(enlarged(portrait, box, rect), square_to_rect(portrait, box, rect))


@pytest.mark.parametrize("box", [CropBox(10.3, 7.8, 411.7), CropBox(-20.6, -3.2, 700.0), CropBox(0.5, 0.5, 300.25)])
def test_places_agree_with_the_other_way_of_drawing_a_square_to_a_twentieth_of_a_pixel(portrait, box):
    small = reduced(portrait)
    rect = Rect(max(int(box.left), 0), max(int(box.top), 0), int(box.left + box.side), int(box.top + box.side))
    ours, other = (f(small, box, rect)[..., 1] for f in (enlarged, square_to_rect))
    window = cv2.createHanningWindow(ours.shape[::-1], cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(np.float32(ours), np.float32(other), window)
    assert abs(x) < 0.05 and abs(y) < 0.05
    assert np.abs(cv2.GaussianBlur(ours - other, (0, 0), 3)).max() < 0.02


def test_part_of_the_square_is_drawn_as_in_the_whole(portrait):
    small, box = reduced(portrait), CropBox(10.3, 7.8, 611.7)
    all_of_it, part = Rect(10, 7, 622, 620), Rect(101, 203, 377, 512)
    expected = enlarged(small, box, all_of_it)[part.slices(all_of_it)]
    assert np.abs(enlarged(small, box, part) - expected).max() < 1e-5


def test_beyond_the_square_its_border_goes_on(portrait):
    small = reduced(portrait)
    drawn = enlarged(small, CropBox(10, 10, 600), Rect(0, 0, 620, 620))
    assert np.abs(drawn[:9, 20:600] - drawn[:1, 20:600]).max() < 0.02
    assert np.abs(drawn[:5] - drawn[:1]).max() < 1e-5


def test_a_hard_edge_does_not_ring():
    step = np.full((256, 256, 3), 0.2, np.float32)
    step[:, 100:] = 0.8
    drawn = enlarged(step, CropBox(0, 0, 1000), Rect(0, 0, 1000, 1000))
    assert drawn.max() < 0.8 + 0.101 * 0.6
    assert drawn.min() > 0.2 - 0.101 * 0.6
    assert np.abs(drawn[:, :360] - 0.2).max() < 0.02 and np.abs(drawn[:, 420:] - 0.8).max() < 0.02


def test_one_channel_and_four_are_enlarged_as_three_are(portrait):
    small, box, rect = reduced(portrait), CropBox(0.4, 0.2, 500.5), Rect(0, 0, 501, 501)
    colours = enlarged(small, box, rect)
    assert np.abs(enlarged(small[..., :1], box, rect) - colours[..., :1]).max() < 1e-6
    four = enlarged(np.dstack([small, small[..., 0]]), box, rect)
    assert np.abs(four[..., :3] - colours).max() < 1e-6 and four.shape == (501, 501, 4)


def test_an_enlarged_matte_has_no_steps_and_stays_a_matte():
    y, x = np.mgrid[:256, :256] - 127.5
    matte = (np.hypot(x, y) < 80).astype(np.float32)
    box, rect = CropBox(0.3, 0.6, 1000), Rect(0, 0, 1001, 1001)
    drawn = enlarged_matte(matte, box, rect)
    assert drawn.min() >= 0 and drawn.max() <= 1
    assert drawn[500, 500] == pytest.approx(1, abs=1e-6) and drawn[0, 0] == 0

    def waviness(one):
        """How far the outline is from the circle, pixels."""
        edge = cv2.findContours((one > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0][:, 0]
        return float(np.std(np.hypot(edge[:, 0] - 499.8, edge[:, 1] - 500.1)))

    assert waviness(drawn) < 0.9 * waviness(square_to_rect(matte, box, rect))
    assert np.abs(np.diff(drawn, axis=1)).max() < 0.2  # no jump from one pixel to the next


# Detail


@pytest.fixture(scope="module")
def neighbours(footage) -> dict[str, list[np.ndarray]]:
    """Five frames in a row of every person."""
    return {name: filmed(footage, name, (3, 4, 5, 6, 7)) for name in FILMED}


def reference(square: np.ndarray) -> Reference:
    side = square.shape[0]
    return Reference.of(Look(CropBox(0, 0, side), Rect(0, 0, side, side), square))


@pytest.mark.parametrize("name, least", [("foot_01", 1.0), ("foot_03", 4.0), ("foot_06", 6.0)])
def test_detail_of_a_neighbouring_frame_brings_a_head_nearer_to_the_truth(neighbours, name, least):
    frames = next(one for key, one in neighbours.items() if key.startswith(name))
    truth, side = frames[2], frames[2].shape[0]
    box, rect = CropBox(0, 0, side), Rect(0, 0, side, side)
    bank, small = DetailBank([reference(frames[1]), reference(frames[3])]), reduced(frames[2])
    plain = enlarged(small, box, rect)
    detailed = inject(plain, [bank.agreements(small, ALL)], box, rect)
    assert psnr(detailed, truth) > psnr(plain, truth) + least


def test_detail_of_another_person_is_not_taken(neighbours):
    for name, frames in neighbours.items():
        side = frames[2].shape[0]
        box, rect = CropBox(0, 0, side), Rect(0, 0, side, side)
        bank = DetailBank([reference(other[2]) for key, other in neighbours.items() if key != name])
        small = reduced(frames[2])
        window = [bank.agreements(small, ALL)]
        assert max(weight.max() for weight in steady_weights(window)) < 0.02
        plain = enlarged(small, box, rect)
        assert np.array_equal(inject(plain, window, box, rect), plain)


def test_detail_goes_where_it_would_come_and_go(neighbours):
    """Of five frames one does not agree: there is none in the frames around, and less beside them."""
    frames = neighbours["foot_03_moving_camera.mp4"]
    bank = DetailBank([reference(frames[2])])
    good = bank.agreements(reduced(frames[2]), ALL)
    bad = bank.agreements(reduced(neighbours["foot_08_static_vertical.mp4"][2]), ALL)
    assert bad[0].whole < 0.05 < 0.95 < good[0].whole
    steady, beside, middle = ([good] * 5, [bad] + [good] * 4, [good, good, bad, good, good])
    levels = [float(steady_weights(window)[0].mean()) for window in (steady, beside, middle)]
    assert levels[0] > 0.8
    assert levels[2] == 0
    assert 0 < levels[1] < levels[0]


def test_how_much_detail_there_is_changes_little_from_frame_to_frame_while_she_blinks(footage):
    frames = filmed(footage, "foot_03_moving_camera.mp4", range(20))
    bank = DetailBank([reference(frames[0])])
    found = [bank.agreements(reduced(one), ALL) for one in frames]
    shares = [float(steady_weights(found[middle - 4 : middle + 5])[0].mean()) for middle in range(4, 16)]
    assert min(shares) > 0.2
    assert np.abs(np.diff(shares)).max() < 0.08


def test_detail_does_not_depend_on_what_was_asked_before(neighbours):
    frames = neighbours["foot_01_static_1080p.mp4"]
    small = [reduced(one) for one in frames]
    one, other = DetailBank([reference(frames[0])]), DetailBank([reference(frames[0])])
    for earlier in small[:3]:
        one.agreements(earlier, ALL)
    first, second = one.agreements(small[3], ALL)[0], other.agreements(small[3], ALL)[0]
    assert np.array_equal(first.flow, second.flow) and np.array_equal(first.weight, second.weight)


def test_a_bank_remembers_frames_of_a_clip_with_a_head_and_little_of_each(footage):
    clip = open_clip(footage / "foot_03_moving_camera.mp4")
    times = [float(t) for t in clip.timestamps()]
    track = fixed_track(times, (770, 250), 532.4, (1280, 720), absent=(20,))
    bank = DetailBank.of_footage(clip, track, (0, 20, 40, 10_000))
    assert len(bank.references) == 2
    assert all(one.grey.nbytes + one.detail.nbytes < 2.2e6 for one in bank.references)
    larger = fixed_track(times, (640, 360), 1400.0, (1280, 720))  # also beyond the picture
    assert DetailBank.of_footage(clip, larger, (0,)).references[0].detail.shape == (1024, 1024)


def test_detail_is_added_through_the_whole_step_where_it_fits(neighbours):
    frames = neighbours["foot_03_moving_camera.mp4"]
    side = frames[2].shape[0]
    box, rect, alpha = CropBox(0, 0, side), Rect(0, 0, side, side), np.ones((side, side), np.float32)
    bank = DetailBank([])
    window = [bank.agreements(reduced(one), ALL, own=reference(one)) for one in frames]
    head = enlarged(reduced(frames[2]), box, rect)
    results = {
        amount: Texture(TextureOptions(detail=amount), 1.5 / side, 0.8, Grain(np.zeros((8, 3)))).apply(
            head, alpha, 2, box, rect, window
        )
        for amount in (0.0, 0.5, 1.0)
    }
    errors = [np.square(results[amount] - frames[2]).mean() for amount in (0.0, 0.5, 1.0)]
    assert errors[2] < errors[1] < errors[0]
    assert psnr(results[1.0], frames[2]) > psnr(head, frames[2]) + 3
    alpha[:200], alpha[:, :150] = 0, 0  # only a part is worked on, and its detail lies where it did
    part = Texture(TextureOptions(detail=1), 1.5 / side, 0.8, Grain(np.zeros((8, 3)))).apply(
        head, alpha, 2, box, rect, window
    )
    assert np.abs(part - results[1.0])[200:, 150:].max() < 1e-4


def test_a_head_softer_than_its_square_holds_is_sharpened_that_far_under_its_detail(neighbours):
    frames = neighbours["foot_03_moving_camera.mp4"]
    truth, side = frames[2], frames[2].shape[0]
    box, rect, alpha = CropBox(0, 0, side), Rect(0, 0, side, side), np.ones((side, side), np.float32)
    small = reduced(truth)
    soft = cv2.GaussianBlur(small, (0, 0), 0.7)  # as a generator draws it
    bank = DetailBank([reference(frames[1])])
    spreads = [edge_spread(enlarged(one, box, rect)) / side for one in (soft, small)]
    results = [
        Texture(TextureOptions(detail=1), spreads[0], edge_spread(truth), Grain(np.zeros((8, 3))), held).sharpened(
            enlarged(soft, box, rect), alpha, box, rect, [bank.agreements(soft, ALL)]
        )
        for held in (None, spreads[1])
    ]
    assert psnr(results[1], truth) > psnr(results[0], truth) + 2
    assert abs(edge_spread(results[1]) - edge_spread(truth)) < abs(edge_spread(results[0]) - edge_spread(truth))
