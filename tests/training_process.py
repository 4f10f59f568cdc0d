"""One of the processes of test_processes.py: trains what is named, and the first one writes what came of it."""

import sys
from pathlib import Path

import numpy as np

from napari_vae import ModelConfig, TrainConfig, samples
from napari_vae.core.errors import InputError
from napari_vae.core.progress import drain
from napari_vae.training.fit import fit, iter_fit
from napari_vae.training.processes import joined

STOP_AT = 3
CARDS = samples.cards(12, max_angle=40, size=16)
SOME = np.where(np.arange(len(CARDS.images)) % 3, -1, CARDS.suit)
TRAIN = TrainConfig(epochs=4, batch_size=10, learning_rate=1e-3, device="cpu")
TRAININGS = {
    "rvae": (ModelConfig.preset("rvae", hidden=(16, 16)), TRAIN, {}),
    "ss-vae": (ModelConfig.preset("ss-vae", hidden=(16, 16), n_classes=4), TRAIN, {"labels": SOME}),
}


def images():
    return CARDS.images


def main(folder, *names):
    with joined("cpu") as group:
        for name in names:
            config, train, given = TRAININGS[name]
            run = fit(images(), config, train, group=group, **given)
            steps = iter([False] * (STOP_AT - 1) + [True])
            stop = (lambda: False) if group.first else (lambda steps=steps: next(steps))
            ended = drain(iter_fit(images(), config, train, group=group, stop=stop, **given))
            if group.first:
                told = {key: value.numpy() for key, value in run.state().items()}
                np.savez(
                    Path(folder) / f"{name}.npz",
                    ranks=[group.rank],
                    held_out=run.history["held_out"],
                    stopped_at=ended.history["step"].iloc[-1],
                    **told,
                )
        try:
            fit(images() * (0.5 if group.first else 1), TRAININGS["rvae"][0], TRAIN, group=group)
        except InputError as error:
            Path(folder, f"refused-{group.rank}.txt").write_text(str(error))
    if sys.platform == "linux":
        names = [task.joinpath("comm").read_text() for task in Path("/proc/self/task").iterdir()]
        Path(folder, f"left-{group.rank}.txt").write_text("".join(name for name in names if "gloo" in name))


if __name__ == "__main__":
    main(*sys.argv[1:])
