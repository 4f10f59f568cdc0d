"""What the classes of the tour are: the built-in graphene with the settings of the window, against the truth.

python benchmarks/tour.py
"""

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

import napari_vae as nv


def kinds(atoms, truth):
    """What every atom is, or beside what it lies."""
    places = truth[["y", "x"]].to_numpy()
    distance, rows = cKDTree(places).query(atoms[["y", "x"]].to_numpy())
    spacing = np.median(cKDTree(places).query(places, k=2)[0][:, 1])
    kind = truth["species"].to_numpy(dtype=object)[rows]
    carbon = kind == "C"
    for species in ("N", "Si"):
        dopants = places[(truth["species"] == species).to_numpy()]
        near = cKDTree(dopants).query(places[rows])[0] < 1.3 * spacing
        kind[carbon & near] = f"beside {species}"
    kind[carbon & (truth["vacant_neighbours"].to_numpy()[rows] > 0)] = "beside a vacancy"
    return np.where(distance < spacing / 2, kind, "no atom")


def main():
    image, truth = nv.samples.micrograph("graphene")
    latents = nv.analyze(image, model="rvae").latents
    print(pd.crosstab(latents["class"], kinds(latents, truth), rownames=["class"]).to_string())


if __name__ == "__main__":
    main()
