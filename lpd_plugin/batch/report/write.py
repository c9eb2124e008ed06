"""report.json, and report.html in one file that needs no other."""

from __future__ import annotations

import base64
import html
import json
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2

from ... import __version__
from ...errors import BadInput
from ...whole_files import checked_target, written_whole
from ..remote_files import is_remote
from ..run import Outcome

MARK = "lpd batch report"  # tells our reports from files of the user's
_STYLE = Path(__file__).with_name("style.css")


def write_report(outcome: Outcome, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Write both files; the page's path, and what the other holds. Older reports are replaced; another file of the name is not.

    Raises `BadInput` for that, and where the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"the folder {folder} for the report cannot be made ({error.strerror}): choose another with --report.") from error
    content = content_of(outcome)
    for name, text in (("report.json", json.dumps(content, indent=1, ensure_ascii=False)), ("report.html", page_of(outcome, folder))):
        target = checked_target(folder / name, overwrite=True)
        if target.exists() and MARK not in target.read_text(encoding="utf-8", errors="replace")[:2000]:
            raise BadInput(f"{target} exists and is no report of a batch: choose another folder with --report.")
        with written_whole(target) as part:
            part.write_text(text, encoding="utf-8")
    return folder / "report.html", content


def content_of(outcome: Outcome) -> dict[str, Any]:
    """The report for programs."""
    return {
        "kind": MARK,
        "version": __version__,
        "seconds": round(outcome.seconds, 2),
        "cancelled": outcome.cancelled,
        "counts": {state: outcome.count(state) for state in ("done", "failed", "running", "waiting")},
        "jobs": [_entry(job) for job in outcome.jobs],
    }


def _entry(job: dict[str, Any]) -> dict[str, Any]:
    one = job["job"]
    return {
        "id": one.id, "name": one.name, "preset": one.preset, "priority": one.priority, "seed": one.seed, "state": job["state"],
        "reason": job["reason"], "outputs": list(one.outputs), "frames": job["frames"], "segments": job["segments"],
        "segments_done": job["segments_done"], "seconds": round(job["seconds"], 2), "retries": job["retries"],
        "notes": json.loads(job["notes"]), "started": _clock(job["started"]), "ended": _clock(job["ended"]),
    }  # fmt: skip


def page_of(outcome: Outcome, folder: Path) -> str:
    """The report for people; links are relative to `folder` where outputs lie under it."""
    done, failed = outcome.count("done"), outcome.count("failed")
    rows = "\n".join(_row(job, folder) for job in sorted(outcome.jobs, key=lambda job: job["state"] != "failed"))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="generator" content="{MARK}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{done} done, {failed} failed</title><style>{_STYLE.read_text(encoding='utf-8')}</style></head><body>"
        f"<h1>{_text(outcome.sentence())}</h1>"
        f"<p>{_totals(outcome)} LPD {__version__}. The videos are synthetic media: say so wherever they are shown.</p>"
        "<table><thead><tr><th>job</th><th>state</th><th>what it shows</th><th>frames</th><th>time</th><th>what is said of it</th>"
        f"</tr></thead><tbody>\n{rows}\n</tbody></table></body></html>\n"
    )


def _totals(outcome: Outcome) -> str:
    frames = sum(job["frames"] for job in outcome.jobs if job["state"] == "done")
    seconds = sum(job["seconds"] for job in outcome.jobs)
    retries = sum(job["retries"] for job in outcome.jobs)
    return f"{frames} frames in {_span(seconds)} of work{f', {retries} retries' if retries else ''}."


def _row(job: dict[str, Any], folder: Path) -> str:
    one = job["job"]
    done = job["state"] == "done"
    links = "<br>".join(_link(target, folder) for target in one.outputs if done) or _text(one.name)
    picture = f'<img alt="" src="data:image/jpeg;base64,{job["thumbnails"]}">' if job["thumbnails"] else ""
    sheets = "".join(_sheet(target) for target in one.outputs) if done else ""
    notes = [job["reason"]] if job["reason"] else json.loads(job["notes"])
    said = "".join(f"<li>{_text(note)}</li>" for note in notes)
    speed = f"<br>{job['frames'] / job['seconds']:.1f} frames/s" if job["frames"] and job["seconds"] and done else ""
    again = f"<br>{job['retries']} retries" if job["retries"] else ""
    return (
        f'<tr class="{job["state"]}" id="{one.id}"><td>{links}<br><small>{_text(one.preset)} {one.id}</small></td><td>{job["state"]}</td>'
        f"<td>{picture}{sheets}</td><td>{job['frames'] or ''}</td><td>{_span(job['seconds'])}{speed}{again}</td><td><ul>{said}</ul></td></tr>"
    )


def _sheet(target: str) -> str:
    """A contact sheet that the job wrote, small, as a part of the page."""
    if not target.lower().endswith(".png") or is_remote(target):
        return ""
    picture = cv2.imread(target)
    if picture is None:
        return ""
    scale = min(1.0, 640 / picture.shape[1])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    data = base64.b64encode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()).decode()
    return f'<img alt="contact sheet" src="data:image/jpeg;base64,{data}">'


def _link(target: str, folder: Path) -> str:
    if is_remote(target):
        return _text(target)
    path = Path(target)
    inside = path.is_relative_to(folder)
    address = os.path.relpath(path, folder).replace(os.sep, "/") if inside else path.as_uri()
    return f'<a href="{html.escape(quote(address) if inside else address)}">{_text(path.name)}</a>'


def _text(said: str) -> str:
    return html.escape(str(said))


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min {seconds % 60:.0f} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _clock(moment: float | None) -> str | None:
    return None if moment is None else time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(moment))
