"""Labels by hand: reading a column as classes or numbers, and which atom is best labelled next."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.arguments import checks_arguments
from ..core.class_colors import MOST_LABELS, class_name
from ..core.errors import InputError
from ..core.settings import Count

BLANK = ""


def labels_of(column: pd.Series | npt.ArrayLike) -> npt.NDArray[Any]:
    """A column of a table as labels for semi-supervised models.

    Parameters
    ----------
    column : Series or array (N,)
        Text or whole numbers for classes, other numbers for targets. Blank, missing or negative whole numbers: not
        known.

    Returns
    -------
    array (N,)
        Classes as text (``""`` where not known) or int64 (−1 where not known); targets as float64 (NaN where not
        known).

    Raises
    ------
    InputError
        If nothing is known, all that is known is the same, or there are too many classes.

    Examples
    --------
    >>> labels_of(["defect", "", None, "bulk"]).tolist()
    ['defect', '', '', 'bulk']
    >>> labels_of([0.0, float("nan"), 1.0]).tolist()
    [0, -1, 1]
    """
    values = _plain(column)
    known = is_known(values)
    if not known.any():
        raise InputError("No atom is labelled yet; label a few atoms of each class.")
    different = np.unique(values[known])
    if len(different) == 1:
        raise InputError(f"All labels are “{different[0]}”; label a few atoms of another class too.")
    if values.dtype.kind == "f" and not (different % 1).any():
        values = np.where(known, values, -1).astype(np.int64)
    _check_number(values, len(different))
    return values


def condition_of(column: pd.Series | npt.ArrayLike) -> npt.NDArray[Any]:
    """A column of a table as the condition of a conditional model.

    Returns
    -------
    array (N,)
        Classes as text or int64, or numbers as float64; as `labels_of`, but numbers with a fraction or not are numbers
        when the column is one of floats.

    Raises
    ------
    InputError
        If a value is missing, or there are too many classes.
    """
    values = _plain(column)
    known = is_known(values)
    if not known.all():
        raise InputError(
            f"{(~known).sum()} of {len(values)} atoms have no value to be conditional on; fill them in or choose "
            "another column."
        )
    _check_number(values, len(np.unique(values)))
    return values


@checks_arguments
def label_next(latents: pd.DataFrame, labels: npt.ArrayLike | None = None, n: Count = 10) -> pd.Index:
    """The atoms whose class a model is least sure of, among those without a label.

    Parameters
    ----------
    latents : DataFrame
        ``run.encode(patches)`` of a semi-supervised or joint model. Rows with NaN are left out.
    labels : array (N,), optional
        What is known already, a row for each of `latents`: text or numbers, as `labels_of` reads them.
    n : int
        How many.

    Returns
    -------
    Index
        At most `n` entries of the index of `latents`, the least sure first: by ``class_entropy``, or by ``target_sd``
        of a model with a real target.

    Raises
    ------
    InputError
        If the latents are of a model without classes or target, or the labels are not as many.

    Examples
    --------
    >>> import pandas as pd
    >>> latents = pd.DataFrame({"class_entropy": [0.1, 0.6, 0.3, 0.5]})
    >>> label_next(latents, ["", "bulk", "", ""], n=2).tolist()
    [3, 2]
    """
    column = next((name for name in ("class_entropy", "target_sd") if name in latents), None)
    if column is None:
        raise InputError("These latents know of no classes; train a semi-supervised or joint model first.")
    doubt = latents[column].to_numpy(float)
    known = np.zeros(len(doubt), bool) if labels is None else is_known(_plain(labels))
    if len(known) != len(doubt):
        raise InputError(f"There are {len(doubt)} rows of latents, but {len(known)} labels; give one for each.")
    open_ = np.flatnonzero(~known & np.isfinite(doubt))
    return latents.index[open_[np.argsort(-doubt[open_], kind="stable")[:n]]]


def is_known(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where text is not blank, numbers are not NaN, and whole numbers are not negative."""
    if values.dtype.kind == "f":
        return np.isfinite(values)
    return np.asarray(values >= 0 if values.dtype.kind == "i" else values != BLANK)


def is_text(column: pd.Series) -> bool:
    """Whether a column of a table holds words."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return not is_numeric_dtype(column.dtype) and not is_bool_dtype(column.dtype)


def class_under(
    image: npt.NDArray[Any], positions: npt.NDArray[np.float64], name: str = "labels"
) -> npt.NDArray[np.int64]:
    """Class of every atom from a label image: value − 1 under it, hence −1 where the image is 0 or does not reach.

    Parameters
    ----------
    image : array (Y, X) or (T, Y, X) of int
    positions : array (N, 2) or (N, 3)
        In pixels of `image`.
    name : str
        Of the image, for the message.

    Raises
    ------
    InputError
        If the image has axes that the positions lack.
    """
    if image.ndim > positions.shape[1]:
        raise InputError(f"“{name}” has more axes than the image; choose a layer of labels of the same shape.")
    pixels = np.rint(positions[:, -image.ndim :]).astype(np.int64)
    inside = ((pixels >= 0) & (pixels < np.array(image.shape))).all(axis=1)
    classes = np.full(len(pixels), -1, np.int64)
    classes[inside] = np.asarray(image[tuple(pixels[inside].T)], np.int64) - 1
    return classes


def _plain(column: pd.Series | npt.ArrayLike) -> npt.NDArray[Any]:
    """Text with blanks, int64, or float64 with NaN."""
    series = pd.Series(np.asarray(column) if not isinstance(column, pd.Series) else column)
    if is_text(series):
        words = series.astype(object)
        return np.array([BLANK if pd.isna(word) else class_name(word) for word in words], dtype=np.str_)
    if series.isna().any() or series.dtype.kind == "f":
        return series.to_numpy(np.float64, na_value=np.nan)
    return series.to_numpy(np.int64)


def _check_number(values: npt.NDArray[Any], different: int) -> None:
    """Refuse an identifier or a coordinate that is taken for classes."""
    highest = int(values.max()) + 1 if values.dtype.kind == "i" else different
    if values.dtype.kind != "f" and highest > MOST_LABELS:
        raise InputError(f"The labels are {highest} classes, and at most {MOST_LABELS} can be told apart; use fewer.")
