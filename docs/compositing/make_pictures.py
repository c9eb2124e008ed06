"""The pictures of docs/compositing.md, from the demo's media:

    python docs/compositing/make_pictures.py

The portrait (scikit-image's astronaut) performs what the talking man does; every picture shows one option in several settings.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from lpd_plugin.compositing.composite_clip import CompositeClip, CompositeOptions
from lpd_plugin.compositing.element_clip import ElementClip
from lpd_plugin.compositing.fades import FadeOptions
from lpd_plugin.compositing.head.dressing import HeadOptions
from lpd_plugin.compositing.head.placement import PlacementOptions
from lpd_plugin.compositing.head.texture import TextureOptions
from lpd_plugin.compositing.matte.edge import EdgeOptions
from lpd_plugin.compositing.plate.clean_plate import plate_for
from lpd_plugin.compositing.views.comparison import ComparisonClip, ComparisonOptions
from lpd_plugin.reenactment.crops import chosen_crops
from lpd_plugin.reenactment.generate import GeneratedHeads
from lpd_plugin.reenactment.identity import encode_identity
from lpd_plugin.reenactment.pose import encode_pose
from lpd_plugin.rendering.demo import demo_media
from lpd_plugin.video.open import open_clip
from lpd_plugin.video.tracking.tracker import track_head
from lpd_plugin.weights.files import load_matte, load_model

FOLDER = Path(__file__).parent
MOMENT = 70  # frame of the performance: the mouth is open, the head is tilted
FULL = HeadOptions(steady=1, fit=True, colour=1, texture=TextureOptions())
VIEW = np.s_[0:330, 60:390]  # of the portrait: head and neck
ZOOM = np.s_[20:140, 90:210]  # its hair
NECK = np.s_[170:290, 150:270]


class Studio:
    """The portrait, the performance, and composites of both."""

    def __init__(self):
        portrait, man = demo_media()
        self.portrait, driver = open_clip(portrait), open_clip(man)
        model, network = load_model(), load_matte()
        self.matte = lambda crops: network(crops)
        self.track, self.driver_track = track_head(self.portrait), track_head(driver)
        identity = encode_identity(model, chosen_crops([(self.portrait, self.track)], 8, model), "compact")
        self.heads = GeneratedHeads(identity, encode_pose(model, driver, self.driver_track), model)
        self.plate = plate_for(self.portrait, self.track, None, self.matte)

    def composite(self, edge=EdgeOptions(feather=3), head=FULL, plate=True, **more) -> CompositeClip:
        options = CompositeOptions(edge, head, **more)
        plate = self.plate if plate else None
        return CompositeClip(self.portrait, self.track, self.heads, plate, options, self.matte, self.driver_track)

    def picture(self, frame: int = MOMENT, **options) -> np.ndarray:
        """(H, W, 3) uint8 RGB of one frame."""
        return rgb(self.composite(**options), frame)


def rgb(clip, frame: int = MOMENT) -> np.ndarray:
    frames = clip.frames(frame)
    try:
        return next(frames).rgb()
    finally:
        frames.close()


def strip(name: str, pictures: dict[str, np.ndarray], view=VIEW, side: int = 300) -> None:
    """Pictures side by side with their names above, as a JPEG."""
    tiles = []
    for words, picture in pictures.items():
        tile = cv2.resize(picture[view], (side, side), interpolation=cv2.INTER_CUBIC)
        label = np.full((28, side, 3), 255, np.uint8)
        cv2.putText(label, words, (6, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.48, (30, 30, 30), 1, cv2.LINE_AA)
        tiles.append(np.concatenate((label, tile)))
    sheet = np.concatenate(tiles, 1)[..., ::-1]
    cv2.imwrite(str(FOLDER / f"{name}.jpg"), sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(FOLDER / f"{name}.jpg")


def over_checks(clip, frame: int = MOMENT) -> np.ndarray:
    """An element over a checkerboard."""
    frames = clip.frames(frame)
    planes = next(frames).picture.reformat(format="rgba").to_ndarray().astype(np.float32) / 255
    frames.close()
    y, x = np.mgrid[: planes.shape[0], : planes.shape[1]] // 16
    checks = (0.45 + 0.2 * ((x + y) % 2))[..., None]
    return ((planes[..., :3] * planes[..., 3:] + checks * (1 - planes[..., 3:])) * 255).round().astype(np.uint8)


def main() -> None:
    studio = Studio()
    before = rgb(studio.portrait, 0)
    strip("plate", {
        "footage": before, "without the head": rgb(CompositeClip(studio.portrait, studio.track, None, studio.plate, head_matte=studio.matte), 0),
        "composite": studio.picture(), "no clean plate": studio.picture(plate=False),
    })  # fmt: skip
    edges = {"feather 3": {}, "erode 4": {"erode": 4}, "choke 0.5": {"choke": 0.5}, "feather 20": {"feather": 20}, "gamma 3": {"gamma": 3}}
    strip("edge", {name: studio.picture(edge=EdgeOptions(**({"feather": 3} | more))) for name, more in edges.items()}, ZOOM, 240)
    strip("region", {f"region {one}": studio.picture(edge=EdgeOptions(region=one, feather=3)) for one in ("head", "person")})
    places = {
        "fit": FULL, "no fit": HeadOptions(colour=1, texture=TextureOptions()),
        "scale 0.8": HeadOptions(fit=True, colour=1, placement=PlacementOptions(scale=0.8)),
        "offset_x 0.15": HeadOptions(fit=True, colour=1, placement=PlacementOptions(offset_x=0.15)),
        "placement driver": HeadOptions(fit=True, colour=1, placement=PlacementOptions("driver")),
    }  # fmt: skip
    strip("placement", {name: studio.picture(head=head) for name, head in places.items()}, side=240)
    strip("colour", {"footage": before} | {
        f"colour_match {amount:g}": studio.picture(head=HeadOptions(fit=True, colour=amount)) for amount in (0, 0.5, 1)
    })  # fmt: skip
    textures = {"off": None, "sharpness 1": TextureOptions(1, 0), "sharpness, grain": TextureOptions(), "detail 1": TextureOptions(detail=1)}
    face = np.s_[90:230, 155:295]
    strip("texture", {"footage": before} | {
        name: studio.picture(head=HeadOptions(fit=True, colour=1, texture=texture)) for name, texture in textures.items()
    }, face, 280)  # fmt: skip
    strip("blend", {f"blend {one}": studio.picture(blend=one) for one in ("straight", "poisson", "multi-band")}, NECK)
    fade = FadeOptions(start=2.0, end=4.0, fade_in=1.0, fade_out=1.0)
    composite = studio.composite()
    times = [float(time) for time in composite.timestamps()]
    shown = [int(np.searchsorted(times, second)) for second in (1.8, 2.3, 2.7, 3.2, 3.7)]
    strip("fade", {f"{times[n]:.1f} s": studio.picture(n, fade=fade) for n in shown}, side=240)
    element = ElementClip(composite)
    still = composite.trimmed(Fraction(times[MOMENT]), Fraction(times[MOMENT + 2]))
    strip("element", {
        "element over checks": over_checks(element), "matte": rgb(composite.matte_clip()),
        "wipe": rgb(ComparisonClip(studio.portrait, still, ComparisonOptions("wipe", 0.5, 0)), 0),
        "difference": rgb(ComparisonClip(studio.portrait, still, ComparisonOptions("difference", 0.5, 0)), 0),
    })  # fmt: skip


if __name__ == "__main__":
    main()
