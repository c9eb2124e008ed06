"""lpd prepare and lpd pack: from recordings to heads that training reads, and small enough to carry."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import click

from .reporting import progress_for


@click.command()
@click.argument("source", type=click.Path())
@click.argument("folder", type=click.Path())
@click.option("--side", default=256, show_default=True, type=click.IntRange(32, 1024), help="Pixels a crop's side.")
@click.option("--frames", default=64, show_default=True, type=click.IntRange(1, 9999), help="Frames of each video at most.")
@click.option("--least-frames", default=9, show_default=True, type=click.IntRange(1), help="Drop videos that give fewer.")
@click.option("--least-head", default=96, show_default=True, type=click.IntRange(1), help="Drop videos with smaller crops.")
@click.option("--held-out", default=0.05, show_default=True, type=click.FloatRange(0, 1), help="Share of persons held out.")
@click.option("--quality", default=92, show_default=True, type=click.IntRange(1, 100), help="JPEG quality of the crops.")
@click.option("--matte", default="matte", show_default=True, help="'matte' (embedded) or a weights file of the matte network.")
@click.option("--shard-size", default=256, show_default=True, type=click.IntRange(1), help="MiB a shard at most.")
@click.option("--processes", default=None, type=click.IntRange(1), help="Default: as many as there are cores.")
@click.option("--retry", is_flag=True, help="Try again what an earlier run dropped.")
@click.option("--json", "as_json", is_flag=True, help="Progress and result as JSON, for machines.")
def prepare(
    source, folder, side, frames, least_frames, least_head, held_out, quality, matte, shard_size, processes, retry, as_json
) -> None:
    """Make head crops with masks of every video in SOURCE, as shards in FOLDER, to train on.

    SOURCE holds PERSON/.../VIDEO (VoxCeleb2's layout too), or is a folder of head clips with an index.csv. Stopped, or
    killed, the same command goes on where it was; FOLDER/report.csv says what was dropped and why (docs/data.md).
    """
    from ..preparation.head_clips import CropSettings
    from ..preparation.prepare import prepare as prepared

    settings = CropSettings(side, frames, least_frames, least_head, quality, matte)
    with progress_for(as_json) as progress:
        summary = prepared(
            source, folder, settings, held_out, processes or _cores(), shard_size << 20, retry=retry, progress=progress
        )
    if as_json:
        click.echo(json.dumps(asdict(summary)))
        return
    click.echo(f"{folder}: {summary.shards} shards, {summary.size / 1e6:.1f} MB")
    for split, clips in summary.clips.items():
        click.echo(f"  {split}: {summary.persons[split]} persons, {clips} clips, {summary.frames[split]} frames")
    if "val" not in summary.clips:
        click.echo("  nobody is held out: prepare with a larger --held-out, or train with held_out: \"\"")
    if summary.dropped:
        reasons = ", ".join(f"{count} {kind}" for kind, count in summary.dropped.items())
        click.echo(f"  dropped: {sum(summary.dropped.values())} ({reasons}), see {Path(folder) / 'report.csv'}")


@click.command()
@click.argument("heads", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="The file to write: NAME.safetensors.")
@click.option("--side", default=128, show_default=True, type=click.IntRange(32, 1024), help="Pixels a crop's side.")
@click.option("--frames", default=0, show_default=True, type=click.IntRange(0), help="Frames of each clip at most; 0: all.")
@click.option("--split", default="", help="Only this split, such as train; default: all.")
@click.option("--quality", default=80, show_default=True, type=click.IntRange(1, 100), help="WebP quality of the crops.")
@click.option("--part-size", default=16, show_default=True, type=click.IntRange(1), help="MiB a file; more are numbered.")
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
def pack(heads, output, side, frames, split, quality, part_size, overwrite) -> None:
    """Pack HEADS (what lpd prepare wrote, or a folder of head clips) small, to carry to another machine.

    Training reads the file with torch, numpy and OpenCV alone: lpd train CONFIG.yaml --heads NAME.safetensors.
    """
    from ..learning.data.any_heads import open_heads
    from ..learning.data.packs import checked_pack, write_pack

    checked_pack(output, overwrite)
    store = open_heads(heads, split or None, side)
    with progress_for(False) as progress:
        files = write_pack(store, output, frames, quality, part_size << 20, overwrite, progress)
    for file in files:
        click.echo(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


COMMANDS = (prepare, pack)
