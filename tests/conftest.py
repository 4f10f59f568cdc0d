"""Fixtures for tests in a real napari window; the leak check of every test that opens one."""

import contextlib
import gc
import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import learning_widget
from training_widget import TURNED, quick

ROOT = Path(__file__).parent.parent
NO_DATA = "the folder of real micrographs is not here; name it in NAPARI_VAE_DATA to run these tests"
os.environ.setdefault("QT_API", "pyside6")
os.environ["NAPARI_STRICT_QT"] = "1"


def pytest_collection_modifyitems(items):
    """Tests with windows first."""
    items.sort(key=lambda item: {"qtbot", "viewer"}.isdisjoint(item.fixturenames))


def pytest_collection_finish():
    """What was imported to collect the tests is no garbage, and is not searched for any."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _own_settings(tmp_path_factory):
    """Settings of the user's napari are neither read nor written."""
    folder = tmp_path_factory.mktemp("napari")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAPARI_CONFIG", str(folder / "settings.yaml"))
        yield folder


@pytest.fixture
def real_data():
    """Folder of real micrographs."""
    folder = Path(os.environ.get("NAPARI_VAE_DATA", ROOT / ".." / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(NO_DATA)
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An inner folder, so that what climbs out of it is seen, and which ends with no trap sprung and no file more."""
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    yield inner
    assert not list(tmp_path.rglob("sprung*")) and [path.name for path in tmp_path.iterdir()] == ["inner"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Tests without real micrographs are one line of the summary, which joins what is skipped at the same place."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and NO_DATA in report.longrepr[2]:
        report.longrepr = (__file__, 0, NO_DATA)
    return report


@pytest.fixture(scope="session")
def _own_plugin_settings(_own_settings):
    from napari.settings import get_plugin_settings

    return get_plugin_settings(path_dir=_own_settings)["napari-vae"]


@pytest.fixture
def remembered(_own_plugin_settings):
    """What the forms remember, nothing at first."""
    _own_plugin_settings.reset()
    return _own_plugin_settings


@contextmanager
def napari_window():
    """A napari that is not shown, and is closed at the end."""
    from napari import Viewer

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAPARI_ENSURE_PLUGIN_MAIN_THREAD", "True")
        viewer = Viewer(show=False, show_welcome_screen=False)
        yield viewer
        with contextlib.suppress(AttributeError):  # the test has closed it
            viewer.close()


@contextmanager
def no_widget_left():
    """Widgets without a parent afterwards are those before."""
    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QApplication

    # napari searches for garbage with every layer that goes: what was there before need not be looked at.
    gc.collect()
    gc.freeze()
    before = set(QApplication.topLevelWidgets())
    yield
    QApplication.processEvents()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert not [repr(widget) for widget in QApplication.topLevelWidgets() if not (widget in before or widget.parent())]


@pytest.fixture(scope="module")
def _window(qapp, _own_settings):
    """The window of the tests of a file; to open one takes longer than most of them."""
    with no_widget_left(), napari_window() as viewer:
        yield viewer


@pytest.fixture
def viewer(request, remembered):
    """A viewer without layers and docks, as plugins get it; in a window of its own for tests that close or show it."""
    from napari.utils._proxies import PublicOnlyProxy  # what napari wraps around the viewer that it hands to plugins

    if request.node.get_closest_marker("own_window"):
        request.getfixturevalue("qapp")
        with no_widget_left(), napari_window() as viewer:
            yield PublicOnlyProxy(viewer)
        return
    viewer = request.getfixturevalue("_window")
    with no_widget_left():
        yield PublicOnlyProxy(viewer)
        viewer.window.remove_dock_widget("all")
        viewer.layers.clear()
        for model in (viewer.canvas, viewer.scene, viewer.dims, viewer.tooltip):
            model.reset()


@pytest.fixture
def _widgets():
    """Widgets to destroy before the viewer is closed; pytest holds them as arguments of the test for longer."""
    from qtpy.compat import isalive
    from qtpy.QtCore import QCoreApplication, QEvent

    widgets = []
    yield widgets
    for widget in filter(isalive, widgets):
        widget.deleteLater()
        QCoreApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete)


@pytest.fixture
def open_widget(viewer, _widgets):
    """Open a dock widget through the manifest."""
    from napari_vae.widgets.opening import Opening

    def open_(name):
        widget = viewer.window.add_plugin_dock_widget("napari-vae", name)[1]
        _widgets.append(widget.finish() if isinstance(widget, Opening) else widget)
        return _widgets[-1]

    return open_


@pytest.fixture
def show_widget(viewer, _widgets):
    """Show a widget by itself, on the screen but without a canvas, whose drawing is not what is tested."""

    def show(kind):
        _widgets.append(kind(viewer))
        _widgets[-1].show()
        return _widgets[-1]

    return show


@pytest.fixture
def every_move(monkeypatch):
    """No move of the mouse over a plot is left out because it follows soon on another."""
    import pyqtgraph

    monkeypatch.setitem(pyqtgraph.CONFIG_OPTIONS, "mouseRateLimit", 0)


@pytest.fixture
def notifications():
    """Sentences that the window showed to the user."""
    from napari.utils.notifications import notification_manager

    seen = []

    def note(notification):
        seen.append(str(notification.message))

    notification_manager.notification_ready.connect(note)
    yield seen
    notification_manager.notification_ready.disconnect(note)


@pytest.fixture(scope="session")
def lattice():
    """A square lattice of atoms of two brightnesses: the image, positions (N, 2), and whether each is bright."""
    size, spacing, rng = 160, 12.0, np.random.default_rng(0)
    steps = np.arange(spacing / 2, size, spacing)
    positions = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
    bright = rng.random(len(positions)) < 0.5
    yy, xx = np.mgrid[:size, :size]
    image = np.zeros((size, size))
    for (y, x), strong in zip(positions, bright, strict=True):
        image += (1.0 if strong else 0.5) * np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / (2 * 2.2**2))
    return (image + 0.02 * rng.standard_normal(image.shape)).astype(np.float32), positions, bright


@pytest.fixture(scope="module")
def trained(lattice):
    """A model of the lattice, and the windows that it learnt from."""
    import pandas as pd

    import napari_vae as nv

    pixels, positions, _ = lattice
    patches = nv.extract_patches(nv.Micrograph(pixels), pd.DataFrame(positions, columns=["y", "x"]), window=12)
    return nv.fit(patches, nv.ModelConfig.preset("vae"), nv.TrainConfig(epochs=1, device="cpu")), patches


@pytest.fixture
def scene(viewer, lattice):
    """The lattice and its atoms, turned and in nm: the image layer, the points, and whether each atom is bright."""
    image, positions, bright = lattice
    layer = viewer.add_image(image, name="lattice", **TURNED)
    points = viewer.add_points(positions, name="atoms", features={"mine": np.arange(len(positions))}, **TURNED)
    return layer, points, bright


@pytest.fixture
def widget(scene, open_widget):
    """Train VAE on that scene, set for a short training."""
    return quick(open_widget("Train VAE"))


@pytest.fixture
def measurable(scene):
    """The lattice, whose atoms have how strong they are, what kind, and latents as columns."""
    image, points, bright = scene
    rng = np.random.default_rng(0)
    strength = np.where(bright, 1.5, 0.5) + 0.01 * rng.standard_normal(len(bright))
    z = np.column_stack([strength, rng.standard_normal(len(bright))]).astype(np.float32)
    points.features = points.features.assign(
        strength=strength, kind=np.where(bright, "strong", "weak"), even=1.0, z1=z[:, 0], z2=z[:, 1]
    )
    return image, points, strength


@pytest.fixture
def learn(measurable, open_widget):
    """Active learning of the strength of its atoms, quick."""
    return learning_widget.quick(open_widget("Active learning"))


@pytest.fixture
def command(capfd):
    """Run a command line; gives its exit code, standard output and standard error."""

    from napari_vae.cli import app as cli

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return ended.value.code or 0, out, err

    return run


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Two images of graphene and something that only looks like one."""
    from napari_vae import samples, write_image

    folder = tmp_path_factory.mktemp("images")
    for seed, name in enumerate(("one.tif", "two.tif")):
        image, _ = samples.micrograph("graphene", size=160, seed=seed)
        write_image(image.data, folder / name, pixel_size=image.pixel_size, units=image.units)
    (folder / "broken.tif").write_bytes(b"II*\x00 cut short")
    return folder


@pytest.fixture(scope="module")
def results(images, tmp_path_factory):
    """A finished analysis."""
    from napari_vae import TrainConfig, analyze, read

    train = TrainConfig(epochs=1, device="cpu")
    return analyze(read(images / "one.tif"), train=train).save(tmp_path_factory.mktemp("results") / "one")
