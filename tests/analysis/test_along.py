"""Changes along a covariate, in tables of latents whose change is known."""

import numpy as np
import pandas as pd
import pytest

import napari_vae as nv
from napari_vae.analysis import change_along

FRAMES, WINDOWS = 20, 100


def table(mean=None, spread=None, seed=0, frames=FRAMES):
    """Latents of mean (frames,) and spread (frames,), that are uneven from frame to frame as domains are."""
    rng = np.random.default_rng(seed)
    frame = np.repeat(np.arange(frames), WINDOWS)
    mean = np.zeros(frames) if mean is None else mean
    spread = np.ones(frames) if spread is None else spread
    uneven = rng.normal(0, 0.1, frames)
    z = rng.normal((mean + uneven)[frame], spread[frame])
    return pd.DataFrame({"frame": frame, "temperature": 300.0 + 10 * frame, "z1": z, "z2": rng.normal(size=len(frame))})


STEP = np.arange(FRAMES)


@pytest.mark.parametrize(
    "latents",
    [
        table(mean=1.0 * (STEP >= 13)),
        table(mean=2.0 * (STEP >= 13) + 0.1 * STEP),
        table(spread=1 + 1.0 * (STEP >= 13)),
        table(mean=2 * np.sqrt((13 - STEP).clip(0))),
    ],
    ids=["jump", "jump on a trend", "spread", "continuous transition"],
)
def test_a_change_is_found_within_a_frame(latents):
    found = change_along(latents, "temperature")
    assert found.after == pytest.approx(430, abs=10) and found.probability > 0.9
    assert found.low <= 430 and found.high >= 420 and found.high - found.low <= 40
    assert found.before == found.after - 10
    assert found.table["probability"].sum() == pytest.approx(1) and found.table["probability"].iloc[0] == 0
    assert found.table["frame"].tolist() == list(range(FRAMES))
    assert f"between temperature {found.before:g} and {found.after:g}" in found.sentence()


@pytest.mark.parametrize("mean", [np.zeros(FRAMES), 0.1 * STEP], ids=["nothing", "trend"])
def test_where_nothing_changes_abruptly_it_says_so(mean):
    wrong = [change_along(table(mean=mean, seed=seed), "frame").probability > 0.5 for seed in range(6)]
    assert sum(wrong) <= 1
    assert "Nothing changes" in change_along(table(mean=mean), "frame").sentence()


def test_intervals_hold_the_truth():
    held = 0
    for seed in range(40):
        at = 5 + seed % 10
        found = change_along(table(mean=0.6 * (at <= STEP), seed=seed), "frame", columns=["z1"])
        held += found.low <= at - 1 and found.high >= at
    assert held >= 36


def test_angles_and_classes_change_too():
    latents = table()
    rng = np.random.default_rng(0)
    later = latents["frame"] >= 8
    latents["angle"] = np.where(later, rng.normal(0, 10, len(later)) + 180 * rng.integers(2, size=len(later)), 0)
    latents.loc[~later, "angle"] = rng.uniform(-180, 180, (~later).sum())
    assert change_along(latents, "frame", columns=["angle"]).after == 8
    assert change_along(latents, "frame", columns=["angle"], symmetry=2).after == 8
    latents["class"] = np.where(later, "ordered", "disordered")
    assert change_along(latents, "frame", columns=["class"]).after == 8


def test_frames_of_one_value_are_taken_together_in_the_order_of_values():
    latents = table(mean=2.0 * (STEP >= 10))
    latents["temperature"] = np.repeat(np.r_[np.arange(10), np.arange(19, 9, -1)], WINDOWS) * 1.0
    shuffled = latents.sample(frac=1, random_state=0)
    assert change_along(shuffled, "temperature").after == 10
    pooled = latents.assign(temperature=latents["frame"] // 2)
    found = change_along(pooled, "temperature")
    assert found.after == 5 and found.table["windows"].tolist() == [2 * WINDOWS] * 10


@pytest.mark.parametrize(
    ("latents", "covariate", "words"),
    [
        (table(), "bias", "no column bias"),
        (table().assign(bias="high"), "bias", "no numbers"),
        (table(frames=4), "frame", "4 values"),
        (table()[["frame", "temperature"]], "frame", "no latents"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_sentence(latents, covariate, words):
    with pytest.raises(nv.InputError, match=words):
        change_along(latents, covariate)
