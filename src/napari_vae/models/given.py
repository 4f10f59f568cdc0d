"""What is given with the images: labels, a condition, or targets, checked and brought into one form.

To a model all of them are a table (N, n) of float32: one-hot classes or standardised numbers, NaN where not known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from ..core.arrays import as_array, as_numbers, check_size
from ..core.class_colors import MOST_CLASSES, class_name
from ..core.errors import InputError
from ..core.settings import Number, Positive, Whole, about, made_of
from .config import ModelConfig

Floats = npt.NDArray[np.float32]


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
    """

    n: Annotated[Whole, about(ge=0, le=10_000)] = 0
    centre: tuple[Number, ...] = ()
    spread: tuple[Positive, ...] = ()
    names: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Scale:
        """The inverse of `dataclasses.asdict`, after JSON has made lists of tuples."""
        return made_of(cls, values)

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
    model: ModelConfig,
    n_images: int,
    labels: npt.ArrayLike | None,
    condition: npt.ArrayLike | None,
    targets: npt.ArrayLike | None,
    before: Scale | None = None,
) -> tuple[ModelConfig, Scale, Floats | None]:
    """The model with its number of classes, the scale of what is given, and the table of it.

    A training that goes on keeps the scale that was there `before`.

    Raises
    ------
    InputError
        If the kind of model needs something else, or it does not fit the images or the classes.
    """
    _check_kind(model, labels, condition, targets)
    if model.kind == "vae":
        return model, Scale(), None
    if model.kind == "joint":
        assert model.n_classes is not None
        return model, Scale(model.n_classes), None
    name, given = _given(labels=labels, condition=condition, targets=targets)
    if name == "labels" or (name == "condition" and _are_classes(model, given, before)):
        names = before.names if before else _names(given)
        if before and not model.n_classes:
            raise InputError("The model has learnt numbers; give targets to go on with, not labels.")
        return _with_classes(model, _class_numbers(given, name, n_images, names), name, names)
    if model.n_classes is not None:
        raise InputError(f"n_classes is for classes; leave it out with {name} that are numbers.")
    values = _numbers(given, name, n_images, partly=name == "targets")
    scale = before or _scale_of(values, name)
    if values.shape[1] != scale.n:
        raise InputError(f"The model was trained with {scale.n} numbers per image; the {name} have {values.shape[1]}.")
    return model, scale, scale.apply(values)


def encoding_given(
    model: ModelConfig, scale: Scale, n_images: int, labels: npt.ArrayLike | None, condition: npt.ArrayLike | None
) -> Floats | None:
    """The table of what is given to a trained model; ``None`` when nothing is.

    Raises
    ------
    InputError
        If a conditional model gets no condition, another one gets one, or it does not fit.
    """
    if condition is not None and model.kind != "conditional":
        raise InputError(f"A {model.kind} model takes no condition; leave it out.")
    if labels is not None and (model.kind in ("vae", "conditional") or not model.n_classes):
        raise InputError(f"This {model.kind} model takes no labels; leave them out.")
    if model.kind == "conditional" and condition is None:
        what = "class" if model.n_classes else "numbers"
        raise InputError(f"This model was trained with a condition; give the {what} of every image as `condition`.")
    if labels is None and condition is None:
        return None
    name, given = _given(condition=condition, labels=labels)
    if not model.n_classes:
        values = _numbers(given, name, n_images, partly=False)
        if values.shape[1] != scale.n:
            raise InputError(
                f"The model was trained with {scale.n} numbers per image; the {name} have {values.shape[1]}."
            )
        return scale.apply(values)
    classes = _class_numbers(given, name, n_images, scale.names)
    return one_hot(classes, model.n_classes, name, partly=name == "labels")


def one_row(model: ModelConfig, scale: Scale, label: Any, condition: Any, n: int) -> Floats:
    """What to decode n images with (n, scale.n): the class or numbers of each, or of all.

    Raises
    ------
    InputError
        If the model has no classes or no condition, or they are out of range.
    """
    if not scale.n:
        if label is not None or condition is not None:
            raise InputError("This model knows neither classes nor a condition; leave label and condition out.")
        return np.zeros((n, 0), np.float32)
    value = label if label is not None else condition
    if model.n_classes:
        try:
            classes = np.broadcast_to(as_array(0 if value is None else value, "label"), (n,))
        except ValueError:
            raise InputError(f"Give one label for all images, or {n}: one for each of them.") from None
        return one_hot(_class_numbers(classes, "label", n, scale.names), model.n_classes, "label", partly=False)
    if value is None:
        return np.zeros((n, scale.n), np.float32)
    try:
        numbers = np.broadcast_to(as_numbers(value, "condition"), (n, scale.n))
    except ValueError:
        raise InputError(f"The condition must be {scale.n} numbers for all images or for each of them.") from None
    return scale.apply(numbers)


def one_hot(classes: npt.NDArray[np.int64], n: int, name: str, *, partly: bool) -> Floats:
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


def _check_kind(model: ModelConfig, labels: Any, condition: Any, targets: Any) -> None:
    given = {
        name
        for name, value in (("labels", labels), ("condition", condition), ("targets", targets))
        if value is not None
    }
    allowed = {"vae": set(), "joint": set(), "conditional": {"condition"}, "semi-supervised": {"labels", "targets"}}
    if model.kind == "joint" and model.n_classes is None:
        raise InputError("A joint model needs to know how many classes to look for; give n_classes.")
    surplus = given - allowed[model.kind]
    if surplus:
        raise InputError(
            f"A {model.kind} model does not learn from {' or '.join(sorted(surplus))}; choose another kind."
        )
    if allowed[model.kind] and len(given) != 1:
        wanted = " or ".join(sorted(allowed[model.kind]))
        raise InputError(f"A {model.kind} model learns from {wanted}; give {'one of them' if given else 'it'}.")


def _given(**values: Any) -> tuple[str, npt.NDArray[Any]]:
    """Name and array of the one that is given."""
    name = next(name for name, one in values.items() if one is not None)
    return name, as_array(values[name], name)


def _are_classes(model: ModelConfig, condition: npt.NDArray[Any], before: Scale | None) -> bool:
    if model.n_classes is not None or before is not None:
        return model.n_classes is not None
    return condition.ndim == 1 and (condition.dtype.kind in "iub" or _is_text(condition))


def _with_classes(
    model: ModelConfig, classes: npt.NDArray[np.int64], name: str, names: tuple[str, ...]
) -> tuple[ModelConfig, Scale, Floats | None]:
    if not len(classes) or classes.max() < 0:
        raise InputError("No image has a label; label a few of each class, or use a joint model.")
    n = model.n_classes or max(2, int(classes.max()) + 1)
    table = one_hot(classes, n, name, partly=name == "labels")
    return replace(model, n_classes=n), Scale(n, names=names), table


def _scale_of(values: npt.NDArray[np.float64], name: str) -> Scale:
    centre, spread = np.nanmean(values, 0), np.nanstd(values, 0)
    if not (spread > 0).all():
        raise InputError(f"The {name} are the same for all images; there is nothing to learn from them.")
    return Scale(values.shape[1], tuple(centre.tolist()), tuple(spread.tolist()))


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
        raise InputError("No image has a target; give the value of a few.")
    check_size(array)
    return array
