"""What is measured of a crystal, against the truth of simulated micrographs.

    python benchmarks/crystal.py [--seeds 3] [--size 640]

Graphene and a perovskite with 1 % vacancies, 2 % dopants, static displacements, scan jitter and drift, as the samples
have them by default; for the strain a smooth random strain of at most 5 % is added and nothing else moves the atoms.
Atoms are detected and their sublattices told apart with all settings left alone. Prints a markdown table of the median
and the worst of the seeds.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.spatial import cKDTree

import napari_vae as nv

NEAR = 4.0  # px, within which a found atom or vacancy is a true one
EDGE = 16.0  # px; true vacancies nearer to the edge of the image need not be found
STRAINED = {"strain_field": 0.05, "displacement": 0.0, "polar": 0.0, "dopants": 0.0}


def described(
    kind: str, size: int, seed: int, **options: float
) -> tuple[nv.crystal.Crystal, object, np.ndarray, np.ndarray]:
    """The crystal, the truth, and for every atom the row of the truth and whether it is there."""
    image, truth = nv.samples.micrograph(kind, size=size, seed=seed, **options)
    crystal = nv.describe_crystal(nv.assign_sublattices(nv.detect_atoms(image)), image)
    distance, row = cKDTree(truth[["y", "x"]]).query(crystal.atoms[["y", "x"]])
    return crystal, truth, row, distance < NEAR


def lattice_figures(kind: str, size: int, seed: int) -> dict[str, float]:
    """How far the lattice is from the one that was simulated, without drift, which would be measured as strain."""
    crystal, *_ = described(kind, size, seed, drift=0.0)
    found, true = crystal.lattice, simulated_lattice(kind)
    errors = np.array([found.a_err, found.b_err])
    off = np.abs(found.vectors - true.vectors)
    return {
        "lattice vectors: error, px": float(np.sqrt((off**2).mean())),
        "lattice vectors: stated error, px": float(np.sqrt((errors**2).mean())),
        "spacing: error, px": abs(
            found.spacing - true.spacing * (1 / np.sqrt(3) if kind == "graphene" else np.sqrt(0.5))
        ),
        "spacing: stated error, px": found.spacing_err,
        "angle: error, °": abs(found.angle - true.angle),
        "angle: stated error, °": found.angle_err,
    }


def simulated_lattice(kind: str) -> nv.crystal.Lattice:
    """The lattice of a sample, turned by 7° counter-clockwise on screen, in pixels."""
    cell = {
        "graphene": 0.142 / 0.0115 * np.array([[0, np.sqrt(3)], [1.5, np.sqrt(3) / 2]]),
        "perovskite": 0.39 / 0.012 * np.eye(2),
    }[kind]
    cos, sin = np.cos(np.deg2rad(7)), np.sin(np.deg2rad(7))
    a, b = cell @ np.array([[cos, sin], [-sin, cos]])
    return nv.crystal.Lattice.ideal(tuple(a), tuple(b))


def vacancy_figures(crystal: nv.crystal.Crystal, truth: object, size: int) -> dict[str, float]:
    """Share of the listed vacancies that are true, and of the true ones that are listed."""
    true, found = np.array(truth.attrs["vacancies"]), crystal.vacancies[["y", "x"]].to_numpy()
    inside = true[((true > EDGE) & (true < size - 1 - EDGE)).all(axis=1)]
    return {
        "vacancies: precision": float((cKDTree(true).query(found)[0] < NEAR).mean()),
        "vacancies: recall": float((cKDTree(found).query(inside)[0] < NEAR).mean()),
    }


def correlation(found: np.ndarray, true: np.ndarray) -> float:
    known = np.isfinite(found)
    return float(np.corrcoef(found[known], true[known])[0, 1])


def measure(kind: str, size: int, seed: int) -> dict[str, float]:
    """All figures of one sample."""
    crystal, truth, row, there = described(kind, size, seed)
    atoms, true = crystal.atoms[there], truth.iloc[row[there]]
    figures = lattice_figures(kind, size, seed) | vacancy_figures(crystal, truth, size)
    static = np.concatenate([true[f"d{axis}"] - true[f"polar_{axis}"] for axis in "yx"])
    figures["displacement: correlation"] = correlation(
        np.ravel(atoms[["displacement_y", "displacement_x"]], "F"), static
    )
    if kind == "perovskite":
        second = (true["sublattice"] == 1).to_numpy()
        polar = np.ravel(atoms.loc[second, ["polarisation_y", "polarisation_x"]], "F")
        figures["polarisation of B: correlation"] = correlation(polar, np.ravel(true.loc[second, ["dy", "dx"]], "F"))
    electrons = (true["peak"] * 2 * np.pi * true["sigma"] ** 2).to_numpy() + 10 * atoms["cell_area"].to_numpy()
    figures["intensity: correlation"] = correlation(atoms["intensity"].to_numpy(), electrons)
    crystal, truth, row, there = described(kind, size, seed, **STRAINED)
    atoms, true = crystal.atoms[there], truth.iloc[row[there]]
    for name, of in (("strain_xx", "strain_xx"), ("strain_xy", "strain_xy"), ("dilation", "dilation")):
        figures[f"{name}: R²"] = correlation(atoms[name].to_numpy(), true[of].to_numpy()) ** 2
    figures["local_rotation: R²"] = correlation(atoms["local_rotation"].to_numpy(), true["rotation"].to_numpy()) ** 2
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="micrographs of each sample")
    parser.add_argument("--size", type=int, default=640, help="rows and columns of the micrographs")
    chosen = parser.parse_args()
    runs = {
        kind: [measure(kind, chosen.size, seed) for seed in range(chosen.seeds)] for kind in ("graphene", "perovskite")
    }
    print("| what | graphene, median | worst | perovskite, median | worst |")
    print("|---|---|---|---|---|")
    for name in runs["perovskite"][0]:
        cells = []
        for kind in runs:
            values = [run[name] for run in runs[kind] if name in run]
            worst = max if "error" in name else min
            cells += [f"{np.median(values):.4f}", f"{worst(values):.4f}"] if values else ["", ""]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
