"""Small video files into memory, with PyAV where it is installed and OpenCV where it is not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ...errors import BadInput


def read_video(path: str | Path, grey: bool = False) -> np.ndarray:
    """Every frame as uint8: (N, H, W, 3) RGB, or (N, H, W) of the luma's full range.

    Raises `BadInput` for a file that cannot be decoded or holds no frame.
    """
    try:
        import av
    except ImportError:  # machines that only train need no video library
        frames = _by_opencv(path, grey)
    else:
        try:
            with av.open(str(path)) as container:
                frames = [f.to_ndarray(format="gray" if grey else "rgb24") for f in container.decode(video=0)]
        except (av.error.FFmpegError, OSError, IndexError) as error:
            raise BadInput(f"Cannot read {path}: {error}.") from error
    if not frames:
        raise BadInput(f"Cannot read {path}: no frame of it can be decoded.")
    if len({frame.shape for frame in frames}) > 1:
        raise BadInput(f"Cannot use {path}: its frames are not all of one size.")
    return np.stack(frames)


def read_clip(path: str | Path, mask_path: str | Path, side: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Frames (N, S, S, 3) and masks (N, S, S), uint8, of one clip; S is `side`, or the file's own.

    Raises `BadInput` where masks and frames differ in number or size, or a frame is not square.
    """
    frames, masks = read_video(path), read_video(mask_path, grey=True)
    if len(frames) != len(masks):
        raise BadInput(f"{path}: {len(frames)} frames but {len(masks)} masks.")
    if frames.shape[:3] != masks.shape:
        raise BadInput(f"{path}: frames of {_size(frames)} but masks of {_size(masks)} pixels.")
    if frames.shape[1] != frames.shape[2]:
        raise BadInput(f"{path}: frames of {_size(frames)} pixels, but head crops are square.")
    return resized(frames, side), resized(masks, side)


def resized(pictures: np.ndarray, side: int | None) -> np.ndarray:
    """Square pictures (N, S, S[, 3]) at `side` pixels: area-averaged when smaller, cubic when larger."""
    if side is None or pictures.shape[1] == side:
        return pictures
    method = cv2.INTER_AREA if side < pictures.shape[1] else cv2.INTER_CUBIC
    return np.stack([cv2.resize(p, (side, side), interpolation=method) for p in pictures])


def _size(pictures: np.ndarray) -> str:
    return f"{pictures.shape[2]}x{pictures.shape[1]}"


def _by_opencv(path: str | Path, grey: bool) -> list[np.ndarray]:
    capture, frames = cv2.VideoCapture(str(path)), []
    try:
        while True:
            read, frame = capture.read()
            if not read:
                return frames
            # Grey video comes as three equal channels (to a rounding), whose weighted mean is the luma.
            frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY if grey else cv2.COLOR_BGR2RGB))
    finally:
        capture.release()
