"""Pictures with known face boxes for training the head finder: cut-out persons on other backgrounds."""

from __future__ import annotations

import cv2
import numpy as np

from .finder_cut_outs import CUT_OUT_SIDE, CutOut
from .finder_distractors import distract

def _emptied(cut_out: CutOut) -> np.ndarray:
    """The cut-out's own surroundings, its person filled in from the sides."""
    scale = 48 / CUT_OUT_SIDE
    hole = cv2.dilate(cut_out.mask, np.ones((13, 13), np.uint8))
    small = cv2.resize(cut_out.rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small_hole = (cv2.resize(hole, (48, 48), interpolation=cv2.INTER_AREA) > 8).astype(np.uint8)
    filled = cv2.resize(cv2.inpaint(small, small_hole, 3, cv2.INPAINT_TELEA), (CUT_OUT_SIDE, CUT_OUT_SIDE))
    weight = cv2.GaussianBlur(hole, (0, 0), 2)[..., None] / 255.0
    return (cut_out.rgb + (filled - cut_out.rgb.astype(np.float32)) * weight).astype(np.uint8)


class SceneMaker:
    """Draws random scenes; the same seed gives the same scenes.

    `pictures` are further backgrounds without people, uint8 RGB of any size.
    """

    def __init__(self, cut_outs: list[CutOut], pictures: list[np.ndarray], size: int = 192, seed: int = 0):
        self.cut_outs, self.pictures, self.size = cut_outs, pictures, size
        self.random = np.random.default_rng(seed)
        chosen = self.random.permutation(len(cut_outs))[:300]
        self.surroundings = [_emptied(cut_outs[index]) for index in chosen]

    def scene(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """uint8 RGB (size, size, 3); face boxes (K, 4) to find; boxes (J, 4) too hidden to be judged."""
        random = self.random
        picture = self._background().astype(np.float32)
        for _ in range(random.integers(0, 5)):
            distract(picture, self.cut_outs, random)
        faces: list[np.ndarray] = []
        covered: list[float] = []
        for number in range(random.choice(4, p=(0.12, 0.55, 0.25, 0.08))):
            cut_out = self.cut_outs[random.integers(len(self.cut_outs))]
            rgb, mask, face = self._placed(cut_out, own_background=number == 0 and random.random() < 0.4)
            for index, (left, top, right, bottom) in enumerate(faces):
                over = mask[max(0, int(top)) : int(bottom), max(0, int(left)) : int(right)]
                covered[index] += float(over.mean()) if over.size else 0.0
            picture += (rgb - picture) * mask[..., None]
            faces.append(face)
            covered.append(0.0)
        self._occlude(picture, faces, covered)
        picture = self._camera(np.clip(picture, 0, 255).astype(np.uint8))
        boxes = np.array(faces, np.float32).reshape(-1, 4)
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = ((centre > 0) & (centre < self._letterbox(picture))).all(axis=1)
        hidden = np.array(covered, np.float32) > 0.45
        return picture, boxes[inside & ~hidden], boxes[hidden]

    def _background(self) -> np.ndarray:
        random, size = self.random, self.size
        kind = random.random()
        if kind < 0.4:
            return self._window(self.surroundings[random.integers(len(self.surroundings))], 0.4)
        if kind < 0.75 and self.pictures:
            return self._window(self.pictures[random.integers(len(self.pictures))], 0.15)
        if kind < 0.85:  # clothes and hands without the face that goes with them
            cut_out = self.cut_outs[random.integers(len(self.cut_outs))]
            return self._window(cut_out.rgb[int(cut_out.face[3]) + 12 :], 0.4)
        coarse = random.integers(2, 12)
        noise = random.integers(0, 256, (coarse, coarse, 3)).astype(np.uint8)
        noise = cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        return noise + random.normal(0, random.uniform(0, 30), (size, size, 1)).astype(np.float32)

    def _window(self, picture: np.ndarray, smallest: float) -> np.ndarray:
        """A random part of a picture, stretched over the canvas, sometimes mirrored or blurred."""
        random, (height, width) = self.random, picture.shape[:2]
        share = random.uniform(smallest, 1)
        h, w = max(4, int(height * share)), max(4, int(width * share))
        top, left = random.integers(0, max(1, height - h + 1)), random.integers(0, max(1, width - w + 1))
        part = cv2.resize(picture[top : top + h, left : left + w], (self.size, self.size))
        if random.random() < 0.5:
            part = part[:, ::-1]
        return cv2.GaussianBlur(part, (0, 0), random.uniform(1, 6)) if random.random() < 0.3 else part

    def _placed(self, cut_out: CutOut, own_background: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A person scaled, turned, mirrored and recoloured: float rgb, mask in [0, 1], face box."""
        random, size = self.random, self.size
        rgb, mask, face = cut_out.rgb, cut_out.mask, cut_out.face
        if own_background:
            mask = np.full_like(mask, 255)
        elif random.random() < 0.5:  # the trunk goes on below the crop
            below = ((0, CUT_OUT_SIDE), (0, 0))
            rgb, mask = np.pad(rgb, (*below, (0, 0)), mode="edge"), np.pad(mask, below, mode="edge")
        target = np.exp(random.uniform(np.log(15), np.log(165)))
        scale = target / max(face[2] - face[0], face[3] - face[1])
        angle = random.uniform(-50, 50) if random.random() < 0.3 else random.normal(0, 12)
        sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
        mirror = random.choice((-1.0, 1.0))
        turn = scale * np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([mirror, 1.0])
        centre = (face[:2] + face[2:]) / 2
        place = random.uniform(0.04, 0.96, 2) * size if target < 90 else random.uniform(0.25, 0.75, 2) * size
        matrix = np.column_stack([turn, place - turn @ centre])
        # warpAffine does not smooth, so shrink in two goes
        if scale < 0.6:
            rgb, mask = (cv2.GaussianBlur(part, (0, 0), 0.35 / scale) for part in (rgb, mask))
        rgb = cv2.warpAffine(rgb, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        mask = cv2.warpAffine(mask, matrix, (size, size), flags=cv2.INTER_LINEAR).astype(np.float32) / 255
        if own_background and random.random() < 0.5:
            mask = cv2.GaussianBlur(mask, (0, 0), random.uniform(1, 8))
        w, h = (face[2:] - face[:2]) * scale
        # The box of the turned face, taken as an ellipse.
        half = np.array([np.hypot(w * cosine, h * sine), np.hypot(w * sine, h * cosine)]) / 2
        return self._recoloured(rgb), mask, np.concatenate([place - half, place + half])

    def _recoloured(self, rgb: np.ndarray) -> np.ndarray:
        random = self.random
        gain = random.uniform(0.6, 1.3) * random.uniform(0.88, 1.12, 3)
        colourful = random.uniform(0.4, 1.3)
        matrix = (colourful * np.eye(3) + (1 - colourful) / 3) * gain[:, None]
        offset = np.full((3, 1), random.uniform(-20, 20))
        return cv2.transform(rgb.astype(np.float32), np.hstack([matrix, offset]))

    def _occlude(self, picture: np.ndarray, faces: list[np.ndarray], covered: list[float]) -> None:
        """A patch over part of a face, as a hand or a cup would be."""
        random = self.random
        for index, face in enumerate(faces):
            if random.random() > 0.15:
                continue
            size = face[2:] - face[:2]
            centre = face[:2] + random.uniform(-0.1, 1.1, 2) * size
            axes = np.maximum(1, random.uniform(0.1, 0.4, 2) * size)
            mask = np.zeros(picture.shape[:2], np.uint8)
            cv2.ellipse(mask, (tuple(centre), tuple(2 * axes), float(random.uniform(0, 180))), 1, -1)
            colour = picture[tuple(random.integers(0, self.size, 2))] + random.normal(0, 12, 3)
            picture[mask > 0] = colour + random.normal(0, 5, (int(mask.sum()), 1))
            left, top, right, bottom = (max(0, int(v)) for v in face)
            over = mask[top:bottom, left:right]
            covered[index] += float(over.mean()) if over.size else 0.0

    def _camera(self, picture: np.ndarray) -> np.ndarray:
        """Exposure, contrast, grey, blur, noise and compression of the whole picture."""
        random = self.random
        value = (np.arange(256) / 255.0) ** np.exp(random.normal(0, 0.25)) * random.uniform(0.6, 1.15)
        value = (value - 0.5) * random.uniform(0.7, 1.2) + 0.5
        picture = cv2.LUT(picture, np.clip(value * 255, 0, 255).astype(np.uint8))
        if random.random() < 0.2:
            picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        if random.random() < 0.25:
            picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.4, 1.6))
        if random.random() < 0.3:
            noise = random.standard_normal(picture.shape[:2], np.float32) * random.uniform(0, 15)
            picture = np.clip(picture + noise[..., None], 0, 255).astype(np.uint8)
        if random.random() < 0.3:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.uniform(20, 80))]
            picture = cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR)
        return picture

    def _letterbox(self, picture: np.ndarray) -> np.ndarray:
        """Paint a grey bar as a letterboxed picture has; returns the size (x, y) of what is left."""
        random, left = self.random, np.array([self.size, self.size])
        if random.random() < 0.25:
            axis = random.integers(2)
            left[axis] = int(random.uniform(0.5, 0.95) * self.size)
            picture[left[1] :, :] = 128
            picture[:, left[0] :] = 128
        return left
