"""What a user may set of a preset: types, ranges, and values as a command line or a file gives them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import BadInput

TYPES = {"file": str, "text": str, "choice": str, "int": int, "float": float, "bool": bool}
KEYS = {"type", "default", "help", "minimum", "maximum", "unit", "options"}
REQUIRED = object()


@dataclass(frozen=True)
class Parameter:
    """What a user may set. `default` is REQUIRED where a value has to be given."""

    name: str
    type: str
    default: Any
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    options: tuple[str, ...] = ()

    @classmethod
    def declared(cls, name: str, entry: Any, where: str) -> Parameter:
        """From its entry in a preset; `where` begins complaints. Raises `BadInput` for one that makes no sense."""
        if not isinstance(entry, Mapping) or entry.get("type") not in TYPES or set(entry) - KEYS:
            raise BadInput(f"{where}: parameter '{name}' needs a type ({', '.join(TYPES)}) and only {', '.join(sorted(KEYS))}.")
        if entry["type"] == "choice" and not entry.get("options"):
            raise BadInput(f"{where}: parameter '{name}' is a choice without options; list them.")
        for limit in ("minimum", "maximum"):
            if limit in entry and not _is_number(entry[limit]):
                raise BadInput(f"{where}: parameter '{name}': {limit} is {entry[limit]!r}, which is no number.")
        parameter = cls(name, **{"default": REQUIRED, **entry, "options": tuple(map(str, entry.get("options", ())))})
        return parameter if parameter.required else parameter.defaulting(parameter.default, where)

    def defaulting(self, value: Any, where: str) -> Parameter:
        """The same with another default, in its own type."""
        given = {field: getattr(self, field) for field in self.__dataclass_fields__}
        try:
            return Parameter(**given | {"default": self.value(value, "")})
        except BadInput as error:
            raise BadInput(f"{where}: the default of {error}") from None

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    def value(self, given: Any, preset: str) -> Any:
        """A given value (text from a command line, or typed) in this parameter's type; raises `BadInput`."""
        where = f"parameter '{self.name}'" + (f" of preset '{preset}'" if preset else "")
        try:
            value = _as_bool(given) if self.type == "bool" else _converted(self.type, given)
        except (TypeError, ValueError, OverflowError):
            raise BadInput(f"{where}: {given!r} is not of type {self.type}.") from None
        if self.minimum is not None and value < self.minimum or self.maximum is not None and value > self.maximum:
            raise BadInput(f"{where}: {value} is out of range; it has to lie {self.span()}.")
        if self.options and value not in self.options:
            raise BadInput(f"{where}: '{value}' is not one of {', '.join(self.options)}.")
        return value

    def span(self) -> str:
        """The range in words, "between 0 and 1"; empty without one."""
        low, high = self.minimum, self.maximum
        if low is None:
            return "" if high is None else f"at or below {high}"
        return f"at or above {low}" if high is None else f"between {low} and {high}"

    def allowed(self) -> str:
        """Options or range with its unit, for people."""
        return ", ".join(self.options) or " ".join(filter(None, (self.span(), self.unit)))

    def as_dict(self) -> dict[str, Any]:
        """For machines: what is declared, `required` written out."""
        shown = {"name": self.name, "type": self.type, "required": self.required, "help": self.help, "unit": self.unit}
        if not self.required:
            shown["default"] = self.default
        shown |= {limit: getattr(self, limit) for limit in ("minimum", "maximum") if getattr(self, limit) is not None}
        return shown | ({"options": list(self.options)} if self.options else {})


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _converted(type: str, given: Any) -> Any:
    if isinstance(given, (list, dict)) or given is None:
        raise TypeError(given)
    value = TYPES[type](given)
    if type in ("int", "float") and (isinstance(given, bool) or not math.isfinite(value)):
        raise ValueError(given)
    if type == "int" and isinstance(given, float) and given != value:
        raise ValueError(given)
    return value


def _as_bool(given: Any) -> bool:
    if isinstance(given, bool):
        return given
    text = str(given).strip().lower()
    if text in ("true", "yes", "on", "1"):
        return True
    if text in ("false", "no", "off", "0"):
        return False
    raise ValueError(given)
