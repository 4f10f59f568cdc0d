"""One of the processes of test_together.py: trains one model of all files together with the others."""

import sys
from pathlib import Path

from napari_vae import ModelConfig, TrainConfig, batch
from napari_vae.training.processes import joined
from napari_vae.workflow import atoms

JOB = batch.Train(ModelConfig.preset("vae"), TrainConfig(epochs=1, device="cpu"))


def main(images, out):
    found, find_atoms = [], atoms.find_atoms

    def note(image, *rest):
        found.append(image.name)
        return find_atoms(image, *rest)

    atoms.find_atoms = note
    with joined("cpu") as group:
        outcomes = batch.train_on_all(JOB, images, out, group=group)
        told = [*found, *(f"{outcome.state} {outcome.message} {outcome.code}" for outcome in outcomes)]
        Path(f"{out}-{group.rank}.txt").write_text("\n".join(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
