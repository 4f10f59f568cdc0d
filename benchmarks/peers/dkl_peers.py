"""Deep kernel learning by gpax and AtomAI as they are installed; run by ``benchmarks/dkl/others.py``.

    .venv-gpax/bin/python dkl_peers.py gpax CARDS.npz FOUND.npz [--seconds 240]
    .venv-atomai/bin/python dkl_peers.py atomai CARDS.npz FOUND.npz [--seconds 240]

Needs the environment that ``setup.py --only gpax`` or ``--only atomai`` makes and nothing of ours. CARDS holds
``images`` (N, height, width), ``rows``, those that are labelled, and for every target ``y_NAME``, the labels of these.
Targets are standardised, which both programs expect. gpax trains `viDKL`, AtomAI `dklGPR`, each with several settings:
first those of its defaults and examples, then smaller networks and other steps; the caller keeps the best by the truth.
Written are the list ``records`` as JSON (target, settings, seconds of training and prediction) and, for its entry k,
``mean_k`` and ``sd_k`` (N,) in the unit of the target, by the variance that the program gives: gpax's is that of a
measurement, AtomAI's that of the function. Settings that would begin after so many seconds are left out.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

Predict = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]  # x, y, new x -> mean, variance
BATCH = 1000  # images that are predicted at once


def with_gpax() -> Iterator[tuple[str, Predict]]:
    """Settings in words, and `gpax.viDKL` with them."""
    import gpax
    import haiku
    import jax

    gpax.utils.enable_x64()

    def network(widths: tuple[int, ...]) -> type:
        class Network(haiku.Module):
            def __init__(self, n_out: int) -> None:
                super().__init__()
                self.n_out = n_out

            def __call__(self, x):
                for width in widths:
                    x = jax.nn.relu(haiku.Linear(width)(x))
                return haiku.Linear(self.n_out)(x)

        return Network

    def setting(widths: tuple[int, ...], kernel: str, prior: bool, rate: float, steps: int) -> Predict:
        def predict(x, y, new):
            fit_key, predict_key = gpax.utils.get_keys()
            model = gpax.viDKL(x.shape[1], z_dim=2, kernel=kernel, nn_prior=prior, nn=network(widths))
            model.fit(fit_key, x, y, num_steps=steps, step_size=rate, progress_bar=False, print_summary=False)
            parts = [model.predict(predict_key, new[start : start + BATCH]) for start in range(0, len(new), BATCH)]
            return tuple(np.concatenate([np.asarray(part[side]) for part in parts]) for side in (0, 1))

        return predict

    for widths, kernel, prior, rate, steps in (
        ((64, 64), "RBF", True, 5e-3, 1000),
        ((64, 64), "RBF", False, 5e-3, 1000),
        ((8,), "RBF", False, 5e-3, 1000),
        ((8,), "Matern", True, 1e-2, 3000),
        ((64, 64), "RBF", True, 5e-2, 1000),
        ((64, 64), "Matern", True, 5e-2, 3000),
    ):
        words = f"{widths} with{'' if prior else 'out'} a prior, {kernel}, {steps} steps of {rate:g}"
        yield words, setting(widths, kernel, prior, rate, steps)


def with_atomai() -> Iterator[tuple[str, Predict]]:
    """Settings in words, and `atomai.models.dklGPR` with them."""
    # Pretrained networks and image grids come from torchvision, in builds that must match torch's; DKL calls neither.
    names = {"": (), ".models": ("mobilenet_v2", "resnet50", "vgg16"), ".utils": ("make_grid",)}
    for name, functions in names.items():
        module = sys.modules[f"torchvision{name}"] = types.ModuleType(f"torchvision{name}")
        for function in functions:
            setattr(module, function, None)
    import atomai

    def setting(widths: tuple[int, ...], rate: float, cycles: int) -> Predict:
        def network(n_in: int, n_out: int):
            return atomai.nets.fcFeatureExtractor(n_in, n_out, hidden_dim=list(widths))

        def predict(x, y, new):
            model = atomai.models.dklGPR(x.shape[1], embedim=2, precision="double", seed=0, device="cpu")
            with contextlib.redirect_stdout(io.StringIO()):
                model.fit(x, y, training_cycles=cycles, lr=rate, feature_extractor=network)
            return model.predict(new, batch_size=BATCH)

        return predict

    for widths, rate, cycles in (
        ((1000, 500, 50), 1e-2, 100),
        ((8,), 1e-2, 300),
        ((64, 64), 1e-2, 300),
        ((1000, 500, 50), 1e-3, 300),
    ):
        yield f"{widths}, {cycles} cycles of {rate:g}", setting(widths, rate, cycles)


PROGRAMS = {"gpax": with_gpax, "atomai": with_atomai}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", choices=PROGRAMS)
    parser.add_argument("cards", type=Path)
    parser.add_argument("found", type=Path)
    parser.add_argument("--seconds", type=float, default=240.0)
    chosen = parser.parse_args()
    data = np.load(chosen.cards)
    pixels = data["images"].reshape(len(data["images"]), -1).astype(np.float64)
    begun = time.perf_counter()
    records, arrays = [], {}
    for settings, predict in PROGRAMS[chosen.program]():
        for target in (name.removeprefix("y_") for name in data.files if name.startswith("y_")):
            start = time.perf_counter()
            if start - begun > chosen.seconds:
                break
            y = data[f"y_{target}"]
            mean, variance = predict(pixels[data["rows"]], (y - y.mean()) / y.std(), pixels)
            arrays[f"mean_{len(records)}"] = mean * y.std() + y.mean()
            arrays[f"sd_{len(records)}"] = np.sqrt(np.maximum(variance, 0)) * y.std()
            record = {"target": target, "settings": settings, "seconds": time.perf_counter() - start}
            records.append(record)
            print(chosen.program, record, file=sys.stderr, flush=True)
    np.savez(chosen.found, records=json.dumps(records), **arrays)


if __name__ == "__main__":
    main()
