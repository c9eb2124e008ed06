"""What the editor shows of the nodes in other languages. The words lie in `words.json` beside what is made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..graph.node import Node
from ..graph.registry import node_classes

LANGUAGES = ("en", "ko", "zh")
WORDS = "locales/{}/words.json"  # English to the language, for every language but English


def translations(root: Path) -> dict[str, str]:
    """The JSON of `nodeDefs.json`, and of `main.json` with the names of the editor's folders of nodes, by their paths in the
    checkout. What has no translation stays English."""
    result = {}
    for language in LANGUAGES:
        words = words_of(root, language)
        content = {key: _node(node, words) for key, node in sorted(node_classes().items())}
        result[f"locales/{language}/nodeDefs.json"] = _text(content)
        if words:
            folders = {name: words.get(name, name) for name in _folders()}
            result[f"locales/{language}/main.json"] = _text({"nodeCategories": folders})
    return result


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _folders() -> list[str]:
    """The names below LPD, in which the editor lists the nodes."""
    return sorted({name for node in node_classes().values() for name in node.category.split("/")[1:]})


def words_of(root: Path, language: str) -> dict[str, str]:
    """English to a language; empty for English itself."""
    path = root / WORDS.format(language)
    return json.loads(path.read_text(encoding="utf-8")) if language != "en" else {}


def said() -> list[str]:
    """Every English text of the nodes that an editor shows, once each."""
    return list(dict.fromkeys([*(text for node in node_classes().values() for text in _texts(node)), *_folders()]))


def _texts(node: type[Node]) -> Iterator[str]:
    yield from (node.name, node.description)
    for one in (*node.inputs, *node.outputs):
        yield _label(one.name)
        if one.tooltip:
            yield one.tooltip


def _label(name: str) -> str:
    return name.replace("_", " ")


def _node(node: type[Node], words: dict[str, str]) -> dict[str, Any]:
    def entry(one: Any) -> dict[str, str]:
        shown = {"name": words.get(_label(one.name), _label(one.name))}
        return shown | ({"tooltip": words.get(one.tooltip, one.tooltip)} if one.tooltip else {})

    return {
        "display_name": words.get(node.name, node.name),
        "description": words.get(node.description, node.description),
        "inputs": {one.name: entry(one) for one in node.inputs},
        "outputs": {str(slot): entry(one) for slot, one in enumerate(node.outputs)},
    }
