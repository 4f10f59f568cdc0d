"""Go through “Getting started” with mouse and keyboard, as its text says, and take its pictures, one for each click.

xvfb-run -a -s "-screen 0 1920x1200x24" python docs/screenshots/tour.py docs/images
"""

import argparse
import tempfile
from pathlib import Path

import napari
from hands import choose, dock_named, open_section, press, type_path
from napari.settings import get_plugin_settings
from pictures import SIZE, save, shoot, shoot_menu, wait
from PIL import Image

from window import wait_for

SAMPLE = "Graphene, simulated STEM image"
CLOSER = 3.5  # so that single atoms are seen


def tour(viewer, folder):
    shoot_menu(folder / "tour-open-sample.png", "File", "Open Sample", "napari-vae", SAMPLE)
    choose("File", "Open Sample", "napari-vae", SAMPLE)
    viewer.canvas.overlays.scale_bar.visible = True
    wait(1)
    shoot_menu(folder / "tour-plugins.png", "Plugins", "napari-vae", "Detect atoms (napari-vae)")
    find_atoms(viewer, folder)
    train_model(viewer, folder)
    explore(viewer, folder)


def find_atoms(viewer, folder):
    choose("Plugins", "napari-vae", "Detect atoms (napari-vae)")
    detect = dock_named("DetectWidget")
    wait(1.5)
    wait_for(detect.preview_job)
    viewer.scene.camera.zoom *= CLOSER
    shoot(folder / "tour-detect.png")
    press(detect, "Detect")
    wait_for(detect.job)
    shoot(folder / "tour-atoms.png")


def train_model(viewer, folder):
    choose("Plugins", "napari-vae", "Train VAE (napari-vae)")
    train = dock_named("TrainWidget")
    wait(1)
    shoot(folder / "tour-model.png")
    press(train, "Train")
    wait_for_loss(train)
    shoot(folder / "tour-training.png")
    wait_for(train.job)
    wait(3)
    viewer.reset_view()
    shoot(folder / "window.png")


def wait_for_loss(train, epochs=4, limit=120):
    """Until some epochs are done and drawn, or the training has ended."""
    done = []
    train.job.progressed.connect(lambda event: done.append(len(getattr(event, "history", ()))))
    for _ in range(limit * 10):
        wait(0.1)
        if (done and done[-1] >= epochs) or not train.job.running:
            break


def explore(viewer, folder):
    choose("Plugins", "napari-vae", "Explore latents (napari-vae)")
    widget = dock_named("ExploreWidget")
    viewer.scene.camera.zoom *= CLOSER
    wait(2)
    shoot(folder / "tour-explore.png")
    open_section(widget, "Figures and tables")
    widget.verticalScrollBar().setValue(widget.verticalScrollBar().maximum())
    shoot(folder / "tour-figures.png")
    with tempfile.TemporaryDirectory() as figures:
        type_path(figures)
        press(widget, "Save figures …")
        wait(1)
        wait_for(widget.figures.job)
        (overlay,) = Path(figures).glob("overlay-*.png")
        save(Image.open(overlay), folder / "tour-overlay.png")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    get_plugin_settings(path_dir=None)  # forms as they open for the first time
    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    viewer.window.resize(*SIZE)
    wait(1)
    tour(viewer, folder)
    viewer.close()


if __name__ == "__main__":
    main()
