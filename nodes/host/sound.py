"""A clip's sound as the host's AUDIO."""

from __future__ import annotations

import av
import numpy as np
import torch

from lpd_plugin.video.clip import AudioSource


def decoded_audio(source: AudioSource) -> dict | None:
    """The samples between a source's points: {"waveform": float32 (1, channels, samples) -1..1, "sample_rate"}.

    None where nothing of it can be decoded.
    """
    blocks: list[np.ndarray] = []
    with av.open(source.path) as container:
        stream = next(iter(container.streams.audio), None)
        if stream is None or not stream.rate:
            return None
        rate, layout = stream.rate, stream.layout.name
        first = round(source.in_point * rate)
        last = None if source.out_point is None else round(source.out_point * rate)
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        for frame in container.decode(stream):
            if frame.pts is None:
                continue
            start = round(frame.pts * frame.time_base * rate)
            if last is not None and start >= last:
                break
            for block in resampler.resample(frame):
                samples = block.to_ndarray()
                stop = None if last is None else max(0, last - start)
                blocks.append(samples[:, max(0, first - start) : stop])
                start += samples.shape[1]
    if not blocks:
        return None
    return {"waveform": torch.from_numpy(np.concatenate(blocks, axis=1))[None], "sample_rate": rate}
