"""lpd adapt: from footage of a person to an identity file fitted to them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from ..errors import BadInput
from .render import _checked_device
from .reporting import progress_for


@click.command()
@click.argument("footage", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="The identity to write: NAME.lpd.safetensors.")
@click.option("--pictures", default=32, show_default=True, type=click.IntRange(1, 512), help="Different poses to use at most.")
@click.option("--steps", default=None, type=click.IntRange(0, 2000), help="This many steps; by default they are chosen.")
@click.option("--which", default="largest", show_default=True, help="Which head, where there are several (as TrackHead).")
@click.option("--curve", default=None, type=click.Path(), help="Write what was measured, as .csv or .png.")
@click.option("--weights", default="compact", show_default=True, help="'compact' or a weights file.")
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@click.option("--device", default="cpu", show_default=True, help="Where networks run: cpu, cuda, cuda:1, mps.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same identity.")
@click.option("--json", "as_json", is_flag=True, help="Progress and result as JSON, for machines.")
def adapt(footage, output, pictures, steps, which, curve, weights, overwrite, device, seed, as_json) -> None:
    """Adapt to one person, shown in FOOTAGE: clips and stills, one or several, all of the same person."""
    from ..learning.adaptation.config import AdaptationConfig
    from ..reenactment.adapted import adapt_identity, adaptation_sentence, curve_of
    from ..reenactment.crops import chosen_crops
    from ..reenactment.identity import encode_identity
    from ..video.open import open_clip
    from ..video.tracking.tracker import track_head
    from ..weights.files import load_discriminator, load_matte, load_model
    from ..whole_files import checked_target

    begun, device = time.monotonic(), _checked_device(device)
    target = checked_target(_named(output), overwrite)
    drawing = None if curve is None else checked_target(_curve_file(curve), overwrite)
    model = load_model(weights, device)
    with progress_for(as_json) as progress:
        clips = [open_clip(one) for one in footage]
        tracked = [(clip, track_head(clip, which, progress=progress)) for clip in clips]
        for clip, track in tracked:
            if not track.present.any():
                raise BadInput(f"No head was found in {clip.describe()}; leave it out, or choose another with --which.")
        crops = chosen_crops(tracked, pictures, model, progress)
        identity = encode_identity(model, crops, weights)
        config = AdaptationConfig(steps=steps, seed=seed)
        discriminator = None if steps == 0 else load_discriminator(weights, device)
        identity = adapt_identity(identity, model, load_matte(device=device), config, progress, discriminator)
        identity.save(target)
        if drawing is not None:
            _write_curve(curve_of(identity), drawing)
    _report(identity, target, drawing, adaptation_sentence(identity), time.monotonic() - begun, as_json)


def _named(output: str) -> Path:
    if not output.endswith(".safetensors"):
        raise BadInput(f"{output} is no name for an identity; give it the suffix .lpd.safetensors.")
    return Path(output)


def _curve_file(curve: str) -> Path:
    if Path(curve).suffix.lower() not in (".csv", ".png"):
        raise BadInput(f"--curve {curve}: give the file the suffix .csv (a table) or .png (a picture).")
    return Path(curve)


def _write_curve(curve, path: Path) -> None:
    from ..whole_files import write_png, written_whole

    if path.suffix.lower() == ".png":
        write_png(path, curve.picture())
    else:
        with written_whole(path) as part:
            part.write_text(curve.csv(), encoding="utf-8")


def _report(identity, target: Path, drawing: Path | None, sentence: str, seconds: float, as_json: bool) -> None:
    files, megabytes = [target, *([drawing] if drawing else [])], target.stat().st_size / 1e6
    if as_json:
        record = {
            "files": [str(f) for f in files], "pictures": len(identity.pictures), "seconds": round(seconds, 2),
            "megabytes": round(megabytes, 2), "adaptation": identity.about["adaptation"],
        }  # fmt: skip
        click.echo(json.dumps(record))
        return
    for file in files:
        click.echo(file)
    click.echo(f"{len(identity.pictures)} pictures, {sentence}; {seconds:.0f} s, {megabytes:.1f} MB")


COMMANDS = (adapt,)
