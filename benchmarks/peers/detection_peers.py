"""What trackpy, scikit-image and Atomap detect; run by ``benchmarks/detection.py``.

    .venv-detection/bin/python detection_peers.py FOLDER

Needs the environment that ``setup.py --only detection`` makes and nothing of ours. FOLDER holds images ``NAME.npy``
and ``scales.json``: ``{NAME: {"spacing": px, "sigma": px}}``, the truth, which every program is told. Each is run with
several settings, of which the caller keeps the best by the truth. Written are ``found.json``, a list of what was run
and how long it took, and for entry k the table ``found-k.npy`` (y, x, brightness). CPU seconds are those of this
process. Atomap fits one atom after the other, so it sees the corner of CROP² pixels only.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import atomap.api as am
import hyperspy.api as hs
import numpy as np
import trackpy
from atomap.atom_finding_refining import get_atom_positions
from scipy.ndimage import gaussian_filter
from skimage.feature import peak_local_max

CROP = 320  # px
REPEATS = 3  # of the fast programs, of which the shortest counts
CLOSEST = 0.3  # of the spacing, between two maxima
trackpy.quiet()
hs.set_log_level("CRITICAL")  # a fit that fails is a position off, which counts


def with_trackpy(image: np.ndarray, spacing: float, diameter: float, noise: float) -> np.ndarray:
    """`trackpy.locate` with masks of a diameter near the spacing; the caller chooses the smallest mass."""
    table = trackpy.locate(
        image, int(diameter) // 2 * 2 + 1, minmass=0, separation=0.6 * spacing, noise_size=noise, engine="numba"
    )
    return table[["y", "x", "mass"]].to_numpy()


def with_scikit_image(image: np.ndarray, spacing: float, sigma: float, blur: float) -> np.ndarray:
    """`peak_local_max` of the blurred image, and the centre of mass of the disc around every maximum."""
    smooth = gaussian_filter(image, blur)
    peaks = peak_local_max(smooth, min_distance=int(CLOSEST * spacing), exclude_border=False)
    reach = round(1.5 * sigma)
    down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(smooth, reach, mode="reflect"), down.shape)
    disc = windows[peaks[:, 0], peaks[:, 1]]
    disc = (disc - disc.min((1, 2), keepdims=True)) * (down**2 + across**2 <= reach**2)
    shift = np.stack([(disc * down).sum((1, 2)), (disc * across).sum((1, 2))], 1) / disc.sum((1, 2))[:, None]
    return np.column_stack([peaks + shift, smooth[tuple(peaks.T)]])


def with_atomap(image: np.ndarray, spacing: float, blur: float, fit_blurred: bool) -> tuple[np.ndarray, float]:
    """Maxima of the blurred image, centres of mass, 2-D Gaussians; also the CPU seconds of the last step alone."""
    smooth = gaussian_filter(image, blur)
    peaks = get_atom_positions(hs.signals.Signal2D(smooth), separation=int(CLOSEST * spacing))
    lattice = am.Sublattice(peaks, image=smooth if fit_blurred else image)
    lattice.find_nearest_neighbors()
    lattice.refine_atom_positions_using_center_of_mass(show_progressbar=False)
    begun = time.process_time()
    lattice.refine_atom_positions_using_2d_gaussian(show_progressbar=False)
    seconds = time.process_time() - begun
    return np.column_stack([lattice.y_position, lattice.x_position, smooth[peaks[:, 1], peaks[:, 0]]]), seconds


def runs(spacing: float, sigma: float) -> Iterator[tuple[str, str, Callable[[np.ndarray], Any]]]:
    """Programs, their settings in words, and the call."""
    for share in (0.8, 1.0, 1.2):
        for noise in (1.0, sigma / 2, sigma):
            settings = {"diameter": share * spacing, "noise": noise}
            name = f"diameter {share:g} spacings, noise_size {noise:.1f}"
            yield "trackpy", name, lambda image, s=settings: with_trackpy(image, spacing, **s)
    for share in (0.5, 0.7, 1.0):
        blur = share * sigma
        yield "scikit-image", f"blur {share:g} σ", lambda image, b=blur: with_scikit_image(image, spacing, sigma, b)
    for fit_blurred in (False, True):
        name = "fit to the blurred image" if fit_blurred else "fit to the image"
        yield "Atomap", name, lambda image, f=fit_blurred: with_atomap(image, spacing, 0.7 * sigma, f)


def timed(call: Callable[[], Any], repeats: int) -> tuple[Any, float, float]:
    """The answer, and the shortest wall and CPU seconds."""
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        answer = call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return answer, min(walls), min(cpus)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    records: list[dict[str, Any]] = []
    for name, scale in json.loads((folder / "scales.json").read_text()).items():
        whole = np.load(folder / f"{name}.npy").astype(np.float64)
        for program, settings, call in runs(scale["spacing"], scale["sigma"]):
            slow = program == "Atomap"
            image = whole[:CROP, :CROP] if slow else whole
            if not slow:
                call(image)  # compiles what is compiled
            answer, wall, cpu = timed(lambda call=call, image=image: call(image), 1 if slow else REPEATS)
            found, fit = answer if slow else (answer, None)
            found = np.asarray(found, dtype=float)  # Atomap gives objects where a fit failed
            np.save(folder / f"found-{len(records)}.npy", found[np.isfinite(found).all(axis=1)])
            record = {"image": name, "program": program, "settings": settings, "shape": image.shape}
            records.append(record | {"seconds": wall, "cpu": cpu, "fit_cpu": fit})
    (folder / "found.json").write_text(json.dumps(records))


if __name__ == "__main__":
    main()
