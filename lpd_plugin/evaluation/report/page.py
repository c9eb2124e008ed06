"""The report: one HTML file with everything in it."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path

from ..choice import chosen_persons
from ..judges.base import MOVEMENTS
from ..measures.retrieval import COUNTS
from ..protocols.reenactment import CROSS, SELF
from ..store import Key, UnitStore
from ...whole_files import written_whole
from .charts import colour_of, lines_chart, plane_chart
from .table import TITLES, described_by, measures_table, missing, retrieval_table, said

WARNING = (
    "For research and evaluation. The frames shown belong to the people in the data and to whoever filmed them; generated "
    "heads are synthetic. Keep this file where the data is kept: do not publish it, and do not commit it to a repository."
)
LEAST_MOTION = 0.1  # radians, or share of a blendshape, that a curve's axis spans
SHOWN = 24  # persons whose curves and sheets are shown at most
WORST = 8  # frames shown of each subject and protocol
STYLE = """
body { font-family: sans-serif; margin: 2em auto; max-width: 1240px; color: #222; line-height: 1.4 }
table { border-collapse: collapse } td, th { padding: .2em .7em; border-bottom: 1px solid #ddd; text-align: right }
td:first-child, th:first-child { text-align: left } .warning { background: #fff3cd; padding: .8em; border: 1px solid #e0c060 }
figure { display: inline-block; margin: .2em .6em .6em 0; vertical-align: top } figcaption { font-size: .8em; color: #555 }
.sheet img { display: block; max-width: 100% } .sheet p { margin: .3em 0 0; font-size: .85em } .worst img { width: 384px }
"""


def write_report(path: Path, results: dict, store: UnitStore) -> None:
    """Write the page, whole or not at all; raises `BadInput` like `written_whole`. One picture is in memory at a time."""
    with written_whole(path) as part, open(part, "w", encoding="utf-8") as file:
        file.write(f"<!doctype html><html lang=en><meta charset=utf-8><title>LPD evaluation</title><style>{STYLE}</style>\n")
        file.write("<h1>Evaluation of reenacted heads</h1>\n" + _paragraph(WARNING, "warning"))
        for sentence in said(results):
            file.write(_paragraph(sentence))
        file.write(_numbers(results))
        for protocol, title in TITLES.items():
            if results["protocols"][protocol]:
                file.write(f"<h2>{title}: what moves</h2>\n")
                file.writelines(_curves(results, protocol, store))
                file.write(f"<h2>{title}: contact sheets</h2>\n")
                file.writelines(_sheets(results, protocol, store))
                file.write(f"<h2>{title}: the worst frames</h2>\n")
                file.writelines(_worst(results, protocol, store))
        file.write("</html>\n")


def _numbers(results: dict) -> str:
    parts = []
    for protocol, title in TITLES.items():
        if results["protocols"][protocol]:
            parts += [f"<h2>{title}</h2>", _table(measures_table(results, protocol))]
            parts += [_paragraph(line) for line in missing(results, protocol) if line]
    parts.append("<h2>Likeness against pose</h2>" + _figure_of_errors(results))
    parts += ["<h2>Pose-based retrieval</h2>", _table(retrieval_table(results["descriptors"])), _retrieval_curves(results)]
    return "\n".join(parts) + "\n"


def _figure_of_errors(results: dict) -> str:
    """The paper's figure on these people: identity error when others drive, over pose error when the person does."""
    points = {}
    for name in results["protocols"][SELF]:
        pose = results["protocols"][SELF][name]["pose error, 68 points"]["value"]
        identity = results["protocols"][CROSS].get(name, {}).get("identity error", {}).get("value")
        if pose is not None and identity is not None:
            points[name] = (pose, identity)
    drawing = plane_chart("lower left is better", points, ("pose error, 68 points", "identity error"))
    return drawing or _paragraph("Missing: it takes a landmarker, a recogniser and two persons.")


def _retrieval_curves(results: dict) -> str:
    if "missing" in results["descriptors"]:
        return ""
    rows = results["descriptors"]["rows"]
    series = {described_by(r): [100 * r["accuracy"][str(n)] for n in COUNTS] for r in rows}
    series["by chance"] = [100 * results["descriptors"]["chance"]] * len(COUNTS)
    legend = 7 * max(map(len, series))
    return lines_chart("accuracy of the top N, %", series, COUNTS, (470 + legend, 60 + 16 * max(12, len(series))), legend)


def _curves(results: dict, protocol: str, store: UnitStore):
    """Of every person, each movement over a run of frames: the driver's in black, every subject's in its colour."""
    names = list(results["protocols"][protocol])
    keys = [f'<b style="color:{colour_of(k - 1)}">{escape(name)}</b>' for k, name in enumerate(["the driver", *names])]
    yield f"<p>Over consecutive frames: {', '.join(keys)}. Angles in radians, the rest as shares.</p>\n"
    for person in chosen_persons(results["persons"], SHOWN):
        units = {name: store.read(Key(protocol, name, person)) for name in names}
        for number, run in enumerate(next(iter(units.values())).runs):
            charts = []
            for k, movement in enumerate(MOVEMENTS):
                series = {"driver": [one and one[k] for one in run["wanted"]]}
                series |= {name: [one and one[k] for one in unit.runs[number]["seen"]] for name, unit in units.items()}
                charts.append(lines_chart(movement, series, run["rows"], least=LEAST_MOTION))
            if any(charts):
                yield f"<p>{escape(person)}, driven by {escape(run['driver'])}</p>{''.join(charts)}\n"


def _sheets(results: dict, protocol: str, store: UnitStore):
    if len(results["persons"]) > SHOWN:
        yield _paragraph(f"{SHOWN} persons of {len(results['persons'])}, evenly over their names; the worst frames are of all.")
    for person in chosen_persons(results["persons"], SHOWN):
        names = list(results["protocols"][protocol])
        strips = [("who drives", store.picture_file(Key(protocol, names[0], person), "drivers"))]
        strips += [(name, store.picture_file(Key(protocol, name, person), "made")) for name in names]
        rows = "".join(f"<p>{escape(name)}</p>{_image(path)}" for name, path in strips)
        yield f"<h3>{escape(person)}</h3><div class=sheet>{rows}</div>\n"


def _worst(results: dict, protocol: str, store: UnitStore):
    yield _paragraph("A picture of the person, the driver, and what was made of both; the worst of each person at most.")
    for name in results["protocols"][protocol]:
        found = []
        for person in results["persons"]:
            key = Key(protocol, name, person)
            unit = store.read(key)
            found += [(one["badness"], key, one, unit.frames[one["frame"]]) for one in unit.worst]
        found.sort(key=lambda one: (-one[0], one[1].person))
        yield f"<h3>{escape(name)}</h3><div class=worst>"
        for _, key, one, frame in found[:WORST]:
            where = f"{key.person} driven by {frame['driver']}, {frame['clip']}, frame {frame['row']}: {one['why']}"
            yield f"<figure>{_image(store.picture_file(key, one['picture']))}<figcaption>{escape(where)}</figcaption></figure>"
        yield "</div>\n"


def _image(path: Path) -> str:
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode()}">'


def _table(rows: list[list[str]]) -> str:
    def row(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + row(rows[0], "th") + "".join(row(one, "td") for one in rows[1:]) + "</table>"


def _paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{escape(text)}</p>\n' if kind else f"<p>{escape(text)}</p>\n"
