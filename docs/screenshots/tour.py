"""Go through “Getting started” and take its pictures, one for each click.

xvfb-run -a -s "-screen 0 1920x1200x24" python docs/screenshots/tour.py docs/images
"""

import argparse
import tempfile
from pathlib import Path

import napari
from napari.settings import get_plugin_settings
from pictures import SIZE, save, shoot, shoot_menu, wait
from PIL import Image

from window import dock, wait_for

SAMPLE = "Graphene, simulated STEM image"
CLOSER = 3.5  # so that single atoms are seen


def tour(viewer, folder):
    shoot_menu(folder / "tour-open-sample.png", "File", "Open Sample", "napari-vae", SAMPLE)
    viewer.open_sample("napari-vae", "graphene")
    viewer.canvas.overlays.scale_bar.visible = True
    wait(1)
    shoot_menu(folder / "tour-plugins.png", "Plugins", "napari-vae", "Detect atoms (napari-vae)")
    find_atoms(viewer, folder)
    train_model(viewer, folder)
    explore(viewer, folder)


def find_atoms(viewer, folder):
    detect = dock(viewer, "Detect atoms")
    wait(1.5)
    wait_for(detect.preview_job)
    viewer.scene.camera.zoom *= CLOSER
    shoot(folder / "tour-detect.png")
    detect.detect()
    wait_for(detect.job)
    shoot(folder / "tour-atoms.png")


def train_model(viewer, folder):
    train = dock(viewer, "Train VAE")
    wait(1)
    shoot(folder / "tour-model.png")
    train.train()
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
    widget = dock(viewer, "Explore latents")
    viewer.scene.camera.zoom *= CLOSER
    wait(2)
    shoot(folder / "tour-explore.png")
    widget.sections["Figures and tables"].expand(animate=False)
    wait(0.5)
    widget.verticalScrollBar().setValue(widget.verticalScrollBar().maximum())
    shoot(folder / "tour-figures.png")
    with tempfile.TemporaryDirectory() as figures:
        widget.figures.save_figures(figures)
        wait_for(widget.figures.job)
        save(Image.open(Path(figures) / "overlay-class.png"), folder / "tour-overlay.png")


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
