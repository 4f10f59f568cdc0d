"""What is given with the images: labels, a condition, or targets, checked and brought into one form.

To a model all of them are a table (N, n) of float32: one-hot classes or standardised numbers, NaN where not known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ..core.arrays import as_array, as_numbers, check_size
from ..core.class_colors import MOST_CLASSES, class_name
from ..core.errors import InputError
from ..core.settings import Number, Positive, Whole, about, made_of
from .config import ModelConfig

Floats = npt.NDArray[np.float32]
MOST = 10_000  # numbers that may be given with an image
Value = TypeVar("Value")
Other = TypeVar("Other")


@dataclass(frozen=True)
class Given(Generic[Value]):
    """What is given besides the images: the values themselves, or the names of the columns that hold them.

    Parameters
    ----------
    labels, condition, targets, outputs
        As `fit` means them; ``None`` where nothing is given.
    """

    labels: Value | None = None
    condition: Value | None = None
    targets: Value | None = None
    outputs: Value | None = None

    def named(self) -> dict[str, Value]:
        """What is given, without what is not."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def map(self, change: Callable[[Value], Other]) -> Given[Other]:
        """The same with every value changed, such as to some of its rows."""
        return Given(**{name: change(value) for name, value in self.named().items()})


@dataclass(frozen=True)
class Scale:
    """What given classes or numbers are called and measured in.

    Parameters
    ----------
    n : int
        Classes, or numbers per image.
    centre, spread : tuple of float
        Of the numbers; empty for classes.
    names : tuple of str
        Of the classes, where these were given as text.
    shape : tuple of int
        Of what is predicted of an image; empty where nothing is.
    """

    n: Annotated[Whole, about(ge=0, le=MOST)] = 0
    centre: tuple[Number, ...] = ()
    spread: tuple[Positive, ...] = ()
    names: tuple[str, ...] = ()
    shape: tuple[Whole, ...] = ()

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Scale:
        """The inverse of `dataclasses.asdict`, after JSON has made lists of tuples."""
        return made_of(cls, values)

    @property
    def classes(self) -> int:
        """How many classes; 0 for numbers, or where nothing is given."""
        return 0 if self.spread else self.n

    def table(self, values: npt.NDArray[Any], name: str, n_images: int, *, partly: bool) -> Floats:
        """What is given with the images as (N, n): one-hot classes, or standardised numbers.

        Where `partly`, classes may be blank or −1 and numbers NaN; these rows are NaN.

        Raises
        ------
        InputError
            If it does not fit the images, or these classes or numbers.
        """
        if self.classes:
            return _one_hot(_class_numbers(values, name, n_images, self.names), self.classes, name, partly=partly)
        numbers = _numbers(_flat(values, name), name, n_images, partly=partly)
        if numbers.shape[1] != self.n or (self.shape and (values.shape[1:] or (1,)) != self.shape):
            was, given = (" × ".join(map(str, of)) for of in (self.shape or (self.n,), values.shape[1:] or (1,)))
            raise InputError(f"The model was trained with {was} numbers per image; the {name} have {given}.")
        return self.apply(numbers)

    def apply(self, values: npt.NDArray[Any]) -> Floats:
        """Numbers (N, n), standardised.

        Raises
        ------
        InputError
            If some are so far from those of the training that they cannot be computed with.
        """
        with np.errstate(over="ignore"):
            table: Floats = ((values - np.array(self.centre)) / np.array(self.spread)).astype(np.float32)
        if np.isinf(table).any():
            raise InputError("Some numbers are far beyond those of the training; give them in the same unit.")
        return table

    def undo(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Standardised numbers (N, n) in their own units."""
        return np.asarray(values, np.float64) * np.array(self.spread) + np.array(self.centre)


def training_given(
    model: ModelConfig, n_images: int, given: Given[Any], before: Scale | None = None
) -> tuple[ModelConfig, Scale, Floats | None]:
    """The model with its number of classes, the scale of what is given, and the table of it.

    A training that goes on keeps the scale that was there `before`.

    Raises
    ------
    InputError
        If the kind of model needs something else, or it does not fit the images or the classes.
    """
    _check_kind(model, given)
    if not model.knows.given:
        return model, Scale(model.n_classes or 0), None
    ((name, one),) = given.named().items()
    values = as_array(one, name)
    if before and name == ("targets" if before.classes else "labels"):
        what, role = ("classes", "labels") if before.classes else ("numbers", "targets")
        raise InputError(f"The model has learnt {what}; give {role} to go on with, not {name}.")
    scale = before or _scale_of(model, values, name, n_images)
    table = scale.table(values, name, n_images, partly=model.knows.inferred)
    if scale.classes and np.isnan(table).all():
        raise InputError("No image has a label; label a few of each class, or use a joint model.")
    return replace(model, n_classes=scale.classes or None), scale, table


def encoding_given(model: ModelConfig, scale: Scale, n_images: int, given: Given[Any]) -> Floats | None:
    """The table of what is given to a trained model; ``None`` when nothing is.

    Raises
    ------
    InputError
        If a conditional model gets no condition, another one gets one, or it does not fit.
    """
    if given.condition is not None and not model.knows.conditional:
        raise InputError(f"{_a_model(model)} takes no condition; leave it out.")
    if given.labels is not None and not model.infers_classes:
        raise InputError(f"This {model.kind} model takes no labels; leave them out.")
    if given.condition is None and model.knows.conditional:
        what = "class" if scale.classes else "numbers"
        raise InputError(f"This model was trained with a condition; give the {what} of every image as `condition`.")
    if not given.named():
        return None
    ((name, values),) = given.named().items()
    return scale.table(as_array(values, name), name, n_images, partly=model.knows.inferred)


def one_row(scale: Scale, label: Any, condition: Any, n: int) -> Floats:
    """What to decode n images with (n, scale.n): the class or numbers of each, or of all.

    Raises
    ------
    InputError
        If the model has no classes or no condition, or they are out of range.
    """
    value = label if label is not None else condition
    if (not scale.n or scale.shape) and value is not None:
        raise InputError("This model knows neither classes nor a condition; leave label and condition out.")
    if scale.classes:
        try:
            classes = np.broadcast_to(as_array(0 if value is None else value, "label"), (n,))
        except ValueError:
            raise InputError(f"Give one label for all images, or {n}: one for each of them.") from None
        return scale.table(classes, "label", n, partly=False)
    if value is None:
        return np.zeros((n, scale.n), np.float32)
    try:
        numbers = np.broadcast_to(as_numbers(value, "condition"), (n, scale.n))
    except ValueError:
        raise InputError(f"The condition must be {scale.n} numbers for all images or for each of them.") from None
    return scale.apply(numbers)


def _one_hot(classes: npt.NDArray[np.int64], n: int, name: str, *, partly: bool) -> Floats:
    """Classes (N,) as (N, n) with a 1 each; −1 becomes a row of NaN.

    Raises
    ------
    InputError
        If a class is not one of 0 … n − 1 (or −1, where `partly` may be unknown).
    """
    lowest = -1 if partly else 0
    if len(classes) and not lowest <= classes.min() <= classes.max() < n:
        unknown = ", −1 where unknown" if partly else ""
        raise InputError(
            f"The {name} go from {classes.min()} to {classes.max()}, but there are {n} classes; number them "
            f"0 … {n - 1}{unknown}, or change n_classes."
        )
    table = np.eye(n, dtype=np.float32)[classes]
    table[classes < 0] = np.nan
    return table


def _check_kind(model: ModelConfig, given: Given[Any]) -> None:
    there, wanted = set(given.named()), set(model.knows.given)
    if model.knows.unlabelled and model.n_classes is None:
        raise InputError(f"{_a_model(model)} needs to know how many classes to look for; give n_classes.")
    if surplus := there - wanted:
        raise InputError(f"{_a_model(model)} does not learn from {' or '.join(sorted(surplus))}; choose another kind.")
    if wanted and len(there) != 1:
        words = " or ".join(sorted(wanted))
        raise InputError(f"{_a_model(model)} learns from {words}; give {'one of them' if there else 'it'}.")


def _a_model(model: ModelConfig) -> str:
    return f"A{'n' * (model.kind[0] in 'aeiou')} {model.kind} model"


def _scale_of(model: ModelConfig, values: npt.NDArray[Any], name: str, n_images: int) -> Scale:
    """The scale of what is given to a new model."""
    like_classes = values.ndim == 1 and (values.dtype.kind in "iub" or _is_text(values))
    if name == "labels" or (name == "condition" and (model.n_classes is not None or like_classes)):
        names = _names(values)
        n = model.n_classes or int(_class_numbers(values, name, n_images, names).max(initial=1)) + 1
        more = [f"unnamed {number}" for number in range(len(names), n)] if names else []
        return Scale(n, names=(*names, *more))
    if model.n_classes is not None:
        raise InputError(f"n_classes is for classes; leave it out with {name} that are numbers.")
    numbers = _numbers(_flat(values, name), name, n_images, partly=model.knows.inferred)
    centre, spread = np.nanmean(numbers, 0), np.nanstd(numbers, 0)
    shape = values.shape[1:] or (1,) if model.knows.predicts else ()
    if shape:  # one spread: a channel of noise must not count as much as the others
        spread = np.full_like(spread, np.sqrt(np.nanmean((numbers - centre) ** 2)))
    if not (spread > 0).all():
        raise InputError(f"The {name} are the same for all images; there is nothing to learn from them.")
    return Scale(numbers.shape[1], tuple(centre.tolist()), tuple(spread.tolist()), shape=shape)


def _flat(values: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Outputs (N, …) as rows of numbers; all else as it is."""
    return values.reshape(len(values), -1) if name == "outputs" and values.ndim > 2 else values


def _is_text(array: npt.NDArray[Any]) -> bool:
    return array.dtype.kind == "U" or (array.dtype == object and any(isinstance(v, str) for v in array.ravel()))


def _is_blank(value: Any) -> bool:
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def _names(values: npt.NDArray[Any]) -> tuple[str, ...]:
    """Names of classes that are given as text, in alphabetical order; none for numbers."""
    if not _is_text(values):
        return ()
    return tuple(sorted({class_name(value) for value in values.ravel() if not _is_blank(value)}))


def _class_numbers(array: npt.NDArray[Any], name: str, n_images: int, names: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Whole numbers (N,); what is blank, NaN or −1 is −1."""
    if array.shape != (n_images,):
        raise InputError(f"There are {n_images} images, but the {name} are {array.shape}; give one class for each.")
    if _is_text(array):
        text = ["" if _is_blank(value) else class_name(value) for value in array]
        where = {class_name(word): number for number, word in enumerate(names)} | {"": -1}
        unknown = sorted(set(text) - set(where))
        if unknown:
            known = ", ".join(names) or "numbers"
            raise InputError(f"The classes of the model are {known}; the {name} hold {', '.join(unknown)}.")
        return np.array([where[word] for word in text], np.int64)
    if array.dtype == object:
        array = np.array([np.nan if _is_blank(value) else value for value in array])
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), -1, array)
    if array.dtype.kind in "iuf" and array.max(initial=0) >= MOST_CLASSES:
        raise InputError(f"The {name} go up to {array.max()}, beyond {MOST_CLASSES} classes; number them from 0.")
    if array.dtype.kind not in "iufb" or not (np.abs(array) < 2**53).all() or (array != np.round(array)).any():
        raise InputError(f"The {name} must be whole numbers, one class for each image (−1 where it is not known).")
    return array.astype(np.int64)


def _numbers(values: Any, name: str, n_images: int, *, partly: bool) -> npt.NDArray[np.float64]:
    """Real numbers (N, d)."""
    array = as_numbers(values, name)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or len(array) != n_images or not array.shape[1]:
        raise InputError(f"There are {n_images} images, but the {name} are {array.shape}; give one row for each image.")
    if np.isinf(array).any() or (np.isnan(array).any() and not partly):
        raise InputError(f"The {name} hold NaN or infinite values; give a number for every image.")
    if np.isnan(array).all(0).any():
        raise InputError(f"No image has a value of some of the {name}; give that of a few.")
    if array.shape[1] > MOST:
        raise InputError(f"The {name} are {array.shape[1]} numbers for each image; give at most {MOST}.")
    check_size(array)
    return array
