"""Settings whose types, limits and words are declared with their fields; pydantic checks them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from inspect import cleandoc
from typing import Annotated, Any, Self, TypeVar, cast, dataclass_transform

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    Strict,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.dataclasses import dataclass

from .errors import InputError

T = TypeVar("T")
MOST_SHOWN, MOST_TOLD = 60, 200  # characters of a value that is refused, and of what is wrong with it


def about(title: str = "", *, words: str = "", unit: str = "", **limits: Any) -> Any:
    """Of a field: its title, what it may be in words, its unit, and limits such as ``ge=1``."""
    more = {name: value for name, value in (("words", words), ("unit", unit)) if value}
    named: dict[str, Any] = {name: value for name, value in (("title", title), ("json_schema_extra", more)) if value}
    return Field(**named, **limits)


Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Count = Annotated[Whole, Field(ge=1, le=10**9)]
Seed = Annotated[Whole, Field(ge=0, lt=2**31)]
Flag = Annotated[bool, Strict()]
Text = Annotated[str, Field(max_length=10**6)]  # which can be written as UTF-8
Single = Annotated[Number, Field(ge=-1e38, le=1e38)]  # which single precision can hold
#: Low and high of something, as a list because JSON has no tuples.
Limits = Annotated[list[Single], Field(min_length=2, max_length=2)]
#: Widths of layers: bounded, so that a small file cannot ask for gigabytes.
Widths = Annotated[
    tuple[Annotated[Whole, Field(ge=1, le=4096)], ...],
    Field(min_length=1, max_length=16),
    BeforeValidator(lambda value: (value,) if isinstance(value, int) else value),
]


@dataclass_transform(frozen_default=True)
def settings(cls: type[T]) -> type[T]:
    """Make a class a frozen dataclass that takes only what its annotations allow, also as numbers of NumPy.

    Its JSON schema (``pydantic.TypeAdapter(cls).json_schema()``) has the words of the docstring.

    Raises
    ------
    InputError
        By the class, for a value that is not possible; the message names those that are.

    Examples
    --------
    >>> @settings
    ... class Walk:
    ...     steps: Annotated[Whole, Field(ge=1, le=9)] = 2
    >>> Walk(steps=10)
    Traceback (most recent call last):
    ...
    napari_vae.core.errors.InputError: steps is a whole number of 1 … 9, not 10.
    """
    made = dataclass(frozen=True, config=ConfigDict(extra="forbid", json_schema_extra=_describe))(cls)
    check, names = made.__init__, [field.name for field in fields(made)]

    def __init__(self: Any, *values: Any, **named: Any) -> None:
        try:
            check(self, *plain(values), **plain(named))
        except ValidationError as error:
            raise InputError(_sentence(made, error, dict(zip(names, values, strict=False)) | named)) from None

    made.__init__ = __init__  # type: ignore[method-assign]
    return cast("type[T]", made)


def checked(name: str, value: Any, kind: Any) -> Any:
    """A value if it is of a kind, such as `Seed`.

    Raises
    ------
    InputError
        If not; the message says what `name` may be.
    """
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    try:
        return adapter.validate_python(plain(value))
    except ValidationError:
        raise InputError(f"{name} is {possible(adapter.json_schema())}, not {quoted(value)}.") from None


def allowed(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind, such as `Whole`."""
    try:
        TypeAdapter(kind).validate_python(plain(value))
    except ValidationError:
        return False
    return True


def made_of(cls: type[T], values: Mapping[str, Any]) -> T:
    """An object of a dataclass from plain values, such as those of JSON.

    Raises
    ------
    InputError
        If they are others than the annotations allow.
    """
    try:
        return TypeAdapter(cls).validate_python(values)
    except ValidationError as error:
        where, what = first_problem(error, values)
        raise InputError(f"{cls.__name__} cannot be made of these values: {where} {what}.") from None


def plain(value: Any) -> Any:
    """Numbers and arrays (n,) of NumPy as numbers and tuples of Python, also within lists, tuples and dicts."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if getattr(value, "ndim", 2) < 2 and hasattr(value, "tolist"):
        value = value.tolist()
    return tuple(map(plain, value)) if isinstance(value, list | tuple) else value


def quoted(value: Any) -> str:
    """A value as a message shows it."""
    try:
        text = repr(value)
    except ValueError:  # which Python refuses to write out
        return "a number of thousands of digits"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


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


def _limits(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMaximum" in schema and least is not None:
        return f" of {least} … {schema['exclusiveMaximum'] - 1}"
    if least is not None and most is not None:
        return f" of {least} … {most}"
    if "exclusiveMinimum" in schema:
        return f" above {schema['exclusiveMinimum']:g}"
    return "" if least is None else f" from {least:g}"


class Saved(BaseModel):
    """What a JSON file of ours holds; what else there is in it is not looked at."""

    format: Annotated[Whole, about(ge=1, le=1)] = 1


class Open(BaseModel):
    """A dict that may hold anything besides what its fields say."""

    _given: dict[str, Any] = PrivateAttr()

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, value: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        made = check(value)
        made._given = value
        return made

    def plain(self) -> dict[str, Any]:
        """As it was in the file."""
        return self._given


def first_problem(error: ValidationError, value: Any) -> tuple[str, str]:
    """Where in JSON the first mistake is, and what it is."""
    first, where = error.errors(include_url=False)[0], []
    for number, step in enumerate(first["loc"], start=1):  # which also names the kinds that a value may have
        missing = first["type"] == "missing" and number == len(first["loc"])
        if isinstance(value, dict) and (step in value or missing):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int):
            value = dict(enumerate(value)).get(step)
        else:
            continue
        where.append(str(step))
    own = first.get("ctx", {}).get("error")
    message = {"missing": "is missing", "unexpected_keyword_argument": "is not known to this version"}
    what = str(own).rstrip(".") if isinstance(own, InputError) else message.get(first["type"], first["msg"])
    return ".".join(where), what.replace("Input should", "should").removeprefix("Value error, ")[:MOST_TOLD]


def _sentence(cls: type, error: ValidationError, given: dict[str, Any]) -> str:
    first = error.errors(include_url=False)[0]
    if isinstance(own := first.get("ctx", {}).get("error"), InputError):
        return str(own)
    properties = TypeAdapter(cls).json_schema()["properties"]
    place = first["loc"][0]  # a number, if it was given without a name
    name = [*properties, ""][min(place, len(properties))] if isinstance(place, int) else place
    if name not in properties:
        return f"There is no setting {quoted(name)}; there are {', '.join(properties)}."
    return f"{name} is {possible(properties[name])}, not {quoted(given.get(name))}."


def _describe(schema: dict[str, Any], cls: type) -> None:
    """Add what the docstring says of each parameter."""
    section = cleandoc(cls.__doc__ or "").partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    for names, text in re.findall(r"^(\w[\w, ]*) : .*\n((?:    .*\n?)*)", section, re.MULTILINE):
        for name in names.split(", "):
            schema["properties"][name]["description"] = " ".join(text.split())
