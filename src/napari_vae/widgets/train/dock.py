"""Dock widget “Train VAE”: from atoms to latents, classes and reconstructions, while the window stays alive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtWidgets import QWidget

from ...layers.active import active_of
from ...layers.identity import ours
from ...models.kinds import KINDS, Kind
from ...workflow.advice import Advice, WindowScan
from ..common.canvas import WindowSquare
from ..common.data_form import DataForm, Source
from ..common.dialogs import ask_name
from ..common.guide import Dock
from ..common.jobs import Job, Steps
from ..common.panel import column_of, folded, row_of, sentence, side_by_side
from ..common.progress_box import ProgressBox, refusing
from ..common.show_bar import ShowBar
from .advice_box import AdviceBox, answer
from .delivery import Delivery
from .forecast_line import ForecastLine
from .given_form import GivenForm
from .label_box import LabelBox
from .live_view import LossPlot, ManifoldView, held_by_latents
from .model_form import ModelForm
from .run_box import RunBox
from .steps import Described, Loaded, Nothing, advise_steps, apply_steps, load_steps, train_steps, window_steps

TRAIN = "Learn what differs between the atoms, in the background; Stop keeps what is there"
ADVANCED = "Name of the model, latents, further channels, length of the training, device; a first look does not need it"


class TrainWidget(Dock):
    """Trains a model on the atoms of an image and paints what it finds."""

    PAGE = "models"
    HINT = "Tick what like atoms may be, and press Train: what else differs becomes two numbers, z1 and z2 (latents)."
    BEFORE = f"Detect atoms first, or take a regular grid. {HINT}"

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self.data = DataForm(napari_viewer, self.image)
        self.model = ModelForm()
        self.advice = AdviceBox()
        self.given = GivenForm(napari_viewer)
        self.labels = LabelBox(napari_viewer, self.given)
        self.forecast = ForecastLine(napari_viewer, self.data, self.model)
        self.job = Job(self)
        self.progress = ProgressBox("Train", TRAIN, page=self.PAGE, job=self.job)
        self.loss, self.held = LossPlot(), sentence()
        self.manifold = ManifoldView()
        self.show_bar = ShowBar(napari_viewer)
        self.runs = RunBox(self.data.image.layer)
        self.delivery = Delivery(napari_viewer, self)
        self._square = WindowSquare(napari_viewer, self, self.data, lambda: not self.job.running)
        self._lay_out()
        self._connect()
        self._on_atoms_changed()
        self._show_kinds()

    @refusing
    def train(self) -> None:
        """Check the input, then start the job; bad input ends in a notification."""
        model = self.model.model()
        arguments = (self._source(model.knows), self.data.window_px.value(), model, self.model.train())
        self._show_history(())
        self.manifold.clear()
        self._show_live()
        self.model.memory.keep()
        self._begin("Starting …", train_steps, *arguments)

    @refusing
    def continue_training(self) -> None:
        """Train the run at hand further on the chosen image, with the settings of the training that are chosen now."""
        run = self.runs.run
        source, train = self._source(run.model_config.knows, run.window), self.model.train()
        self._begin("Starting …", train_steps, source, run.window, None, train, run)

    @refusing
    def suggest(self) -> None:
        """Find out which window, invariances and number of latents suit the chosen atoms, and choose them."""
        self._begin("Starting …", advise_steps, self.data.source(), self.model.train())

    @refusing
    def suggest_window(self) -> None:
        """Find out how large windows should be, and choose that size."""
        self._begin("Starting …", window_steps, self.data.source(), self.model.train())

    @refusing
    def apply(self) -> None:
        """Describe the chosen image with the run at hand, without training; only a condition is needed for it."""
        run = self.runs.run
        kind = run.model_config.knows
        source = self._source(kind, run.window) if kind.conditional else self.data.source(run.window)
        self._begin("Applying the model …", apply_steps, run, source)

    def load(self, folder: str) -> None:
        """Load a saved model and make it the one at hand."""
        self._begin("Loading …", load_steps, folder)

    def _lay_out(self) -> None:
        self.advanced = folded(
            "Advanced", column_of(self.data.advanced, self.model.advanced, self.held, self.advice.details), ADVANCED
        )
        self.live = side_by_side(row_of(self.loss, self.manifold, wide=self.loss))
        self.live.hide()
        parts = (self.data, self.model, self.advice, self.given, self.labels, self.advanced, self.forecast)
        for widget in (*parts, self.progress, self.runs, self.show_bar, self.live):
            self.column.addWidget(widget)
        self.column.addStretch()

    def _connect(self) -> None:
        self.data.atoms.layer_changed.connect(self._on_atoms_changed)
        self.model.kind.currentIndexChanged.connect(self._show_kinds)
        for form in (self.data, self.model):
            form.changed.connect(self.progress.forget)
        self.given.outdated.connect(self.forecast.ask)
        self.advice.asked.connect(self.suggest)
        self.advice.window_asked.connect(self.suggest_window)
        self.labels.said.connect(self.progress.say)
        self.progress.start_clicked.connect(self.train)
        self.runs.apply_clicked.connect(self.apply)
        self.runs.continue_clicked.connect(self.continue_training)
        self.runs.keep_clicked.connect(self._on_keep)
        self.runs.load_asked.connect(self.load)
        self.runs.said.connect(self.progress.say)
        self.show_bar.maker.said.connect(self.progress.say)
        self.job.progressed.connect(self._on_progress)
        self.job.succeeded.connect(self._on_result)
        self.delivery.done.connect(self._on_delivered)
        self.job.ended.connect(self._on_end)

    def _source(self, kind: Kind, window: tuple[int, int] | None = None) -> Source:
        """The data with what a model of this kind is given of them."""
        return self.given.read(kind, self.data.source(window))

    def _begin(self, words: str, steps: Steps, *arguments: Any) -> None:
        self._square.hide()
        self._enable(False)
        self.progress.begin(words)
        self.job.start(steps, *arguments)

    def _show_live(self) -> None:
        self.live.show()
        self.updateGeometry()

    def _show_history(self, rows: Sequence[Mapping[str, float]]) -> None:
        self.loss.show_history(rows)
        self.held.setText(held_by_latents(rows))

    def _on_progress(self, event: Any) -> None:
        if getattr(event, "history", ()):
            self._show_history(event.history)
        if getattr(event, "manifold", None) is not None:
            self.manifold.show_tiles(event.manifold)

    def _on_result(self, result: Described | Loaded | Nothing | Advice | WindowScan) -> None:
        if isinstance(result, Advice):
            self._take(result)
            return
        if isinstance(result, WindowScan):
            self.data.window_px.setValue(result.window)
            self.advice.show_scan(result)
            self.progress.say(f"{result.sentence()} Chosen above.")
            return
        run = result.run
        if run is not None:
            self.runs.set_run(run)
            self._show_kinds()
        if isinstance(result, Nothing):
            self.progress.say(result.words)
            return
        if isinstance(result, Described):
            if result.trained:
                self.forecast.learn(result)
            self.delivery.start(result)
            return
        self._show_history(run.history.to_dict("records"))
        self.manifold.show_tiles(result.manifold)
        self._show_live()
        height, width = run.window
        self.progress.say(
            f"Loaded {run.model_config.name} for windows of {height} × {width} px; Apply describes the chosen image "
            f"with it, Continue trains it further. {run.note}".rstrip()
        )

    def _take(self, advice: Advice) -> None:
        """Choose what is suggested."""
        self.model.try_mix(advice.model)
        self.data.window_px.setValue(advice.window)
        self.advice.show_advice(advice)
        self.updateGeometry()
        self.progress.say(f"{answer(advice, self.model.model())} Train learns it from all atoms.")

    def _on_delivered(self, result: Described, words: str) -> None:
        self.progress.say(words)
        if not active_of(self._viewer).is_of_another(self.delivery.points):
            self.show_bar.follow(self.delivery.points)
        self.runs.keep_button.setEnabled(True)

    def _on_keep(self) -> None:
        offered = self.delivery.name_to_keep()
        if not offered:
            self.progress.say("There is no result to keep.")
        elif name := ask_name(self, "Keep this run", "Name of the copy, in the list of layers:", offered):
            self.progress.say(f"Kept as “{self.delivery.keep(name)}”, hidden, in the list of layers.")

    def _on_end(self) -> None:
        self._enable(True)

    def _enable(self, idle: bool) -> None:
        """Let the buttons be clicked that start a job, or not."""
        self.runs.setEnabled(idle)
        self.advice.enable(idle)

    def _on_atoms_changed(self) -> None:
        points = self.data.atoms.layer()
        self.given.follow(points)
        self.show_bar.follow(points if points is not None and ours(points).get("columns") else None)

    def _show_kinds(self, index: int = 0) -> None:
        """Show the rows that the chosen model needs, and those that Apply and Continue need for the run at hand."""
        given = {*KINDS[self.model.kind.currentData()].given}
        if self.runs.run is not None:
            given |= {*self.runs.run.model_config.knows.given}
        self.given.show_for(given)
        self.labels.setVisible("labels" in given)
        self.updateGeometry()
