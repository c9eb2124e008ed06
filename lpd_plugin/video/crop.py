"""Square crops around a head: the published rule, and subpixel squares for a track that glides."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ..errors import BadInput
from .track import CropBox

CROP_SCALE = 1.8  # side of the crop over the longer side of the face box
BLUR_SHARE = 0.016  # sigma of the padding's blur over the crop's height
CUBIC_A = -0.75  # OpenCV's cubic
CUBIC_REACH = 2  # pixels around the square that it looks at


def published_square(face_box: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
    """Whole-pixel l, t, r, b of the published crop of a face box l, t, r, b (pixels).

    The rectangle is made square by its width, which is what the released crops show.
    """
    left, top, right, bottom = (float(v) for v in face_box)
    half = max(right - left, bottom - top) * CROP_SCALE / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    l, t = math.floor(x - half), math.floor(y - half)
    width = math.ceil(x + half) - l
    return l, t, l + width + 1, t + width + 1


def published_crop(image: np.ndarray, face_box: tuple[float, float, float, float], size: int = 256) -> np.ndarray:
    """The published crop: uint8 RGB (H, W, 3) and a face box l, t, r, b -> uint8 (size, size, 3).

    Reproduces the released code to 1 of 255, with its rounding to 8 bits before resizing.
    """
    square = published_square(face_box)
    crop = _rectangle(image, square)
    crop = _faded(crop, square, image.shape)
    return _resized(crop, face_box, size)


def published_mask_crop(mask: np.ndarray, face_box: tuple[float, float, float, float], size: int = 256) -> np.ndarray:
    """The published crop of a mask (H, W), uint8 or float32: replicated beside and below, zero above."""
    return _resized(_mask_rectangle(mask, published_square(face_box)), face_box, size)


def face_box_of(box: CropBox) -> tuple[float, float, float, float]:
    """The square face box l, t, r, b whose crop a CropBox is."""
    margin = box.side * (1 - 1 / CROP_SCALE) / 2
    return (box.left + margin, box.top + margin, box.left + box.side - margin, box.top + box.side - margin)


def crop_square(image: np.ndarray, box: CropBox, size: int) -> np.ndarray:
    """Cut a square anywhere, also between pixels and beyond the frame; (H, W) or (H, W, C) -> (size, size[, C]).

    Same type and range as `image` (uint8, uint16 or float32). Anti-aliased by area when shrinking,
    cubic when enlarging. Outside the frame: mirrored, blurred and faded to the median, as published.
    A square on whole pixels, inside the frame and of side `size` is a plain copy. Raises BadInput
    for a square without area.
    """
    outer = _outer(box, size)
    edges = (box.left, box.top, box.left + box.side, box.top + box.side)
    # Fading after resampling costs the same for every footage size, and looks the same.
    return _faded(_resampled(_rectangle(image, outer), box, outer, size), edges, image.shape)


def crop_square_mask(mask: np.ndarray, box: CropBox, size: int) -> np.ndarray:
    """As `crop_square` for a mask (H, W): outside, replicated beside and below the frame, zero above it."""
    outer = _outer(box, size)
    return _resampled(_mask_rectangle(mask, outer), box, outer, size)


def _outer(box: CropBox, size: int) -> tuple[int, int, int, int]:
    """Whole pixels that resampling looks at, l, t, r, b."""
    if not (box.side > 0 and math.isfinite(box.left + box.top + box.side)):
        raise BadInput(f"The crop square {box} has no area: give a side greater than 0 and finite numbers.")
    if _is_copy(box, size):
        margin = 0
    else:
        margin = CUBIC_REACH if size > box.side else 0
    return (
        math.floor(box.left) - margin,
        math.floor(box.top) - margin,
        math.ceil(box.left + box.side) + margin,
        math.ceil(box.top + box.side) + margin,
    )


def _is_copy(box: CropBox, size: int) -> bool:
    return box.side == size and float(box.left).is_integer() and float(box.top).is_integer()


def _mirrored(start: int, stop: int, length: int) -> np.ndarray:
    """Indices start..stop-1 reflected into 0..length-1 without repeating the border (reflect-101)."""
    if length == 1:
        return np.zeros(stop - start, np.intp)
    index = np.arange(start, stop) % (2 * length - 2)
    return np.minimum(index, 2 * length - 2 - index)


def _inside(rectangle: tuple[int, int, int, int], shape: tuple[int, ...]) -> bool:
    left, top, right, bottom = rectangle
    return left >= 0 and top >= 0 and right <= shape[1] and bottom <= shape[0]


def _rectangle(image: np.ndarray, rectangle: tuple[int, int, int, int]) -> np.ndarray:
    """The pixels of l, t, r, b, mirrored outside the frame."""
    left, top, right, bottom = rectangle
    if _inside(rectangle, image.shape):
        return image[top:bottom, left:right]
    rows, columns = _mirrored(top, bottom, image.shape[0]), _mirrored(left, right, image.shape[1])
    return image[rows[:, None], columns]


def _mask_rectangle(mask: np.ndarray, rectangle: tuple[int, int, int, int]) -> np.ndarray:
    left, top, right, bottom = rectangle
    if _inside(rectangle, mask.shape):
        return mask[top:bottom, left:right]
    rows = np.clip(np.arange(top, bottom), 0, mask.shape[0] - 1)
    columns = np.clip(np.arange(left, right), 0, mask.shape[1] - 1)
    cut = mask[rows[:, None], columns]
    cut[: max(0, -top)] = 0
    return cut


def _faded(crop: np.ndarray, edges: tuple[float, float, float, float], shape: tuple[int, ...]) -> np.ndarray:
    """Blur the padding and fade it to the crop's median towards its `edges` (paper.md, "Crop").

    `crop` shows l, t, r, b = `edges`, which may lie between pixels, of a frame of `shape`.
    """
    left, top, right, bottom = edges
    height, width = shape[:2]
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return crop
    x = _pixels(left, right, crop.shape[1])
    y = _pixels(top, bottom, crop.shape[0])
    into_x = np.minimum(_over(x, -left), _over(right - left - 1 - x, right - width))
    into_y = np.minimum(_over(y, -top), _over(bottom - top - 1 - y, bottom - height))
    outside = np.maximum(1 - into_x[None, :], 1 - into_y[:, None])
    if crop.ndim == 3:
        outside = outside[..., None]
    crop = np.ascontiguousarray(crop)
    blurred = cv2.GaussianBlur(crop, (0, 0), BLUR_SHARE * crop.shape[0]).reshape(crop.shape)
    mixed = crop.astype(np.float32)
    mixed += (blurred - mixed) * np.clip(3 * outside + 1, 0, 1)
    mixed += (np.median(mixed, axis=(0, 1)) - mixed) * np.clip(outside, 0, 1)
    return _as_type(mixed, crop.dtype)


def _pixels(start: float, stop: float, count: int) -> np.ndarray:
    """Where `count` pixels over start..stop lie, in the frame's pixels from the first whole one."""
    step = (stop - start) / count
    return ((np.arange(count) + 0.5) * step - 0.5).astype(np.float32)


