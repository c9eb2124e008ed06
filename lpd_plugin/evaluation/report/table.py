"""The tables, as Markdown."""

from __future__ import annotations

import numpy as np

from ..measures.retrieval import COUNTS
from ..protocols.reenactment import CROSS, SELF
from ..summary import PLACES

TITLES = {SELF: "Self-reenactment", CROSS: "Cross-reenactment"}
ARROWS = {"lower": "↓", "higher": "↑", "nearer 1": "→ 1"}
MISSING = "missing"


def tables(results: dict) -> str:
    """Every table of the results, with what was evaluated, as Markdown."""
    lines = [f"# Evaluation of {', '.join(s['name'] for s in results['subjects'])}", "", *said(results), ""]
    for protocol, title in TITLES.items():
        if results["protocols"][protocol]:
            lines += [f"## {title}", "", *markdown(measures_table(results, protocol)), "", *missing(results, protocol)]
    lines += ["## Pose-based retrieval", "", *markdown(retrieval_table(results["descriptors"])), ""]
    return "\n".join(lines).rstrip() + "\n"


def said(results: dict) -> list[str]:
    """Sentences about what was evaluated, how and by whom."""
    settings, judges = results["settings"], results["judges"]
    who = ", ".join(f"{role}: {judge['name']}" for role, judge in judges.items())
    who = who or "nobody: measures that need a judge are missing"
    subjects = "; ".join(f"{s['name']}: {s['kind']} with {s['weights']}" for s in results["subjects"])
    steps = [
        f"{name}: {min(by.values())} to {max(by.values())} steps of adaptation, {np.mean(list(by.values())):.0f} on average."
        for name, by in results["adaptation steps"].items()
    ]
    count = len(results["persons"])
    return [
        f"{count} person{'s' * (count > 1)} of split '{results['split']}', {settings['pictures']} pictures of each given. "
        f"Tested on {settings['tested']} frames that were not; each driven by {settings['drivers']} others at most, "
        f"{settings['frames']} frames each; {settings['run']} consecutive frames for flicker.",
        f"{subjects}.", *steps, f"Judges: {who}.", *results["notes"],
    ]  # fmt: skip


def measures_table(results: dict, protocol: str) -> list[list[str]]:
    """A row a measure, a column a subject, the first row being the head."""
    by_subject = results["protocols"][protocol]
    rows = [["measure", "", *by_subject]]
    for name in next(iter(by_subject.values())):
        values = [measures[name] for measures in by_subject.values()]
        rows.append([name, ARROWS[results["better"][name]], *(number(one["value"], PLACES[name]) for one in values)])
    return rows


def missing(results: dict, protocol: str) -> list[str]:
    """Why measures are missing, a line each reason, and an empty one."""
    reasons: dict[str, list[str]] = {}
    for subject, measures in results["protocols"][protocol].items():
        for name, one in measures.items():
            if one["value"] is None:
                names = reasons.setdefault(one["missing"], [])
                names += [] if name in names else [name]
    return [f"Missing, {reason}: {'; '.join(names)}." for reason, names in reasons.items()] + ([""] if reasons else [])


def retrieval_table(descriptors: dict) -> list[list[str]]:
    """A row a descriptor, a column a number of nearest frames, in percent."""
    head = ["descriptor", *(f"top {count}" for count in COUNTS)]
    if "missing" in descriptors:
        return [head, [f"{MISSING}: {descriptors['missing']}", *[MISSING] * len(COUNTS)]]

    def percent(shares: dict[str, float]) -> list[str]:
        return [f"{100 * shares[str(count)]:.1f}" for count in COUNTS]

    rows = [[described_by(row), *percent(row["accuracy"])] for row in descriptors["rows"]]
    chance = [f"{100 * descriptors['chance']:.1f}"] * len(COUNTS)
    return [head, *rows, ["by chance", *chance], ["the most possible", *percent(descriptors["possible"])]]


def described_by(row: dict) -> str:
    """A descriptor's name in tables and curves."""
    registered = row["source"].startswith("descriptor ")
    return f"descriptor {row['descriptor']}" if registered else f"{row['source']}: {row['descriptor']}"


def number(value: float | None, places: int) -> str:
    """As it stands in a table."""
    return MISSING if value is None else f"{value:.{places}f}"


def markdown(rows: list[list[str]]) -> list[str]:
    """A table's lines."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]
