"""Columns read as labels or conditions, classes under atoms, and which atom to label next."""

import numpy as np
import pandas as pd
import pytest

import napari_vae
from napari_vae.analysis.labelling import class_under, condition_of, labels_of
from napari_vae.core.errors import InputError


@pytest.mark.parametrize(
    "column, wanted",
    [
        (["a", "", None, " b "], ["a", "", "", "b"]),
        (["a", np.nan, "b"], ["a", "", "b"]),
        (pd.Categorical(["", "a", "b"]), ["", "a", "b"]),
        ([0, 1, -1], [0, 1, -1]),
        (pd.Series([0, None, 1], dtype="Int64"), [0, -1, 1]),
        ([2.0, np.nan, 1.0], [2, -1, 1]),
        ([True, False], [1, 0]),
    ],
)
def test_text_and_whole_numbers_are_classes(column, wanted):
    labels = labels_of(column if isinstance(column, pd.Series) else pd.Series(column))
    assert labels.dtype.kind in "iU" and labels.tolist() == wanted


def test_other_numbers_are_targets():
    labels = labels_of(pd.Series([0.5, np.nan, 1.0]))
    assert labels.dtype == np.float64 and np.array_equal(labels, [0.5, np.nan, 1.0], equal_nan=True)


@pytest.mark.parametrize(
    "column, words",
    [
        (["", " ", None], "No atom is labelled"),
        ([-1, -1], "No atom is labelled"),
        ([np.nan, np.nan], "No atom is labelled"),
        (["bulk", "", "bulk"], "All labels are “bulk”"),
        (list(range(300)), "at most 255"),
        ([str(i) for i in range(300)], "at most 255"),
    ],
)
def test_labels_that_teach_nothing(column, words):
    with pytest.raises(InputError, match=words):
        labels_of(pd.Series(column))


def test_a_condition_is_known_of_every_atom():
    assert condition_of(pd.Series(["a", "b"])).tolist() == ["a", "b"]
    assert condition_of(pd.Series([1, 0])).dtype == np.int64
    assert condition_of(pd.Series([1.0, 2.0])).dtype == np.float64  # numbers, such as a temperature
    for column in (["a", ""], [1.0, np.nan], [0, -1]):
        with pytest.raises(InputError, match="1 of 2 atoms have no value"):
            condition_of(pd.Series(column))


def test_the_least_sure_without_a_label_come_first():
    latents = pd.DataFrame({"class_entropy": [0.1, 0.6, np.nan, 0.3, 0.5]}, index=[7, 8, 9, 10, 11])
    assert napari_vae.analysis.label_next(latents).tolist() == [8, 11, 10, 7]
    assert napari_vae.analysis.label_next(latents, ["", "a", "", "", ""], n=2).tolist() == [11, 10]
    assert napari_vae.analysis.label_next(latents, [-1, 0, -1, -1, 1], n=9).tolist() == [10, 7]
    sd = latents.rename(columns={"class_entropy": "target_sd"})
    assert napari_vae.analysis.label_next(sd, [np.nan, 0.5, np.nan, np.nan, np.nan], n=1).tolist() == [11]
    with pytest.raises(InputError, match="know of no classes"):
        napari_vae.analysis.label_next(pd.DataFrame({"z1": [0.0]}))
    with pytest.raises(InputError, match="but 1 labels"):
        napari_vae.analysis.label_next(latents, ["a"])


def test_classes_under_atoms():
    image = np.zeros((2, 4, 4), np.uint8)
    image[1, 2, 3] = 2
    positions = np.array([[1, 2.2, 2.8], [0, 2, 3], [1, 2, 9]])
    assert class_under(image, positions).tolist() == [1, -1, -1]
    assert class_under(image[1], positions).tolist() == [1, 1, -1]
    with pytest.raises(InputError, match="more axes"):
        class_under(image, positions[:, 1:])
