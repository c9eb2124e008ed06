"""What a node takes: sockets fed by links, and widgets whose values the workflow holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..whole_files import numbered
from . import types


@dataclass(frozen=True)
class Input:
    """A socket: its value comes along a link. `type` is one name of `types` or a tuple of alternatives.

    An optional socket without a link arrives in `run` as None.
    """

    name: str
    type: str | tuple[str, ...]
    optional: bool = field(default=False, kw_only=True)
    tooltip: str = field(default="", kw_only=True)

    is_widget: ClassVar[bool] = False

    @property
    def accepted(self) -> tuple[str, ...]:
        """The types a link into this input may carry."""
        return (self.type,) if isinstance(self.type, str) else tuple(self.type)

    @property
    def required(self) -> bool:
        """Whether a workflow that says nothing about this input is incomplete."""
        return not self.optional

    def expectation(self) -> str:
        """What a value has to be, for messages: "a whole number from 0 to 64"."""
        return f"a link to an output of type {' or '.join(self.accepted)}"

    def allows(self, value: Any) -> bool:
        """Whether `value`, written in the workflow or arrived along a link, may be used."""
        return True

    def converted(self, value: Any) -> Any:
        """An allowed value in the Python type that `run` gets."""
        return value


@dataclass(frozen=True)
class Widget(Input):
    """An input whose value is written in the workflow; a link of the same type may feed it too.

    Without a default the workflow has to give the value; an optional widget without either is None.
    """

    type: str = field(default="", init=False)

    is_widget: ClassVar[bool] = True
    default = None  # a field of every kind of widget; no field here, so that Choice has its options first

    @property
    def required(self) -> bool:
        return not self.optional and self.default is None


@dataclass(frozen=True)
class Int(Widget):
    """A whole number from minimum to maximum, both included (None = no limit)."""

    type: str = field(default=types.INT, init=False)
    default: int | None = None
    minimum: int | None = field(default=None, kw_only=True)
    maximum: int | None = field(default=None, kw_only=True)
    step: int = field(default=1, kw_only=True)

    def expectation(self) -> str:
        return "a whole number" + _span(self.minimum, self.maximum)

    def allows(self, value: Any) -> bool:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and not isinstance(value, bool) and _within(value, self.minimum, self.maximum)

    def converted(self, value: Any) -> int:
        return int(value)


@dataclass(frozen=True)
class Float(Widget):
    """A finite number from minimum to maximum, both included (None = no limit)."""

    type: str = field(default=types.FLOAT, init=False)
    default: float | None = None
    minimum: float | None = field(default=None, kw_only=True)
    maximum: float | None = field(default=None, kw_only=True)
    step: float = field(default=0.01, kw_only=True)

    def expectation(self) -> str:
        return "a number" + _span(self.minimum, self.maximum)

    def allows(self, value: Any) -> bool:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and math.isfinite(value) and _within(value, self.minimum, self.maximum)

    def converted(self, value: Any) -> float:
        return float(value)


@dataclass(frozen=True)
class Bool(Widget):
    """True or false."""

    type: str = field(default=types.BOOLEAN, init=False)
    default: bool | None = False

    def expectation(self) -> str:
        return "true or false"

    def allows(self, value: Any) -> bool:
        return isinstance(value, bool)


@dataclass(frozen=True)
class Text(Widget):
    """Text; empty by default."""

    type: str = field(default=types.STRING, init=False)
    default: str | None = ""
    multiline: bool = field(default=False, kw_only=True)

    def expectation(self) -> str:
        return "text"

    def allows(self, value: Any) -> bool:
        return isinstance(value, str)


@dataclass(frozen=True)
class File(Widget):
    """The path of a file or folder, absolute or relative to the working folder.

    In a host, a relative path to read is looked up in its input folder, and a relative path to write
    lies in its output folder. `extensions` (with dots) is a hint for file choosers, not a check.
    An optional file that is not given arrives in `run` as "" where the default is "". `example` is what a host's editor
    begins with where there is no default. In the name of a file to write, %count% becomes the next free number.
    """

    type: str = field(default=types.STRING, init=False)
    default: str | None = None
    writes: bool = field(default=False, kw_only=True)
    extensions: tuple[str, ...] = field(default=(), kw_only=True)
    example: str = field(default="", kw_only=True)

    def expectation(self) -> str:
        return "the path of a file to write" if self.writes else "the path of a file"

    def allows(self, value: Any) -> bool:
        return isinstance(value, str) and (value != "" or self.default == "")

    def converted(self, value: Any) -> str:
        return numbered(value) if self.writes else value


@dataclass(frozen=True)
class Model(Widget):
    """A model file: an embedded one by name, or a path.

    `embedded` are the names to begin with. A host adds the files of its models folder `lpd` to the list.
    """

    type: str = field(default=types.COMBO, init=False)
    embedded: tuple[str, ...] = ()
    default: str | None = None

    def listed(self) -> tuple[str, ...]:
        """The names that need no file."""
        return self.embedded

    def expectation(self) -> str:
        return f"{' or '.join(self.embedded)}, or the path of a .safetensors file"

    def allows(self, value: Any) -> bool:
        return isinstance(value, str) and value != ""


@dataclass(frozen=True)
class Choice(Widget):
    """One of a list of names. `options` may be a function without parameters, called when it is needed."""

    type: str = field(default=types.COMBO, init=False)
    options: Sequence[str] | Callable[[], Sequence[str]] = ()
    default: str | None = None

    def listed(self) -> tuple[str, ...]:
        """The names to choose from, now."""
        return tuple(self.options() if callable(self.options) else self.options)

    def expectation(self) -> str:
        return f"one of {', '.join(self.listed()) or 'nothing (the list is empty)'}"

    def allows(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.listed()


def _within(value: float, minimum: float | None, maximum: float | None) -> bool:
    return (minimum is None or value >= minimum) and (maximum is None or value <= maximum)


def _span(minimum: float | None, maximum: float | None) -> str:
    if minimum is None:
        return "" if maximum is None else f" of at most {maximum:g}"
    return f" of at least {minimum:g}" if maximum is None else f" from {minimum:g} to {maximum:g}"
