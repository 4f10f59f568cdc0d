"""Every real micrograph at hand with one set of defaults: what is found, what is right, what the program says.

    python benchmarks/peers/setup.py --only detection && python benchmarks/real.py [--only NAME] [--json FILE]

The images are looked for in the folder NAPARI_VAE_DATA, by default ``../shared/data``. Numbers of the detection were
set on simulated images, but a few of them while these were looked at (docs/detection.md). Labels count in the box and
within the radius given in ``benchmarks/truth/micrographs.py``. The other programs get the spacing and width of the
columns, and keep the best of their settings by the labels; ours gets the image alone.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import napari_vae as nv
from peers.detected import detect_with_others
from peers.setup import DETECTION
from truth.labels import DATA
from truth.matching import spacing_of
from truth.micrographs import Known, agreement, micrographs

WIDTH = 0.22  # of the spacing, σ of the columns that the other programs are given


def row(known: Known) -> dict[str, Any]:
    """What the defaults give on one image."""
    begun = time.perf_counter()
    atoms = nv.detect_atoms(known.image)
    seconds = time.perf_counter() - begun
    about, points = atoms.attrs["napari_vae"], atoms[["y", "x"]].to_numpy()
    count = int(known.counts(points).sum())
    result: dict[str, Any] = {"image": known.name, "atoms": count, "polarity": about["polarity"]}
    result |= {"spacing": round(about["spacing"], 1), "precision": None, "recall": None, "F1": None}
    right = [] if known.polarity is None else [known.polarity == about["polarity"]]
    if known.count is not None:
        right.append(known.count[0] <= count <= known.count[1])
    if known.spacing is not None:
        right.append(known.spacing[0] <= about["spacing"] <= known.spacing[1])
    if known.labels is not None:
        agreed = agreement(known, points)
        result |= {"precision": agreed.precision, "recall": agreed.recall, "F1": agreed.f1}
        right += [] if known.bar is None else [agreed.f1 >= known.bar]
    says = "; ".join(
        f"{key}: {about[key]}" for key in ("sure", "alternatives", "doubt") if about.get(key) not in (None, [], "")
    )
    return result | {"right": all(right) if known.is_judged else None, "says": says, "seconds": seconds}


def others(images: list[Known]) -> dict[str, dict[str, float]]:
    """F1 of the other programs on the labelled lattices, each at the best of its settings."""
    wanted = {}
    for known in images:
        if known.labels is None or known.bar is None:  # single atoms have no spacing to tell the programs
            continue
        top, left, bottom, right = (int(n) for n in known.box or (0, 0, *known.shape))
        part = np.asarray(getattr(known.image, "data", known.image), dtype=float)[top:bottom, left:right]
        part = (part - part.min()) / np.ptp(part)  # heights of 1e-10 are nothing to some of them
        truth = pd.DataFrame(known.labels - (top, left), columns=["y", "x"])
        truth = truth[((truth >= 0) & (truth <= np.array(part.shape) - 1)).all(axis=1)].reset_index(drop=True)
        wanted[known.name] = (part, truth.assign(sigma=WIDTH * spacing_of(truth.to_numpy())))
    found = detect_with_others(wanted)
    return {name: {one.program: one.judged.agreement.f1 for one in programs} for name, programs in found.items()}


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as a table of Markdown."""
    head = list(rows[0])
    lines = [head, ["---"] * len(head), *([_cell(one.get(key)) for key in head] for one in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "**no**"}[value]
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="images whose name holds this")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    chosen = parser.parse_args()
    if not (DATA / "lattices").is_dir():
        print(f"There are no real images in {DATA}; name their folder in NAPARI_VAE_DATA.")
        return
    images = [known for known in micrographs() if chosen.only.lower() in known.name.lower()]
    rows = []
    for known in images:
        rows.append(row(known))
        print(f"{known.name}: {rows[-1]['atoms']} atoms, {rows[-1]['seconds']:.1f} s", flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=1))
    print("\nDefaults, nothing set\n")
    print(table(rows))
    scored = [one["F1"] for one, known in zip(rows, images, strict=True) if known.bar is not None]
    for folder in ("acstem", "re_bpy"):
        single = [one["F1"] for one in rows if one["image"].startswith(folder)]
        if single:
            print(f"\n{folder}: mean F1 {np.mean(single):.3f}")
    if scored:
        print(f"\nlabelled lattices: mean F1 {np.mean(scored):.3f}")
    print(f"\nright: {sum(one['right'] is True for one in rows)} of {sum(one['right'] is not None for one in rows)}")
    if DETECTION.is_ready():
        peers = others(images)
        print("\nF1 of other programs, which know spacing and width, at the best of their settings\n")
        ours = {one["image"]: one["F1"] for one in rows}
        print(table([{"image": name, "ours": ours[name], **programs} for name, programs in peers.items()]))
    else:
        print("\nOther programs are left out; run `python benchmarks/peers/setup.py --only detection` first.")


if __name__ == "__main__":
    main()