def _over(distance: np.ndarray, padding: float) -> np.ndarray:
    return distance / np.float32(padding) if padding > 0 else np.full_like(distance, np.inf)


def _as_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if np.issubdtype(dtype, np.integer):
        return np.clip(np.rint(values), 0, np.iinfo(dtype).max).astype(dtype)
    return values.astype(dtype, copy=False)


def _resized(crop: np.ndarray, face_box: tuple[float, float, float, float], size: int) -> np.ndarray:
    enlarges = size > face_box[3] - face_box[1]  # the published choice looks at the face, not at the crop
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_CUBIC if enlarges else cv2.INTER_AREA)


def _resampled(pixels: np.ndarray, box: CropBox, outer: tuple[int, int, int, int], size: int) -> np.ndarray:
    if _is_copy(box, size):
        return pixels.copy()
    # OpenCV resizes whole pixels only; two small matrices do the same between pixels.
    columns = _weights(box.left - outer[0], box.side, pixels.shape[1], size)
    rows = _weights(box.top - outer[1], box.side, pixels.shape[0], size)
    channels = pixels.reshape(*pixels.shape[:2], -1)
    # One plane at a time: plain matrix products of contiguous arrays are several times faster than strided ones.
    planes = [rows @ np.ascontiguousarray(channels[..., c], np.float32) @ columns.T for c in range(channels.shape[2])]
    return _as_type(np.stack(planes, axis=-1).reshape(size, size, *pixels.shape[2:]), pixels.dtype)


def _weights(start: float, length: float, count: int, size: int) -> np.ndarray:
    """(size, count): how much of each source pixel goes into each of `size` pixels over start..start+length."""
    step = length / size
    if step >= 1:
        begin = start + step * np.arange(size)[:, None]
        pixel = np.arange(count)[None, :]
        weights = np.clip(np.minimum(begin + step, pixel + 1) - np.maximum(begin, pixel), 0, None)
    else:
        position = start + step * (np.arange(size)[:, None] + 0.5) - 0.5
        weights = _cubic(np.abs(np.arange(count)[None, :] - position))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _cubic(distance: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel (1981) with parameter CUBIC_A."""
    near = ((CUBIC_A + 2) * distance - (CUBIC_A + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * distance * CUBIC_A - 4 * CUBIC_A
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0))
