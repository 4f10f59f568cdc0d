"""What fields of settings say of themselves, for the documentation, the command line and the window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

from .errors import InputError

MOST_SHOWN = 60  # characters of a value that is refused
AUTOMATIC = "automatic"


def about(
    title: str = "",
    text: str = "",
    *,
    words: str = "",
    unit: str = "",
    choices: Mapping[str, str] | None = None,
    option: str = "",
    **limits: Any,
) -> Any:
    """Say of a field what it is; documentation, command line and window take it from here.

    Parameters
    ----------
    title : str
        Its label.
    text : str
        Its help: one or two sentences that anybody understands.
    words : str
        What it may be, where the annotation does not say so by itself.
    unit : str
    choices : dict, optional
        Words for each value that a list offers.
    option : str
        Its name on the command line, if it has another one there.
    **limits
        Such as ``ge=1``.
    """
    extra = {"words": words, "unit": unit, "choices": [*(choices or {}).items()], "option": option}
    named = {"title": title, "description": text, "json_schema_extra": _filled(extra)}
    return Field(**_filled(named), **limits)


@dataclass(frozen=True)
class Setting:
    """One field of a class of settings.

    Parameters
    ----------
    name : str
    annotation : type
        What it may be, with its limits.
    schema : dict
        Its JSON schema.
    """

    name: str
    annotation: Any
    schema: dict[str, Any]

    @property
    def title(self) -> str:
        """Its label."""
        return str(self.schema["title"])

    @property
    def text(self) -> str:
        """Its help, in sentences."""
        return str(self.schema.get("description", ""))

    @property
    def kind(self) -> str:
        """What it may be, in words, such as ``"a whole number of 1 … 64"``."""
        return possible(self.schema)

    @property
    def words(self) -> str:
        """Its help, its unit, and what each of its choices means."""
        choices = "; ".join(
            f'"{value}": {words}' for value, words in self.choices.items() if words not in (value, AUTOMATIC)
        )
        more = [f"Unit: {self.unit}."] * bool(self.unit) + [f"{choices}."] * bool(choices)
        return " ".join([self.text, *more])

    @property
    def unit(self) -> str:
        """Its unit, or nothing."""
        return str(self.schema.get("unit", ""))

    @property
    def choices(self) -> dict[str, str]:
        """Words for each value of a list; nothing for what is no list."""
        return dict(self.schema.get("choices") or ((value, value) for value in self.schema.get("enum", ())))

    @property
    def default(self) -> Any:
        """Its value where none is given."""
        return self.schema.get("default")

    @property
    def automatic(self) -> bool:
        """Whether it may be ``"auto"``."""
        return any(one.get("const") == "auto" for one in self._alternatives)

    @property
    def flag(self) -> bool:
        """Whether it is only on or off."""
        return self.schema.get("type") == "boolean"

    @property
    def number(self) -> dict[str, Any]:
        """Schema of the number that it may be, with its limits; nothing for what is none."""
        return next((one for one in self._alternatives if one.get("type") in ("integer", "number")), {})

    @property
    def option(self) -> str:
        """Its name on the command line."""
        return str(self.schema.get("option", f"--{self.name.replace('_', '-')}"))

    def read(self, text: str | bool | None) -> Any:
        """The value that a text of the command line means, or a flag; values of several are separated by commas.

        Raises
        ------
        InputError
            If it means none that is possible.
        """
        return read_as(self.option, text, self.annotation) if isinstance(text, str) else text

    @property
    def _alternatives(self) -> list[dict[str, Any]]:
        return [self.schema, *self.schema.get("anyOf", ())]


@cache
def settings_of(cls: type) -> dict[str, Setting]:
    """The fields of a class of settings by their names."""
    hints, schema = get_type_hints(cls, include_extras=True), TypeAdapter(cls).json_schema()
    return {name: Setting(name, hints[name], field) for name, field in schema["properties"].items()}


def read_as(option: str, text: str, kind: Any) -> Any:
    """The value of a kind, such as `Seed`, that a text means.

    Raises
    ------
    InputError
        If it means none; the message says what the `option` may be.
    """
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    for value in (text, *_numbers(text), tuple(next(_numbers(part), part) for part in text.split(","))):
        try:
            return adapter.validate_python(value)
        except ValidationError:
            continue
    raise InputError(f"{option} is {possible(adapter.json_schema())}, not {quoted(text)}.")


def possible(schema: Mapping[str, Any]) -> str:
    """What a value may be, in words, from its JSON schema.

    >>> possible({"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1}]})
    '"auto" or a whole number from 1'
    """
    if "words" in schema:
        return str(schema["words"])
    if "anyOf" in schema:
        return " or ".join(possible(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if "const" in schema:
        return f'"{schema["const"]}"'
    if schema.get("type") == "array":
        return (
            f"{schema.get('minItems', 0)} to {schema.get('maxItems', 'many')} values, each {possible(schema['items'])}"
        )
    words = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "a text"}
    return words.get(schema.get("type", ""), "something else") + _limits(schema)


def quoted(value: Any) -> str:
    """A value as a message shows it."""
    try:
        text = repr(value)
    except ValueError:  # which Python refuses to write out
        return "a number of thousands of digits"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def _limits(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMaximum" in schema and schema.get("type") == "integer":
        most = schema["exclusiveMaximum"] - 1
    if least is not None and most is not None:
        return f" of {_grouped(least)} … {_grouped(most)}"
    ends = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "up to", "exclusiveMaximum": "below"}
    return ",".join(f" {word} {schema[end]:g}" for end, word in ends.items() if end in schema)


def _grouped(number: float) -> str:
    """A number whose digits are in groups of three, where it has five or more."""
    return f"{number:,}".replace(",", " ") if abs(number) >= 10_000 else str(number)


def _numbers(text: str) -> Iterator[int | float]:
    for kind in (int, float):
        with suppress(ValueError):
            yield kind(text)


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
