"""The section of models: latents of the spectra as maps, and spectra that are predicted from an image."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QWidget

from ...core.errors import InputError
from ...core.folders import RUN
from ...core.spectra import SpectrumImage
from ...layers.active import is_source_image
from ...layers.identity import IMAGE, add_made, id_of, image_token, made_of, token_of
from ...layers.images import micrograph_from_layer
from ...layers.points import KEY, LayerData
from ...layers.spectra import PREFIX, spectra_of
from ...models.config import TrainConfig
from ..common.jobs import Job
from ..common.layer_box import ColumnBox, follow_layers
from ..common.panel import Form, button_of, choice_of, row_of, stacked
from ..common.progress_box import ProgressBox, refusing
from ..common.saving_box import SavingBox
from ..common.setting_controls import add_settings, values_of
from .steps import Learnt, learn_steps, predict_steps

SPECTRA, PAIRS = "spectra", "pairs"
KINDS = {SPECTRA: "the spectra", PAIRS: "an image"}
TRAIN = "Learn in the background; Stop keeps what is there"
LEARNT = "learnt"  # noted in maps of latents: the map of the spectra that they are of
PAGE = "spectra"


class ModelsBox(SavingBox):
    """Trains a model of the spectra, or one that predicts them from an image, and shows what it says.

    Parameters
    ----------
    viewer : napari viewer
    """

    delivered = Signal(object)  # a layer with spectra that were predicted

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        tooltip = "Write the trained model into a new folder, for the command line or Python"
        super().__init__("model", "model", tooltip, marker=RUN, image=lambda: self._map, parent=parent)
        self._viewer = viewer
        self._map: Any | None = None  # the layer of the spectra
        self._of: Any | None = None  # the layer that the job learns from, or predicts for
        self.job = Job(self)
        self.progress = ProgressBox("Train", TRAIN, page=PAGE, job=self.job)
        self.form = Form()
        self.kind = choice_of(KINDS, narrow=True)
        self.image, self.other = ColumnBox("choose an image"), ColumnBox("choose an image")
        self.shifted, self.turned = QCheckBox("shifted"), QCheckBox("turned")
        self.turned.setChecked(True)
        self.predict_button = button_of("Predict", "Predict the spectra of this image, as another map")
        self._lay_out()
        follow_layers(viewer, self._offer_images)
        self.kind.currentIndexChanged.connect(self._show_rows)
        self.progress.start_clicked.connect(self.train)
        self.predict_button.clicked.connect(self.predict)
        self.said.connect(self.progress.say)
        self.job.succeeded.connect(self._on_result)
        self.job.ended.connect(self._show_rows)
        self._offer_images()
        self._show_rows()

    @property
    def predicts(self) -> bool:
        """Whether the model at hand predicts spectra."""
        return self.kept is not None and self.kept.model_config.knows.predicts

    def follow(self, layer: Any | None) -> None:
        """Learn from the spectra of this map from now on."""
        self._map = layer

    @refusing
    def train(self) -> None:
        """Begin the training that is chosen."""
        spectra: SpectrumImage | None = None if self._map is None else spectra_of(self._map)
        if spectra is None:
            raise InputError("There are no spectra to learn from; open some.")
        pairs = self.kind.currentData() == PAIRS
        image = micrograph_from_layer(self._chosen(self.image)) if pairs else None
        train = TrainConfig(**values_of(self.training))
        self._of = self._map
        self._start("Starting …", learn_steps, spectra, image, self.shifted.isChecked(), self.turned.isChecked(), train)

    @refusing
    def predict(self) -> None:
        """Predict the spectra of the chosen image."""
        image = self._chosen(self.other)
        self._of = image
        self._start("Predicting spectra …", predict_steps, self.kept, micrograph_from_layer(image))

    def _lay_out(self) -> None:
        add = self.form.add
        add("Learn from", self.kind, "Choose the spectra to see what differs between them: latents become maps. Choose "
            "an image to have a model predict the spectra from what it shows, also of other images.")  # fmt: skip
        add("Image", self.image, "The image of the area that the spectra are of; choose it where several are open.")
        add("May be", row_of(self.shifted), "Tick it where peaks move as a whole, and that is not to count.")
        add("May be", row_of(self.turned), "Tick it where structures in the image may be turned without other spectra.")
        self.training = add_settings(self.form, TrainConfig, "epochs")
        row = row_of(self.other, self.predict_button, wide=self.other)
        self.target = add(
            "Predict for", row, "The image whose spectra are to be predicted; choose any of such structures."
        )
        stacked(self, self.form, self.progress, row_of(self.save_button))

    def _show_rows(self, index: int = 0) -> None:
        pairs, idle = self.kind.currentData() == PAIRS, not self.job.running
        for control, shown in (
            (self.image, pairs),
            (self.turned.parentWidget(), pairs),
            (self.shifted.parentWidget(), not pairs),
            (self.target, self.predicts),
        ):
            self.form.set_row_visible(control, shown)
        self.predict_button.setEnabled(idle)
        self.save_button.setEnabled(idle and self.kept is not None)
        self.updateGeometry()

    def _offer_images(self, event: Any = None) -> None:
        """Offer the images that are no maps; one is chosen by itself, and what comes later is to be predicted for."""
        images = [layer for layer in reversed(self._viewer.layers) if _is_image(layer)]
        for box in (self.image, self.other):
            box.offer([], images)
            if box.chosen() is None and images:
                box.choose(images[0])
        if event is not None and event.type == "inserted":
            self.other.choose(event.value if event.value in images else self.other.chosen())

    def _chosen(self, box: ColumnBox) -> Any:
        layer = box.chosen()
        if layer is None:
            raise InputError("Choose the image; open one if there is none.")
        return layer

    def _start(self, words: str, steps: Any, *arguments: Any) -> None:
        if not self.job.running:
            self.progress.begin(words)
            self.job.start(steps, *arguments)
            self._show_rows()

    def _on_result(self, result: Learnt | list[LayerData]) -> None:
        layers, of = self._viewer.layers, self._of
        if of not in layers:
            self.progress.say("The layer has gone meanwhile; nothing was added.")
            return
        token = image_token(of) or token_of(layers, of)
        if isinstance(result, Learnt):
            self.kept = result.run
            for layer in made_of(layers, ("map",), **{LEARNT: id_of(of)}):
                layers.remove(layer)
            for made in result.maps:
                add_made(self._viewer, made, **{IMAGE: token, LEARNT: id_of(of)})
            n = result.run.provenance["n_images"]
            shown = "its latents are maps" if result.maps else "Predict asks it what the spectra of an image are"
            self.progress.say(f"Learnt from {n} spectra; {shown}.")
            return
        for data, options, kind in result:
            options |= {"name": f"predicted {options['name']}", "opacity": 0.7}
            options["metadata"][KEY][PREFIX] = "predicted "
            self.delivered.emit(add_made(self._viewer, (data, options, kind), **{IMAGE: token}))
        self.progress.say("The predicted spectra are a map of their own, in the list above.")


def _is_image(layer: Any) -> bool:
    return is_source_image(layer) and not layer.rgb and spectra_of(layer) is None and not image_token(layer)
