"""Pictures of templates and help pages, rendered from the demo's media: minutes of work, so not part of any test.

    python -m lpd_plugin.comfyui.pictures
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..compositing.picture.look import frames_at
from ..graph.executor import Executor
from ..graph.node import Context
from ..graph.workflow import Workflow, parse_workflow
from ..rendering.demo import demo_media
from ..rendering.presets import load_preset
from ..video.clip import Clip
from ..video.colour import coded_rgb
from ..whole_files import written_whole

ROOT = Path(__file__).resolve().parents[2]
_HEIGHT, _THUMBNAIL = 320, 480  # pixels: of pictures side by side; of a thumbnail's longer side
_QUALITY = 86
_GAP, _DARK = 10, (32, 32, 32)  # around a picture of its own
_SECONDS = "1.2"  # of the clips that are looked at


def main() -> int:
    """Render and write all pictures. Returns the exit code."""
    for path, picture in _pictures():
        path.parent.mkdir(parents=True, exist_ok=True)
        done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        assert done
        with written_whole(path) as part:
            part.write_bytes(data.tobytes())
        print(f"wrote {path.relative_to(ROOT)}", flush=True)
    return 0


def _pictures() -> Iterator[tuple[Path, np.ndarray]]:
    portrait, talking = (str(path) for path in demo_media())
    place, pages = "not written", ROOT / "web" / "docs" / "pictures"
    reenacted = _Look("reenact", footage=talking, footage_out=_SECONDS, driver=talking, reverse_driver=True, output=f"{place}.mp4", adapt_steps=0)
    yield pages / "LPDTrackHead.jpg", reenacted.shown("footage_track")
    views = reenacted.shown("identity")
    yield pages / "LPDSourceIdentity.jpg", views
    for kind in ("LPDSaveIdentity", "LPDLoadIdentity"):  # what such a file holds
        yield pages / f"{kind}.jpg", _scaled(views[: views.shape[0] // 2], 0.5)
    seen = _beside(reenacted.frame("footage"), reenacted.frame("composite"))
    yield _template("reenact"), _small(seen)
    yield pages / "LPDMaskComposite.jpg", seen
    yield pages / "LPDCleanPlate.jpg", _beside(reenacted.frame("footage"), reenacted.frame("removed"))
    yield pages / "LPDComparison.jpg", _beside(reenacted.frame("compared"))
    driven = _Look("puppeteer", portrait=portrait, driver=talking, driver_out=_SECONDS, output=f"{place}.mp4", adapt_steps=0, amplify=1.5)
    yield pages / "LPDDrivingPose.jpg", driven.shown("pose")
    yield pages / "LPDEditPose.jpg", driven.shown("performance")
    yield _template("puppeteer"), _small(_beside(driven.frame("driver"), driven.frame("composite")))
    heads = driven.heads("heads")
    yield pages / "LPDGenerator.jpg", _beside(*(_on_black(*head) for head in heads))
    drawn, masks = _cards(*(_on_black(*head) for head in heads)), _cards(*(_grey(matte) for _, matte in heads))
    yield pages / "LPDHeadsToImages.jpg", np.concatenate((drawn, masks))
    yield pages / "LPDImagesToHeads.jpg", _stacked(drawn, masks, _beside(*(_on_board(*head) for head in heads)))
    film, single = _beside(*driven.frames("driver")), _cards(*driven.frames("driver"))
    yield pages / "LPDLoadClip.jpg", film
    yield pages / "LPDClipToImages.jpg", _stacked(film, single)
    yield pages / "LPDImagesToClip.jpg", _stacked(single, film)
    yield pages / "LPDSaveClip.jpg", _beside(*driven.frames("composite"))
    yield ROOT / "docs" / "banner.jpg", _banner(driven.frame("driver"), _on_black(*heads[0]), driven.frame("composite"))
    preview = _Look("preview", footage=portrait, driver=talking, output="", moments=4)
    yield _template("preview"), _small(preview.shown("sheet"))
    yield pages / "LPDContactSheet.jpg", preview.shown("sheet")
    element = _Look("element", footage=portrait, driver=talking, output=f"{place}.mov", adapt_steps=0)
    (cut_out,) = element.frames("element", (0.3,))
    yield _template("element"), _small(cut_out)
    yield pages / "LPDHeadElement.jpg", cut_out
    adapted = _Look("adapt", footage=talking, output=f"{place}.lpd.safetensors")
    yield _template("adapt"), _small(_beside(adapted.shown("identity"), adapted.shown("adapted")))
    yield pages / "LPDAdaptIdentity.jpg", adapted.shown("adapted")


def _template(preset: str) -> Path:
    return ROOT / "example_workflows" / f"{preset}.jpg"


class _Look:
    """A preset on the demo's media, its nodes looked at one by one; `reenact` with a plate and a comparison beside."""

    def __init__(self, preset: str, **values: Any):
        content = load_preset(preset).workflow(values).as_dict()
        if preset == "reenact":
            content["removed"] = {"class_type": "LPDCleanPlate", "inputs": {"footage": ["footage", 0], "track": ["footage_track", 0]}}
            sides = {"before": ["footage", 0], "after": ["composite", 0], "mode": "wipe"}
            content["compared"] = {"class_type": "LPDComparison", "inputs": sides}
        self.workflow: Workflow = parse_workflow(content)
        self.executor = Executor()
        self._shown: dict[str, np.ndarray] = {}

    def _run(self, node_id: str) -> tuple[tuple, list[np.ndarray]]:
        """What a node gives, and all that it and what feeds it show, in order."""
        context = Context(shows=True)
        return self.executor.run(self.workflow, context, [node_id]).outputs[node_id], context.shown

    def shown(self, node_id: str) -> np.ndarray:
        """What the node itself shows, after those that feed it. Asked for before anything else of the node is."""
        if node_id not in self._shown:
            self._shown[node_id] = self._run(node_id)[1][-1]
        return self._shown[node_id]

    def frame(self, node_id: str) -> np.ndarray:
        """The middle frame of the clip that a node gives, alpha shown as a chequerboard."""
        return self.frames(node_id, (0.5,))[0]

    def frames(self, node_id: str, shares: tuple[float, ...] = (0.1, 0.35, 0.6, 0.85)) -> list[np.ndarray]:
        """Frames at these shares of the clip that a node gives."""
        clip: Clip = self._run(node_id)[0][0]
        pictures = [coded_rgb(frame.picture) for frame in frames_at(clip, [int(len(clip.timestamps()) * share) for share in shares])]
        return [_coded(rgb) if alpha is None else _on_board(rgb, alpha) for rgb, alpha in pictures]

    def heads(self, node_id: str, count: int = 4) -> list[tuple[np.ndarray, np.ndarray]]:
        """Colours and mattes of a few heads that a node gives."""
        heads = self._run(node_id)[0][0]
        drawn = heads.retimed(heads.times[np.linspace(0, len(heads) - 1, count).astype(int)], "hold")
        return [(head.rgb, head.matte) for head in drawn]


