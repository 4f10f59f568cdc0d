"""How long ferroelectric trajectories take, next to a loop over sites and to the 50 s of the paper.

    python benchmarks/dkl/ferroelectric_speed.py [--device cpu]

Trajectories are those of Valleti et al. (arXiv 2303.14554): 900 points of time, a lattice of 20 × 20 sites with 15 %
defects; they report 50 s for each, on another machine. The loop over sites is the same model written out in NumPy and
double precision, one site after the other. Prints how far the end of a trajectory is from what the loop makes of it,
how far steps of half the length lead elsewhere, and milliseconds per trajectory by the number of lattices at once, the
fastest of three runs of 1024 trajectories; the last row is all 7500 in one call, once.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np
import torch

from napari_vae import samples
from napari_vae.samples import Ferroelectric

PAPER_SECONDS, BAR_MS = 50, 50
CHUNKS = (16, 64, 128, 256, 512, 1024)
CASES = (
    ("tetragonal, the default", Ferroelectric(), 900),
    ("rhombohedral, periodic", Ferroelectric(10, "rhombohedral", periodic=True), 1800),
    ("square, depolarised, coupling 3", Ferroelectric(10, "square", coupling=3, depolarization=0.5), 300),
)


def site_by_site(lattice: Ferroelectric, field: np.ndarray) -> np.ndarray:
    """The state (n, n, 2) after a trajectory (T,) along y, one site after the other."""
    a1, a2, a3 = lattice.coefficients
    n, step = lattice.n, 1 / (len(field) - 1)
    local = lattice.coercive_field * lattice.defect_fields().astype(float)
    state = np.full((n, n, 2), [-lattice.remnant, 0.0])
    for strength in field[1:]:
        following, mean = np.empty_like(state), state.mean((0, 1))
        for i in range(n):
            for j in range(n):
                around = np.zeros(2)
                for r, c in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
                    if lattice.periodic or (0 <= r < n and 0 <= c < n):
                        around += state[r % n, c % n]
                p = state[i, j]
                slope = 2 * a1 * p + 4 * a2 * p**3 + 2 * a3 * p[::-1] ** 2 * p
                slope += lattice.coupling * (p - around / 4) + lattice.depolarization * mean - local[i, j]
                slope[0] -= lattice.coercive_field * strength
                following[i, j] = p - step * slope
        state = following
    return state


def agreement() -> float:
    """Print the table of differences; return the seconds that the loop takes for a trajectory of the paper."""
    seconds = {}
    print("| lattice | points of time | largest difference of P | largest P | loop, s |\n|---|---|---|---|---|")
    for name, lattice, points in CASES:
        field = samples.field_trajectories(8, points, seed=1).field
        strongest = field[np.abs(field).max(1).argmax()]
        start = time.perf_counter()
        expected = site_by_site(lattice, strongest)
        seconds[name] = time.perf_counter() - start
        state = lattice.drive(strongest[None], device="cpu").state[0]
        worst, largest = np.abs(state - expected).max(), np.abs(expected).max()
        print(f"| {name} | {points} | {worst:.1e} | {largest:.2f} | {seconds[name]:.1f} |")
    return seconds[CASES[0][0]]


def convergence(count: int = 40) -> None:
    """Print the largest change when every step is taken as two, in standard deviations over the trajectories."""
    field = samples.field_trajectories(count, seed=1).field
    points = field.shape[1]
    halves = np.linspace(0, points - 1, 2 * points - 1)
    finer = np.array([np.interp(halves, np.arange(points), row) for row in field])
    one, two = (Ferroelectric(seed=1).drive(some, device="cpu") for some in (field, finer))
    print("\n| of | largest change by steps of half the length, sd |\n|---|---|")
    for name in ("curl", "polarization"):
        before, after = getattr(one, name), getattr(two, name)
        print(f"| {name} | {np.abs(after - before).max() / before.std():.4f} |")


def milliseconds(field: np.ndarray, device: str, chunk: int | None) -> float:
    """Wall time per trajectory of one call."""
    start = time.perf_counter()
    Ferroelectric().drive(field, chunk=chunk, device=device)
    return 1000 * (time.perf_counter() - start) / len(field)


def row(name: str, ms: float, loop: float) -> str:
    """One line of the table of times."""
    met = "yes" if ms <= BAR_MS else "**no**"
    ratios = f"{1000 * loop / ms:,.0f} | {1000 * PAPER_SECONDS / ms:,.0f}"
    return f"| {name} | {ms:.2f} | {7.5 * ms:.1f} | {ratios} | ≤ {BAR_MS} | {met} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    device = parser.parse_args().device
    loop = agreement()
    convergence()
    field = samples.field_trajectories(7500).field
    print(f"\n{device}, {torch.get_num_threads()} threads\n")
    print("| at once | ms each | 7500 take, s | loop/ours | paper/ours | bar, ms | met |\n" + "|---" * 7 + "|")
    for chunk in CHUNKS:
        print(row(str(chunk), min(milliseconds(field[:1024], device, chunk) for _ in range(3)), loop), flush=True)
    print(row("all 7500, default", milliseconds(field, device, None), loop))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 ** (3 if sys.platform == "darwin" else 2)
    print(f"\nPeak memory of the process, torch included: {peak:.2f} GiB")


if __name__ == "__main__":
    main()
