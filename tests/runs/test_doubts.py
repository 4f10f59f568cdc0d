"""What is said of latents that tell no windows apart."""

import numpy as np
import pandas as pd
import pytest

from napari_vae import ModelConfig, TrainConfig, extract_patches, fit
from napari_vae.runs.doubts import describe_doubts

SAME = "All windows have the same z1 and z2"


def windows(spread):
    """100 columns whose heights differ so much, in noise; their windows."""
    rng = np.random.default_rng(0)
    places = np.stack(np.meshgrid(np.arange(10), np.arange(10), indexing="ij"), -1).reshape(-1, 2) * 12.0 + 10
    y, x = np.mgrid[:128, :128]
    heights = 1 + spread * (np.arange(100) % 2)
    image = sum(h * np.exp(-((y - r) ** 2 + (x - c) ** 2) / 8) for h, (r, c) in zip(heights, places, strict=True))
    return extract_patches(
        image + rng.normal(0, 0.1, image.shape), pd.DataFrame(places, columns=["y", "x"]), window=12, level="none"
    )


@pytest.mark.parametrize(("spread", "epochs", "same"), [(0.0, 10, True), (1.0, 10, True), (1.0, 60, False)])
def test_latents_that_are_the_same_for_all_windows_are_said_so(spread, epochs, same):
    patches, config = windows(spread), ModelConfig.preset("vae", hidden=(32, 32))
    latents = fit(patches, config, TrainConfig(epochs=epochs, device="cpu")).encode(patches)
    assert (SAME in describe_doubts(config, latents, patches)) is same


def test_classes_may_tell_apart_what_latents_do_not():
    patches = windows(0.0)
    latents = pd.DataFrame({"z1": np.zeros(100), "z1_sd": 1.0, "z2": np.zeros(100), "z2_sd": 1.0})
    assert SAME in describe_doubts(ModelConfig.preset("vae"), latents, patches)
    assert describe_doubts(ModelConfig.preset("j-vae", n_classes=2), latents, patches) == ""
    one = latents.assign(z2=np.arange(100) % 7)
    assert describe_doubts(ModelConfig.preset("vae"), one, patches) == ""