def _coded(rgb: np.ndarray) -> np.ndarray:
    return (rgb.clip(0, 1) * 255).round().astype(np.uint8)


def _grey(matte: np.ndarray) -> np.ndarray:
    return _coded(np.repeat(matte[..., None], 3, axis=2))


def _on_black(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return _coded(rgb * alpha[..., None])


def _on_board(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(alpha.shape) // 16
    board = np.where((rows + columns) % 2, 0.55, 0.4)[..., None]
    return _coded(rgb * alpha[..., None] + board * (1 - alpha[..., None]))


def _beside(*pictures: np.ndarray) -> np.ndarray:
    scaled = [_scaled(one, _HEIGHT / one.shape[0]) for one in pictures]
    return np.concatenate(scaled, axis=1)


def _cards(*pictures: np.ndarray) -> np.ndarray:
    """Pictures each for itself, side by side."""
    return _beside(*(cv2.copyMakeBorder(_scaled(one, _HEIGHT / one.shape[0]), *(_GAP,) * 4, cv2.BORDER_CONSTANT, value=_DARK) for one in pictures))


def _stacked(*rows: np.ndarray) -> np.ndarray:
    """What comes in above what comes of it, as wide as the widest."""
    width = max(row.shape[1] for row in rows)
    return np.concatenate([_scaled(row, width / row.shape[1]) for row in rows])


def _banner(*pictures: np.ndarray) -> np.ndarray:
    """Pictures side by side in the shape that registries show: 21 to 9, each cut to a third around its middle."""
    width, height = 448, 576
    cut = []
    for one in pictures:
        scaled = _scaled(one, max(width / one.shape[1], height / one.shape[0]) + 1e-3)
        left, top = (scaled.shape[1] - width) // 2, (scaled.shape[0] - height) // 2
        cut.append(scaled[top : top + height, left : left + width])
    return np.concatenate(cut, axis=1)


def _small(picture: np.ndarray) -> np.ndarray:
    return _scaled(picture, _THUMBNAIL / max(picture.shape[:2]))


def _scaled(picture: np.ndarray, scale: float) -> np.ndarray:
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


if __name__ == "__main__":
    sys.exit(main())
