"""What several nodes accept as footage: a clip, or the host's batch of pictures."""

from __future__ import annotations


def as_clip(value, rate: float = 25.0):
    """A clip as it is; an IMAGE batch as a clip of `rate` frames a second, one picture alone as a still."""
    from lpd_plugin.video.batch_clip import BatchClip
    from lpd_plugin.video.clip import Clip
    from lpd_plugin.video.still_clip import StillClip

    if isinstance(value, Clip):
        return value
    batch = BatchClip(value, rate)
    return StillClip(batch.integers(0), rate) if len(value) == 1 else batch


def sound_of(audio, folder=None):
    """The host's AUDIO, {"waveform": (1, channels, samples) -1..1, "sample_rate"}, as a file of 32-bit floats in `folder`
    (None: the system's for temporary files), named by its content."""
    import hashlib
    import tempfile
    from pathlib import Path

    import av
    import numpy as np

    from lpd_plugin.errors import BadInput
    from lpd_plugin.video.clip import AudioSource
    from lpd_plugin.whole_files import written_whole

    wave, rate = audio["waveform"], int(audio["sample_rate"])
    wave = wave[0] if wave.ndim == 3 else wave
    if wave.ndim != 2 or wave.shape[0] not in (1, 2) or not wave.shape[1]:
        raise BadInput(f"the audio has the shape {tuple(audio['waveform'].shape)}; give samples of one or two channels.")
    samples = np.ascontiguousarray(wave.detach().cpu().float().numpy().T)
    digest = hashlib.sha256(samples.tobytes() + f"{rate} {samples.shape}".encode()).hexdigest()[:32]
    path = Path(folder or tempfile.gettempdir()) / f"lpd-sound-{digest}.wav"
    layout = "mono" if samples.shape[1] == 1 else "stereo"
    if not path.exists():
        with written_whole(path) as part, av.open(str(part), "w", format="wav") as container:
            stream = container.add_stream("pcm_f32le", rate=rate, layout=layout)
            for start in range(0, len(samples), rate):
                frame = av.AudioFrame.from_ndarray(samples[start : start + rate].reshape(1, -1), format="flt", layout=layout)
                frame.sample_rate, frame.pts = rate, start
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return AudioSource(str(path))


def tracked(clip, track, context):
    """The given track, or the largest head's."""
    if track is not None:
        return track
    from lpd_plugin.video.tracking.tracker import track_head

    return track_head(clip, progress=context.progress)


def weights_fingerprint(*names):
    """The contents of weights files, for `fingerprint`: 'compact', 'matte', 'finder' or paths; None for one that is not there.

    A result that was kept is not one of other weights, also where new ones come under an old name.
    """
    from lpd_plugin.errors import BadInput
    from lpd_plugin.video.tracking.finder import WEIGHTS as finder
    from lpd_plugin.weights.files import file_digest, weights_path

    digests = []
    for name in names:
        try:
            digests.append(file_digest(finder if name == "finder" else weights_path(name)))
        except (BadInput, OSError, TypeError):
            digests.append(None)
    return digests
