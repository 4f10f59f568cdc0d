"""Settings whose types, limits and words are declared with their fields; pydantic checks them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from inspect import cleandoc, signature
from textwrap import fill, indent
from typing import Annotated, Any, Literal, Self, TypeVar, cast, dataclass_transform

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
from .fields import about as about
from .fields import possible, quoted, settings_of

T = TypeVar("T")
C = TypeVar("C", bound=type)
MOST_TOLD = 200  # characters of what is wrong with a value


Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
AnyNumber = Annotated[float, Field(allow_inf_nan=True)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
Count = Annotated[Whole, Field(ge=1, le=10**9)]
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]
AutoCount = Literal["auto"] | Count
#: What is subtracted from an image as background.
Level = Literal["auto", "none", "plane", "rows", "smooth"]
SEED = (
    "Start of the random numbers, itself any whole number. The same seed on the same device gives the same result; "
    "change it to see whether a result holds."
)
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

    What the fields say of themselves (`about`) becomes the section Parameters of its docstring.

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
    made = dataclass(frozen=True, config=ConfigDict(extra="forbid"))(cls)
    documented_by(made)(made)
    known = signature(made)  # which help shows without annotations: the docstring says more, and more plainly
    bare = [one.replace(annotation=one.empty) for one in known.parameters.values()]
    made.__signature__ = known.replace(parameters=bare)  # type: ignore[attr-defined]
    check, names = made.__init__, [field.name for field in fields(made)]

    def __init__(self: Any, *values: Any, **named: Any) -> None:
        try:
            check(self, *plain(values), **plain(named))
        except ValidationError as error:
            raise InputError(_sentence(made, error, dict(zip(names, values, strict=False)) | named)) from None

    made.__init__ = __init__  # type: ignore[method-assign]
    return cast("type[T]", made)


def documented_by(config: type) -> Callable[[C], C]:
    """Add to the section Parameters of a docstring what the fields of a class of settings say of themselves."""

    def add(documented: C) -> C:
        head, *sections = re.split(r"\n\n(?=\w+\n---)", cleandoc(documented.__doc__ or ""))
        rows = [
            f"{one.name} : {one.kind}\n{indent(fill(one.words, 110), '    ')}"
            for one in settings_of(config).values()
            if one.text
        ]
        if rows:
            known = sections.pop(0) if sections and sections[0].startswith("Parameters\n") else "Parameters\n----------"
            documented.__doc__ = "\n\n".join([head, "\n".join([known, *rows]), *sections])
        return documented

    return add


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


def check_count(name: str, value: Any, most: int) -> None:
    """Refuse what is neither ``"auto"`` nor a whole number of 1 … `most`.

    Raises
    ------
    InputError
    """
    checked(name, value, Literal["auto"] | Annotated[Whole, Field(ge=1, le=most)])


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
        return {plain(key): plain(one) for key, one in value.items()}
    if getattr(value, "ndim", 2) < 2 and hasattr(value, "tolist"):
        value = value.tolist()
    return tuple(map(plain, value)) if isinstance(value, list | tuple) else value


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
    known = settings_of(cls)
    place = first["loc"][0]  # a number, if it was given without a name
    name = [*known, ""][min(place, len(known))] if isinstance(place, int) else place
    if name not in known:
        return f"There is no setting {quoted(name)}; there are {', '.join(known)}."
    return f"{name} is {known[name].kind}, not {quoted(given.get(name))}."
