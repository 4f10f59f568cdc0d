"""Arguments of public functions are what their annotations say; if not, one sentence says so before any work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from inspect import isgeneratorfunction, signature, unwrap
from types import NoneType, SimpleNamespace, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    ParamSpec,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import ConfigDict, TypeAdapter, ValidationError

from .errors import InputError
from .fields import possible, quoted
from .settings import plain

P = ParamSpec("P")
T = TypeVar("T")
# Numbers are no texts and no flags, and finite; what is no plain value is an instance of its class.
STRICT = ConfigDict(strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)
PLAIN = (int, float, bool, str, NoneType)
CONTAINERS = (tuple, list, Sequence, Iterable, Mapping, dict)
CLASSES = {
    "DataFrame": "a table (pandas.DataFrame)",
    "PathLike": "a path",
    "Path": "a path",
    "ModelConfig": 'a ModelConfig, such as ModelConfig.preset("rvae")',
    "Run": "a Run, as fit and load_run give it",
}


@dataclass(frozen=True)
class Instance:
    """In an annotation: any instance of a class."""

    of: type

    def __get_pydantic_core_schema__(self, *_: Any) -> dict[str, Any]:
        """Asked by pydantic."""
        return {"type": "is-instance", "cls": self.of}


class Kind(NamedTuple):
    """What an argument may be: how that is checked, and in words."""

    adapter: TypeAdapter[Any]
    words: str
    several: bool  # of which any may be given that can be gone through, such as a set or a generator

    def given(self, value: Any) -> Any:
        """A value as the function gets it."""
        if hasattr(value, "tolist"):
            return plain(value)
        kept = isinstance(value, list | tuple | str | bytes | Mapping) or not isinstance(value, Iterable)
        return tuple(value) if self.several and not kept else value


def checks_arguments(function: Callable[P, T]) -> Callable[P, T]:
    """Refuse arguments that the annotations of a function do not allow, before it begins; of a class, to make one.

    Numbers, flags, texts, choices, paths, functions, and instances of classes are checked, and what is made of these;
    arrays, and what may be one, are left to the function. Numbers of NumPy are handed on as those of Python, and what
    yields the values of a sequence as a tuple.

    Examples
    --------
    >>> @checks_arguments
    ... def scaled(length: float, unit: Literal["nm", "px"] = "nm") -> str:
    ...     return f"{length:g} {unit}"
    >>> scaled(2), scaled(length=3, unit="px")
    ('2 nm', '3 px')
    >>> scaled("two")
    Traceback (most recent call last):
    ...
    napari_vae.core.errors.InputError: length is a number, not 'two'.
    """
    if isinstance(function, type):
        function.__init__ = checks_arguments(function.__init__)  # type: ignore[misc]
        return function
    known = signature(function)

    @cache
    def kinds() -> dict[str, Kind]:  # at the first call, when all that they name is there
        return dict(_kinds(function))

    @wraps(function)
    def call(*values: P.args, **named: P.kwargs) -> T:
        try:
            bound = known.bind(*values, **named)
        except TypeError:  # which names the function, when it is called
            return function(*values, **named)
        for name, value in bound.arguments.items():
            if (kind := kinds().get(name)) is not None:
                bound.arguments[name] = given = kind.given(value)
                try:
                    kind.adapter.validate_python(plain(given))
                except ValidationError:
                    raise InputError(f"{name} is {kind.words}, not {quoted(value)}.") from None
        return function(*bound.args, **bound.kwargs)

    @wraps(function)
    def events(*values: P.args, **named: P.kwargs) -> Any:  # a generator too, as napari's `thread_worker` wants it
        return (yield from cast("Iterator[Any]", call(*values, **named)))

    return events if isgeneratorfunction(unwrap(function)) else call


def _kinds(function: Callable[..., Any]) -> Iterator[tuple[str, Kind]]:
    spaces = unwrap(function).__globals__
    for name, annotation in unwrap(function).__annotations__.items():
        try:
            hint = get_type_hints(SimpleNamespace(__annotations__={name: annotation}), spaces, include_extras=True)
        except NameError:  # of what is imported for types alone
            continue
        if (hint := _checked(hint[name])) is not None and name != "return":
            several = any(get_origin(one) is Sequence for one in (hint, *get_args(hint)))
            yield name, Kind(TypeAdapter(hint, config=STRICT), _words(hint), several)


def _checked(hint: Any) -> Any:
    """The annotation as pydantic checks it; None, if it may be an array or anything else."""
    kind, parts = get_origin(hint), get_args(hint)
    if hint in PLAIN or kind is Literal:
        return hint
    if kind is Annotated:
        return None if _checked(parts[0]) is None else hint
    if kind in (Union, UnionType):
        parts = tuple(_checked(one) for one in parts)
        return None if None in parts else Union[parts]  # noqa: UP007
    of = kind or hint
    if (
        not isinstance(of, type)
        or of in (object, Any)
        or of.__module__ == "numpy"
        or getattr(of, "_is_protocol", False)
    ):
        return None
    if of in CONTAINERS and parts:
        return of[tuple(one if one is ... else Any if _checked(one) is None else _checked(one) for one in parts)]
    return Callable if of is Callable else Annotated[Any, Instance(of)]


def _words(hint: Any) -> str:
    kind, parts = get_origin(hint), get_args(hint)
    if kind is Union:
        words = dict.fromkeys(_words(one) for one in parts if one is not NoneType)
        return " or ".join(one for one in words if one != "a text" or "a path" not in words)
    if hint is Callable:
        return "a function"
    if kind is Annotated and isinstance(parts[1], Instance):
        name = parts[1].of.__name__
        return CLASSES.get(name, f"a{'n' * (name[0] in 'AEIOU')} {name}")
    if kind in (Mapping, dict):
        return "a dict"
    if kind is tuple and ... not in parts:
        return f"{len(parts)} values, each {' or '.join(dict.fromkeys(map(_words, parts)))}"
    if kind in CONTAINERS:
        return f"several values, each {_words(parts[0])}"
    return possible(TypeAdapter(hint, config=STRICT).json_schema())
