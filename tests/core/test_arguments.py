"""Arguments of public functions are what their annotations say, or one sentence says what they may be."""

import inspect
from collections import UserList, deque
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import napari_vae as nv
from napari_vae.core.arguments import checks_arguments
from napari_vae.core.errors import InputError
from napari_vae.core.settings import Share, about


def kind(annotation):
    """A function of one argument of this annotation, which is handed back."""

    def function(one):
        return one

    function.__annotations__ = {"one": annotation}
    return checks_arguments(function)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, np.int64(3)),
        (int, np.array(3)),
        (float, 2),
        (float | None, None),
        (bool, np.True_),
        (Literal["auto"] | int, "auto"),
        (tuple[float, float], [1, 2.5]),
        (tuple[float, float], np.array([1.0, 2.5])),
        (Sequence[str], pd.Index(["a", "b"])),
        (Sequence[int], [1]),
        (str | PathLike[str], Path("a")),
        (Mapping[str, Share], {"N": 0.5}),
        (Mapping[int, Any], {np.int64(3): 0.5}),
        (Annotated[float, about(allow_inf_nan=True)], -np.inf),
        (dict[str, Any], {"a": object()}),
        (Callable[[], bool], all),
        (pd.DataFrame, pd.DataFrame()),
        (npt.ArrayLike, "whatever"),
        (Any, ...),
    ],
)
def test_what_the_annotation_allows_is_handed_on(annotation, value):
    found = kind(annotation)(value)
    assert found is value or np.array_equal(found, value)
    assert not isinstance(found, np.generic | np.ndarray), "numbers are those of Python"


@pytest.mark.parametrize("make", [set, deque, UserList, iter, lambda values: dict.fromkeys(values).keys()])
@pytest.mark.parametrize("annotation", [Sequence[str], str | Sequence[str | PathLike[str]] | None])
def test_what_yields_the_values_of_a_sequence_is_handed_on_as_a_tuple(make, annotation):
    assert kind(annotation)(make(["a"])) == ("a",)
    with pytest.raises(InputError, match=r"several values, each a (text|path), not"):
        kind(annotation)(make([1]))


@pytest.mark.parametrize(
    ("annotation", "value", "words"),
    [
        (int, 2.5, "a whole number, not 2.5"),
        (int, True, "a whole number, not True"),
        (int, "3", "a whole number, not '3'"),
        (float, np.nan, "a number, not nan"),
        (float | None, "much", "a number, not 'much'"),
        (Annotated[int, about(ge=1, le=9)], 10, "a whole number of 1 … 9, not 10"),
        (Annotated[float, about(gt=0, le=100)], 101, "a number above 0, up to 100, not 101"),
        (Annotated[float, about(ge=0, lt=90)], 90, "a number from 0, below 90, not 90"),
        (bool, 1, "true or false, not 1"),
        (Literal["a", "b"], {}, "one of a, b, not {}"),
        (Literal["auto"] | int, None, '"auto" or a whole number, not None'),
        (tuple[float, float], (1, 2, 3), "2 values, each a number, not (1, 2, 3)"),
        (Sequence[str], "ab", "several values, each a text, not 'ab'"),
        (str | PathLike[str], 3, "a path, not 3"),
        (Share | Mapping[str, Share], {"N": 2}, "a number of 0 … 1 or a dict, not {'N': 2}"),
        (Callable[[], bool] | None, 3, "a function, not 3"),
        (pd.DataFrame, [[1, 2]], "a table (pandas.DataFrame), not [[1, 2]]"),
        (nv.ModelConfig, "rvae", "a ModelConfig, such as ModelConfig.preset(\"rvae\"), not 'rvae'"),
    ],
)
def test_what_it_does_not_allow_is_one_sentence(annotation, value, words):
    with pytest.raises(InputError) as refused:
        kind(annotation)(value)
    assert str(refused.value) == f"one is {words}."


def test_generators_stay_generators():
    job = nv.iter_fit(np.zeros((9, 8, 8)), "rvae")
    assert inspect.isgeneratorfunction(nv.iter_fit) and inspect.isgeneratorfunction(nv.learning.iter_explore)
    with pytest.raises(InputError, match="model is a ModelConfig"):
        next(job)


def test_a_missing_argument_is_what_python_says_of_it():
    with pytest.raises(TypeError, match=r"link_atoms\(\) missing 1 required positional argument: 'atoms'"):
        nv.link_atoms()


ODD = [None, -1, 2.5, np.nan, 10**30, "x", b"b", (), {}, object(), np.array([1, 2]), pd.DataFrame(), "a\nb", 3j]


def chosen(function):
    """Arguments that have a value of their own."""
    given = inspect.signature(function).parameters.values()
    return [one.name for one in given if one.default is not one.empty and one.name not in ("progress", "callback")]


ATOMS = pd.DataFrame({"y": [5.0, 5, 15, 15, 25, 25], "x": [5.0, 15, 5, 15, 5, 15], "amplitude": 1.0})
LATENTS = pd.DataFrame(np.random.default_rng(0).normal(size=(15, 2)), columns=["z1", "z2"])
IMAGE = np.random.default_rng(0).random((32, 32))
CALLS = {
    "samples.micrograph": ((), {"size": 16}),
    "samples.movie": ((), {"size": 16, "frames": 1}),
    "samples.cards": ((), {"n_per_suit": 1, "size": 8}),
    "samples.field_trajectories": ((), {"n": 2, "points": 2}),
    "extract_patches": ((IMAGE, ATOMS), {"window": 8}),
    "assign_sublattices": ((ATOMS,), {}),
    "describe_crystal": ((ATOMS,), {}),
    "link_atoms": ((ATOMS,), {}),
    "cluster": ((LATENTS,), {"n": 2}),
    "analysis.knn_r2": ((LATENTS, LATENTS["z1"]), {}),
    "analysis.roughness": ((LATENTS, LATENTS["z1"]), {"permutations": 1}),
    "crystal.find_vacancies": ((ATOMS,), {}),
    "crystal.measure_displacements": ((ATOMS,), {}),
    "crystal.voronoi_intensities": ((IMAGE, ATOMS), {}),
}


@pytest.mark.parametrize("name", CALLS)
def test_no_odd_value_is_another_exception(name):
    function = nv
    for part in name.split("."):
        function = getattr(function, part)
    values, usual = CALLS[name]
    for argument in chosen(function):
        for odd in ODD:
            try:
                function(*values, **(usual | {argument: odd}))
            except InputError as refused:
                assert "\n" not in str(refused)
