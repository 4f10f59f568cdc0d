"""Spectra from images, and back: errors beside the noise, and how often 90 % bands hold what is measured.

    python benchmarks/encoder_decoder.py

On simulated structures whose spectra are known functions of what is seen. All training together takes some minutes of
one core. Beside it: how wrong a model is that sees every image from one side only; and pyroVED's VED, trained on the
same images for as many seconds of the processor, where ``benchmarks/peers/setup.py --only pyroved`` has set it up.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

import napari_vae as nv
from napari_vae.samples import SpectrumSample, spectrum_image
from peers.setup import PYROVED

PEER = Path(__file__).resolve().parent / "peers" / "pyroved_spectra.py"

BAND = 1.6449  # standard deviations on either side that hold 90 %
NOISE, GROWTH = 0.03, 0.1
EPOCHS = 90
MODEL = nv.ModelConfig(kind="encoder-decoder", invariances=("rotation",), latent_dim=4)


def windows(sample: SpectrumSample, like: nv.Patches | None = None, rows: Any = slice(None)) -> nv.Patches:
    """Windows of 24 px around the structures, in the intensities of others if these are given."""
    limits = None if like is None else like.normalization
    table = sample.structures.iloc[rows]
    return nv.extract_patches(sample.image, table, window=24, level="none", normalization=limits)


def train(data: Any, outputs: Any, model: nv.ModelConfig = MODEL) -> nv.Run:
    """A model, and how long it took."""
    began = process_time()
    run = nv.fit(data, model, nv.TrainConfig(epochs=EPOCHS, device="cpu"), outputs=outputs)
    print(f"  {len(data)} images, {EPOCHS} epochs, {process_time() - began:.0f} s of a processor", flush=True)
    return run


def theirs(patches: nv.Patches, spectra: np.ndarray, asked: nv.Patches, seconds: float) -> np.ndarray | None:
    """What pyroVED's VED predicts after so many seconds of the processor; None where it is not set up."""
    if not PYROVED.is_ready():
        print(
            "  pyroVED is not set up, so it is left out; run `python benchmarks/peers/setup.py --only pyroved` first."
        )
        return None
    with tempfile.TemporaryDirectory() as folder:
        for name, array in (("images", patches.data[:, 0]), ("spectra", spectra), ("asked", asked.data[:, 0])):
            np.save(Path(folder, f"{name}.npy"), array)
        done = subprocess.run(
            [PYROVED.python, PEER, folder, "--seconds", str(seconds)], capture_output=True, text=True, check=True
        )
        print(f"  pyroVED: {done.stdout.strip()} epochs in {seconds:.0f} s of a processor", flush=True)
        return np.load(Path(folder, "predicted.npy"))


def root_mean_square(values: Any) -> float:
    """Root of the mean of the squares."""
    return float(np.sqrt(np.mean(np.square(values))))


def quarter_turned(patches: nv.Patches) -> nv.Patches:
    """The same windows, turned by a right angle."""
    return replace(patches, data=np.ascontiguousarray(np.rot90(patches.data, axes=(-2, -1))))


def inside(mean: np.ndarray, sd: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Which numbers lie in their 90 % bands."""
    return np.abs(measured - mean) < BAND * sd


def any_angle() -> list[tuple[str, float, float, float]]:
    """Trained on structures within ±30°, tested on others at any angle."""
    learnt, tested = spectrum_image(50, 30, seed=1), spectrum_image(30, seed=2)
    patches = windows(learnt)
    began = process_time()
    run, others = train(patches, learnt.spectra), windows(tested, patches)
    peer = theirs(patches, learnt.spectra, others, process_time() - began)
    mean, sd = run.predict(others)
    error = root_mean_square(mean - tested.spectra)
    turned = root_mean_square(run.predict(quarter_turned(others))[0] - tested.spectra)
    one_view = train(patches, learnt.spectra, nv.ModelConfig(kind="encoder-decoder", latent_dim=4))
    plain = root_mean_square(one_view.predict(others)[0] - tested.spectra)
    return [
        ("trained within ±30°, tested at any angle: error / noise", error / NOISE, 0, 1.10),
        ("the same turned by 90°: error / its own before", turned / error, 0, 1.02),
        ("90 % bands", float(inside(mean, sd, tested.spectra).mean()), 0.87, 0.93),
        ("without invariance: error / noise", plain / NOISE, 0, np.inf),
        *([] if peer is None else against(error, root_mean_square(peer - tested.spectra))),
    ]


def against(error: float, peer: float) -> list[tuple[str, float, float, float]]:
    """Our error beside that of pyroVED."""
    return [
        ("pyroVED's VED, as long: error / noise", peer / NOISE, 0, np.inf),
        ("our error / pyroVED's", error / peer, 0, 0.5),
    ]


def growing_noise() -> list[tuple[str, float, float, float]]:
    """Noise that grows with the signal; the left half of an image is learnt from, the right half is tested."""
    sample = spectrum_image(64, noise=0.02, growth=GROWTH, seed=3)
    left = (sample.structures["x"] < sample.image.shape[1] / 2).to_numpy()
    patches = windows(sample, rows=left)
    run = train(patches, sample.spectra[left])
    mean, sd = run.predict(windows(sample, patches, ~left))
    measured, noise = sample.spectra[~left], sample.noise[~left]
    within = inside(mean, sd, measured)
    low, high = np.quantile(noise, [1 / 3, 2 / 3])
    return [
        (
            "half against half, noise 0.02 + 0.1 × signal: error / noise",
            root_mean_square(mean - measured) / root_mean_square(noise),
            0,
            1.10,
        ),
        ("90 % bands over all", float(within.mean()), 0.87, 0.93),
        ("where the noise is small (lowest third)", float(within[noise <= low].mean()), 0.85, 0.95),
        ("where it is large (highest third)", float(within[noise >= high].mean()), 0.85, 0.95),
    ]


def images_from_spectra() -> list[tuple[str, float, float, float]]:
    """Windows of unturned structures, from their spectra."""
    learnt, tested = spectrum_image(45, 0, seed=4), spectrum_image(25, 0, seed=5)
    patches = windows(learnt)
    run = train(learnt.spectra, patches.data[:, 0], replace(MODEL, invariances=()))
    mean, sd = run.predict(tested.spectra)
    seen = windows(tested, patches).data[:, 0]
    (low,), (high,) = patches.normalization.low, patches.normalization.high
    return [
        ("images from spectra: error / noise", root_mean_square(mean - seen) * (high - low) / 0.02, 0, 1.10),
        ("90 % bands", float(inside(mean, sd, seen).mean()), 0.87, 0.93),
    ]


def main() -> None:
    """Print the table."""
    rows = [row for part in (any_angle, growing_noise, images_from_spectra) for row in part()]
    print("\n| | seen | bar | met |\n|---|---|---|---|")
    for name, value, low, high in rows:
        met = low <= value <= high
        bar = "" if high == np.inf else f"{low:g} … {high:g}" if low else f"≤ {high:g}"
        print(f"| {name} | {value:.3f} | {bar} | {'' if not bar else 'yes' if met else 'no'} |")


if __name__ == "__main__":
    main()
