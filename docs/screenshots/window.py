"""Take a screenshot of a napari window of a laptop's size with one of the dock widgets open.

xvfb-run -a -s "-screen 0 1920x1200x24" python docs/screenshots/window.py detect out.png
"""

import argparse
import tempfile
from pathlib import Path

import napari
import numpy as np
from napari.settings import get_plugin_settings
from pictures import SIZE, shoot, wait

STAGES = (
    "detect",
    "dark",
    "few",
    "crystal",
    "train",
    "advanced",
    "suggested",
    "labels",
    "training",
    "trained",
    "angles",
    "learning",
    "instrument",
    "batch",
)


def open_viewer(sample):
    get_plugin_settings(path_dir=None)  # forms as they open for the first time
    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    viewer.window.resize(*SIZE)
    viewer.open_sample("napari-vae", sample)
    viewer.canvas.overlays.scale_bar.visible = True
    wait(0.5)
    return viewer


def wait_for(job, limit=900):
    for _ in range(limit * 10):
        wait(0.1)
        if not job.running:
            break
    wait(0.5)


def dock(viewer, name):
    return viewer.window.add_plugin_dock_widget("napari-vae", name, tabify=True)[1].finish()


def stage(viewer, name, epochs):
    if name == "batch":
        work_through(viewer)
        return
    if name == "dark":
        image = viewer.layers[0]
        image.data = image.data.max() - image.data
        image.reset_contrast_limits()
    detect = dock(viewer, "Detect atoms")
    wait(1.5)
    wait_for(detect.preview_job)
    if name in ("dark", "few"):
        viewer.scene.camera.zoom *= 4
    if name == "few":
        detect.form.threshold.slider.setValue(600)
        detect.detect()
        wait_for(detect.job)
    if name in ("detect", "dark", "few"):
        return
    if name in ("crystal", "learning"):
        detect.form.sublattices.setCurrentIndex(1)
    detect.detect()
    wait_for(detect.job)
    if name == "crystal":
        measure_crystal(viewer, detect)
        return
    if name in ("learning", "instrument"):
        learn(viewer, detect, typed=name == "instrument")
        return
    train = dock(viewer, "Train VAE")
    wait(0.5)
    if name == "advanced":
        train.advanced.expand(animate=False)
        wait(0.5)
    if name == "suggested":
        train.suggest()
        wait_for(train.job)
        wait(1)
    if name == "labels":
        label_some(train)
        viewer.scene.camera.zoom *= 2
        wait(0.5)
    if name in ("training", "trained", "angles", "labels") and epochs >= 0:
        train.model.training["epochs"].setValue(epochs)
        train.train()
        if name == "training":
            wait(40)
            return
        wait_for(train.job)
        wait(3)
        viewer.reset_view()
        wait(1)
    if name == "angles":
        explore_angles(viewer)


def explore_angles(viewer):
    """The columns by the angle of their window, on the plot and on the canvas."""
    explore = dock(viewer, "Explore latents")
    wait(1)
    explore.color.setCurrentText("angle")
    image, points = explore.axes.image.layer(), explore.layer_box.layer()
    for layer in viewer.layers:
        layer.visible = layer in (image, points)
    viewer.canvas.overlays.scale_bar.visible = True
    viewer.scene.camera.center = (0, *np.mean(image.extent.world, axis=0))
    viewer.scene.camera.zoom = 0.95 * viewer.canvas.size[0] / np.ptp(image.extent.world[:, 0])
    wait(2)


def work_through(viewer):
    """Detect the atoms of a folder of images, one of which is none, and open one."""
    import napari_vae as nv

    viewer.layers.clear()
    folder = Path(tempfile.mkdtemp())
    for number in range(9):
        image, _ = nv.samples.micrograph("graphene", size=256, seed=number)
        nv.write_image(image.data, folder / f"graphene {number}.tif", pixel_size=image.pixel_size, units="nm")
    (folder / "notes.tif").write_text("no image")
    batch = dock(viewer, "Batch")
    batch.form.files.setText(str(folder))
    batch.form.out.setText(str(folder / "results"))
    batch.start()
    wait_for(batch.job)
    batch.table.selectRow(2)
    batch.open_chosen()
    wait_for(batch.open_job)


def measure_crystal(viewer, detect):
    """Open the section, measure, and scroll to it."""
    section = detect.crystal.parent().parent()
    section.expand(animate=False)
    detect.crystal.measure()
    wait_for(detect.crystal.job)
    viewer.scene.camera.zoom *= 3
    detect.verticalScrollBar().setValue(detect.verticalScrollBar().maximum())
    wait(1)


def learn(viewer, detect, typed):
    """Look for the most polarised columns, or let the user measure."""
    if not typed:
        detect.crystal.measure()
        wait_for(detect.crystal.job)
        for layer in list(viewer.layers)[1:]:
            layer.visible = False
    widget = dock(viewer, "Active learning")
    wait(0.5)
    target = widget.form.target.target
    target.choose(target.EXTRA if typed else "polarisation_x")
    widget.plan.budget.setValue(40)
    widget.run()
    wait_for(widget.job)
    if typed:
        viewer.scene.camera.zoom *= 3
    wait(1)


def label_some(train):
    """Ten columns of each sublattice in the middle of the picture, by the buttons."""
    train.model.choose("ss-rvae")
    points = train.data.atoms.layer()
    middle = points.data.mean(axis=0)
    near = ((points.data - middle) ** 2).sum(axis=1).argsort()[:100]
    near = near[points.features["amplitude"].to_numpy()[near].argsort()]
    for word, rows in (("A", near[-50::5]), ("B", near[:50:5])):
        points.selected_data = set(rows.tolist())
        train.labels.name.setText(word)
        train.labels.label_button.click()
    points.selected_data = set()
    wait(0.5)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("picture")
    parser.add_argument("--sample", default="graphene")
    parser.add_argument("--epochs", type=int, default=0, help="0: automatic; negative: none")
    options = parser.parse_args()
    viewer = open_viewer(options.sample)
    stage(viewer, options.stage, options.epochs)
    shoot(options.picture)
    viewer.close()


if __name__ == "__main__":
    main()
