"""The form of Train VAE: the window on the canvas, models by name, choices that are remembered, words on controls."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from qtpy.compat import isalive
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLabel, QSpinBox

import napari_vae
import napari_vae.widgets.train.dock as train_module
from napari_vae.atoms.recipe import Options
from napari_vae.core.fields import settings_of
from napari_vae.core.settings import allowed
from napari_vae.learning.config import DeepKernelConfig, ExplorationConfig
from napari_vae.models.config import INVARIANCES, ModelConfig, TrainConfig
from napari_vae.widgets.common.canvas import WindowSquare
from napari_vae.widgets.common.progress_box import duration
from napari_vae.widgets.common.setting_controls import control_of, set_value, values_of
from training_widget import LONG

MANIFEST = Path(napari_vae.__file__).parent / "napari.yaml"


def sides(square):
    """Lengths of the sides on the canvas, in px."""
    corners = np.array([place.toTuple() for place in square.places()])
    return np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)


@pytest.mark.own_window
def test_window_is_suggested_and_drawn(viewer, scene, open_widget, qtbot):
    widget = open_widget("Train VAE")
    layers = list(viewer.layers)
    assert widget.data.window_px.value() == 24
    viewer.window.show()
    window = widget.findChild(WindowSquare)
    qtbot.waitUntil(lambda: window.square is not None and window.square.isVisible(), timeout=LONG)
    pixel = 0.02 * viewer.scene.camera.zoom
    assert np.allclose(sides(window.square), 24 * pixel)
    widget.data.window_px.setValue(30)
    qtbot.waitUntil(lambda: np.allclose(sides(window.square), 30 * pixel), timeout=LONG)
    middle = np.mean([place.toTuple() for place in window.square.places()], axis=0)
    assert np.abs(middle - window.square.rect().center().toTuple()).max() < 30 * pixel  # about the atom in the middle
    assert list(viewer.layers) == layers
    widget.hide()
    assert not window.square.isVisible()


def test_presets_and_check_boxes_agree(open_widget):
    form = open_widget("Train VAE").model
    for i in range(form.preset.count() - 1):
        form.preset.setCurrentIndex(i)
        preset = ModelConfig.preset(form.preset.currentData())
        assert form.model() == replace(preset, n_classes=2 if preset.kind == "joint" else None)
    form.choose("strain-rvae")
    assert [name for name in INVARIANCES if form.checks[name].isChecked()] == ["rotation", "strain"]
    form.checks["strain"].setChecked(False)
    assert form.preset.currentData() == "rvae"
    form.checks["scale"].setChecked(True)
    assert form.preset.currentText() == "as ticked above" and form.model().name == "rsvae"
    form.checks["scale"].setChecked(False)
    form.kind.setCurrentIndex(form.kind.findData("semi-supervised"))
    assert form.preset.currentData() == "ss-rvae"


def test_controls_have_the_words_limits_and_default_of_their_fields(open_widget):
    form, learn = open_widget("Train VAE").model, open_widget("Active learning")
    kernel = learn.form.kernel
    of_model = {"kind": form.kind, "n_classes": form.n_classes, "latent_dim": form.latent_dim}
    of_network = {name: control for name, control in kernel.controls.items() if name != "device"}
    detect, batch = open_widget("Detect atoms").form, open_widget("Batch").form
    by_config = [(ModelConfig, of_model), (TrainConfig, form.training), (DeepKernelConfig, of_network)]
    by_config += [(Options, {"polarity": detect.polarity, "method": detect.method})]
    by_config += [(ExplorationConfig, {"acquisition": learn.plan.acquisition, "kappa": kernel.kappa})]
    by_config += [(Options, {"polarity": batch.polarity}), (TrainConfig, {"epochs": batch.epochs})]
    for config, controls in by_config:
        for name, control in controls.items():
            setting = settings_of(config)[name]
            assert control.toolTip() == setting.text and control.accessibleName() == setting.title, name
            if isinstance(control, QComboBox):
                entries = {control.itemData(i): control.itemText(i) for i in range(control.count())}
                assert entries == setting.choices and control.currentData() == setting.default
            elif isinstance(control, QSpinBox | QDoubleSpinBox):
                for value in (control.minimum() + setting.automatic, control.maximum()):
                    assert allowed(value, setting.annotation), (name, value)
                assert setting.default in ("auto", None, control.value()) or name == "embedding_dim"
    assert values_of(form.training) == {name: getattr(TrainConfig(), name) for name in form.training}
    assert form.latent_dim.maximum() == 64 and form.training["epochs"].text() == "automatic"


def test_preferences_of_napari_allow_what_the_controls_do(open_widget):
    sections = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))["contributions"]["configurations"]
    batch = open_widget("Batch").form
    kept = {
        "training": open_widget("Train VAE").model.kept,
        "learning": open_widget("Active learning").form.kernel.kept,
    }
    for section, controls in {**kept, "batch": {"epochs": batch.epochs, "model": batch.model}}.items():
        for name, control in controls.items():
            kept = sections[section]["properties"][name]
            if isinstance(control, QComboBox):
                assert kept["enum"] == [control.itemData(i) for i in range(control.count())], name
                assert kept["default"] == control.currentData()
            elif not isinstance(control, QCheckBox):
                assert (kept["minimum"], kept["maximum"]) == (control.minimum(), control.maximum()), name
                assert kept["default"] == control.value(), name


def test_choices_are_remembered(viewer, scene, show_widget, remembered):
    from qtpy.QtCore import QCoreApplication, QEvent

    from napari_vae.widgets.common.setting_controls import PLUGIN
    from napari_vae.widgets.detect.dock import DetectWidget
    from napari_vae.widgets.train.dock import TrainWidget

    def close(widget):
        widget.deleteLater()
        QCoreApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete)

    train, detect = TrainWidget(viewer), DetectWidget(viewer)
    assert train.model.model() == ModelConfig.preset("rvae") and train.model.train() == TrainConfig()
    assert detect.form.request().sublattices == 1 and detect.form.request().refine
    train.model.choose("strain-rvae")
    train.model.latent_dim.setValue(3)
    train.model.training["beta"].setValue(2.5)
    train.model.training["epochs"].setValue(7)
    train.model.training["device"].setCurrentIndex(1)
    train.data.window_px.setValue(33)
    detect.form.polarity.setCurrentIndex(2)
    detect.form.sublattices.setCurrentIndex(3)
    detect.form.refine.setChecked(False)
    model, training = train.model.model(), train.model.train()
    close(train), close(detect)
    assert "beta: 2.5" in remembered.config_path.read_text() and remembered.config_path.stem == PLUGIN
    train, detect = show_widget(TrainWidget), show_widget(DetectWidget)
    assert train.model.model() == model and train.model.train() == training
    assert train.model.preset.currentData() == "strain-rvae"
    assert train.data.window_px.value() == 24  # belongs to the image
    request = detect.form.request()
    assert (request.polarity, request.sublattices, request.refine) == ("dark", 3, False)


@pytest.mark.own_window
def test_the_second_dock_goes_behind_a_tab(viewer, qtbot):
    viewer.window.show()
    docks = [viewer.window.add_plugin_dock_widget("napari-vae", name)[0] for name in ("Detect atoms", "Train VAE")]
    window = docks[0].window()
    qtbot.waitUntil(lambda: docks[0] in window.tabifiedDockWidgets(docks[1]), timeout=LONG)


def test_a_dock_takes_the_place_of_the_panel_that_opens(viewer, _widgets, qtbot):
    dock, opening = viewer.window.add_plugin_dock_widget("napari-vae", "Train VAE")
    qtbot.waitUntil(lambda: isinstance(dock.widget(), train_module.TrainWidget), timeout=LONG)
    _widgets.append(dock.widget())
    assert dock.windowTitle() == "Train" and not dock.widget().isHidden()
    qtbot.waitUntil(lambda: not isalive(opening), timeout=LONG)


def test_a_dock_that_cannot_be_loaded_says_why(viewer, _widgets, qtbot, monkeypatch, notifications):
    def broken():
        raise ImportError("no module named pyqtgraph")

    opening = viewer.window.add_plugin_dock_widget("napari-vae", "Train VAE")[1]
    monkeypatch.setattr(opening, "kind", broken)
    _widgets.append(opening)
    qtbot.waitUntil(lambda: "pyqtgraph" in opening.findChild(QLabel).text(), timeout=LONG)
    assert "pyqtgraph" in notifications[-1]


def test_opening_does_not_import_torch():
    import subprocess

    docks = ("detect", "train", "explore", "learn", "batch", "spectrum")
    modules = ", ".join(f"napari_vae.widgets.{name}.dock" for name in docks)
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("name", "value"), [("beta", 2.5), ("epochs", 7), ("device", "cpu")])
def test_a_control_shows_the_value_that_is_set(qtbot, name, value):
    control = control_of(settings_of(TrainConfig)[name])
    qtbot.addWidget(control)
    set_value(control, value)
    assert values_of({name: control}) == {name: value}


def test_durations_in_words():
    assert (duration(0.4), duration(61), duration(3725)) == ("0 s", "1 min 1 s", "1 h 2 min")
