"""Dock widget “Spectrum”: the spectrum under the cursor, and bands of it as maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Points
from qtpy.compat import isalive
from qtpy.QtCore import QSignalBlocker, Qt, QTimer
from qtpy.QtWidgets import QCheckBox, QWidget

from ...analysis.bands import Band
from ...core.errors import InputError
from ...core.micrograph import Micrograph
from ...core.placement import Placement
from ...core.spectra import SpectrumImage
from ...io.spectra import SPECTRA as FORMATS
from ...layers.active import active_of, like_what_is_open
from ...layers.identity import IMAGE, add_made, image_token, note, ours
from ...layers.showing import write_features
from ...layers.spectra import PREFIX, WANTED, Wanted, band_layer, column_of_map, limits_of, spectra_of, wanted_of
from ..common.dialogs import choose_files
from ..common.guide import link, open_page
from ..common.jobs import Job, Step
from ..common.layer_box import LayerBox
from ..common.panel import Form, Panel, button_of, folded, row_of, sentence
from ..common.plot import BLUE, GREEN, GREY, ORANGE, swatch
from ..common.setting_controls import PLUGIN, add_settings, changes_of
from .band import BandControl
from .models_box import ModelsBox
from .plot import SpectrumPlot
from .steps import map_steps, mean_steps, open_steps, place_steps

PAGE, SAMPLE = "spectra", "spectra"
EMPTY = (
    "No spectra are open. Drop a spectrum image (.hspy, .dm4, .nxs …) on the canvas, press Open, or take {sample}. "
    "{page} is in the documentation."
)
HELP = (
    f"{swatch(GREY)}the mean, {swatch(BLUE)}under the cursor. Drag the band, or its ends, and the map follows. "
    "Ctrl and the wheel magnify; a double click shows all."
)
SETTLE = 150  # ms after the last change before a map is made


class MapBox(LayerBox):
    """Maps of spectra; that which is chosen stays so while other images are worked on."""

    def _wanted(self) -> Any | None:
        if self._chosen in self._layers:
            return self._chosen
        return super()._wanted() or next(iter(self._layers), None)


class SpectrumWidget(Panel):
    """Shows the mean spectrum and that under the cursor; a band that is dragged on it becomes a map.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self.layer = MapBox(napari_viewer, lambda layer: spectra_of(layer) is not None)
        self.open_button = button_of("Open …", "Read a spectrum image from a file, in the background")
        self.plot = SpectrumPlot(self)
        self.first, self.second = (BandControl(self, self.plot, color) for color in (ORANGE, GREEN))
        self.form, self.log = Form(), QCheckBox("logarithmic")
        self.new_button = button_of("New map", "Keep this map as it is, and go on with a layer of its own")
        self.column_button = button_of("To the atoms", "Write what the map has under the atoms as a column of theirs")
        self.words, self.hint = sentence(), sentence()
        self.models = ModelsBox(napari_viewer)
        self.section = folded(
            "Models", self.models, "Latents of the spectra as maps, and spectra predicted from images"
        )
        self.job, self.place_job = Job(self, notify=False), Job(self, notify=False)
        self._settling = QTimer(self, singleShot=True, interval=SETTLE)
        self._spectra: SpectrumImage | None = None
        self._due = False  # another map is wanted
        self._doing: Any = None  # layer and map, or spectra, that the job is at
        self._place: tuple[int, int] | None = None  # under the cursor
        self._lay_out()
        self._connect()
        self._on_layer_changed()

    def wanted(self) -> Wanted:
        """The map that is asked for."""
        quantity = self.settings["quantity"].currentData()
        second = self.second.bounds if quantity == "ratio" else None
        return Wanted(self.first.bounds, quantity, self.settings["background"].currentData(), second)

    def open(self, path: str) -> None:
        """Read a file and add its layers."""
        if not self.job.running:
            self.job.start(open_steps, path)

    def add_map(self) -> None:
        """Go on with a map of its own; the one before stays."""
        layer, spectra = self.layer.layer(), self._spectra
        if layer is None or spectra is None:
            return
        values = Micrograph(np.asarray(layer.data), name=layer.name)
        made = band_layer(spectra, wanted_of(layer), values, Placement.of_layer(layer))
        made[1].update(opacity=layer.opacity, contrast_limits=layer.contrast_limits)
        token = image_token(layer)
        self.layer.choose(add_made(self._viewer, made, **({IMAGE: token} if token else {})))

    def add_column(self) -> None:
        """Write the values of the map under the atoms as a column of them.

        Raises
        ------
        InputError
            If there are no atoms, or none lies on the map.
        """
        layer, selected = self.layer.layer(), self._viewer.layers.selection.active
        points = selected if isinstance(selected, Points) else active_of(self._viewer).atoms
        if points is None or not len(points.data):
            raise InputError("There are no atoms yet; detect atoms on the image first, or select a layer of points.")
        values = column_of_map(layer, points)
        if np.isnan(values).all():
            raise InputError(f"No point of “{points.name}” lies on the map; select the points of this image.")
        write_features(points, points.features.assign(**{layer.name: values}), layer.name)
        self.words.setText(f"“{layer.name}” is a column of “{points.name}”, for colours, conditions and targets.")

    def _lay_out(self) -> None:
        self.layer.setToolTip("The map that the band below makes; choose another to change that one")
        self.layer.setAccessibleName("Map")
        self.log.setToolTip("Show intensities by their logarithm, so that weak edges are seen beside strong peaks")
        band = "First and last energy, in the unit of the spectra; drag the band on the plot, or its ends, or type them"
        self.form.add("Band", self.first.boxes, band)
        self.settings = add_settings(self.form, Wanted, "quantity", "background")
        self.form.add("Divided by", self.second.boxes, f"{band}. The sum of the first is divided by that of this one")
        self.hint.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.column.addLayout(row_of(self.layer, self.open_button, wide=self.layer))
        self.column.addWidget(self.plot)
        self.column.addWidget(self.form)
        buttons = row_of(self.new_button, self.column_button, self.log)
        buttons.addStretch()
        self.column.addLayout(buttons)
        self.column.addWidget(self.words)
        self.column.addWidget(self.hint)
        self.column.addWidget(self.section)
        self.column.addStretch()

    def _connect(self) -> None:
        self.layer.layer_changed.connect(self._on_layer_changed)
        self.open_button.clicked.connect(self._on_open_clicked)
        self.hint.linkActivated.connect(self._on_link)
        for change in (self.first.changed, self.second.changed, *map(changes_of, self.settings.values())):
            change.connect(self._on_changed)
        self.log.toggled.connect(self._on_log_toggled)
        self.new_button.clicked.connect(self.add_map)
        self.models.delivered.connect(self.layer.choose)
        self.column_button.clicked.connect(self._on_column_clicked)
        self._settling.timeout.connect(self._go_on)
        self.job.progressed.connect(self._on_progress)
        self.job.succeeded.connect(self._on_result)
        self.job.failed.connect(self.words.setText)
        self.job.ended.connect(self._go_on)
        self.place_job.succeeded.connect(self._on_spectrum)
        self.place_job.ended.connect(self._read_place)
        self._viewer.cursor.events.position.connect(self._on_cursor)
        self._viewer.events.mouse_over_canvas.connect(self._on_cursor)

    def _on_log_toggled(self, on: bool) -> None:
        self.plot.setLogMode(y=on)

    def _on_layer_changed(self) -> None:
        """Show the spectra of the chosen map, and its band."""
        layer = self.layer.layer()
        spectra = None if layer is None else spectra_of(layer)
        for part in (self.plot, self.form, self.new_button, self.column_button, self.log, self.section):
            part.setVisible(spectra is not None)
        self._due, self._place = False, None
        self.models.follow(layer)
        sample, page = link(f"sample:{SAMPLE}", "a simulated one"), link(PAGE, "A page about spectra")
        self.hint.setText(HELP if spectra is not None else EMPTY.format(sample=sample, page=page))
        if spectra is None:
            self._spectra = None
            return
        if spectra is not self._spectra:
            self._spectra = spectra
            self.plot.show_spectra(spectra)
            for band in (self.first, self.second):
                band.set_energy(spectra.energy, spectra.energy_units)
        self._show_wanted(wanted_of(layer))
        self._go_on()

    def _show_wanted(self, wanted: Wanted) -> None:
        self.first.set_bounds(wanted.band)
        if wanted.second is not None:
            self.second.set_bounds(wanted.second)
        for name, control in self.settings.items():
            with QSignalBlocker(control):
                control.setCurrentIndex(control.findData(getattr(wanted, name)))
        self._show_rows()

    def _show_rows(self) -> None:
        ratio = self.settings["quantity"].currentData() == "ratio"
        if ratio and not self.second.region.isVisible():
            self._place_second()
        self.form.set_row_visible(self.second.boxes, ratio)
        self.second.region.setVisible(ratio)
        self._show_background()

    def _place_second(self) -> None:
        """Put the second band beside the first, if they overlap."""
        (low, high), (second_low, second_high) = self.first.bounds, self.second.bounds
        if self._spectra is not None and low < second_high and second_low < high:
            above = 2 * high - low <= self._spectra.energy[-1]
            self.second.set_bounds((high, 2 * high - low) if above else (2 * low - high, low))

    def _show_background(self) -> None:
        """Draw the background that is subtracted from the spectrum that is shown."""
        wanted, spectrum = self.wanted(), self.plot.spectrum
        parts = []
        for bounds in (wanted.band, wanted.second) if wanted.background != "none" and spectrum is not None else ():
            try:
                band = None if bounds is None else Band(self._spectra, bounds, wanted.background)
            except InputError:  # which is said when the map is made
                continue
            if band is not None:
                parts += [np.array([band.energy, band.below(spectrum)]), np.full((2, 1), np.nan)]
        self.plot.below.setData(*(np.concatenate(parts, 1) if parts else ([], [])))

    def _on_changed(self, value: object = None) -> None:
        self._show_rows()
        self._due = True
        if self.job.running and isinstance(self._doing, tuple):
            self.job.stop()
        self._settling.start()

    def _go_on(self) -> None:
        """Start what is to be done next: the mean of new spectra, or the map that is wanted by now."""
        layer, spectra = self.layer.layer(), self._spectra
        if self.job.running or layer is None or spectra is None:
            return
        if self.plot.mean_of is not spectra:
            self._doing = spectra
            self.job.start(mean_steps, spectra)
        elif self._due and not self._settling.isActive():
            self._due, self._doing = False, (layer, self.wanted())
            self.job.start(map_steps, spectra, self._doing[1])

    def _on_progress(self, step: Step) -> None:
        self.words.setText(step.message + (f" {step.fraction:.0%}" if step.fraction else ""))

    def _on_result(self, result: Any) -> None:
        self.words.setText("")
        if isinstance(result, list):
            for data, options, kind in like_what_is_open(result):
                getattr(self._viewer, f"add_{kind}")(data, **options)
        elif isinstance(result, Micrograph):
            self._show_map(*self._doing, result)
        elif result is not None:
            self.plot.show_mean(self._doing, result)
            self._show_background()

    def _show_map(self, layer: Any, wanted: Wanted, values: Micrograph) -> None:
        if layer not in self._viewer.layers:
            return
        low, high = limits_of(values.data)
        layer.data = values.data
        layer.contrast_limits_range = (low, high)
        layer.contrast_limits = (low, high)
        layer.name = f"{ours(layer).get(PREFIX, '')}{values.name}"
        note(layer, **{WANTED: wanted})
        self.words.setText(f"“{layer.name}”: {low:.4g} to {high:.4g}.")

    def _on_cursor(self, event: Any = None) -> None:
        """Show the spectrum of the place under the cursor."""
        if not isalive(self) or not self.isVisible() or self._spectra is None:
            return
        place = self._place_at(self._viewer.cursor.position) if self._viewer.mouse_over_canvas else None
        if place == self._place:
            return
        self._place = place
        if place is None:
            self._on_spectrum(None)
        elif hasattr(self._spectra.data, "dask"):
            self._read_place()
        else:
            self._on_spectrum((*place, self._spectra.spectrum(*place)))

    def _place_at(self, world: Any) -> tuple[int, int] | None:
        layer, spectra = self.layer.layer(), self._spectra
        if layer is None or spectra is None:
            return None
        at = Placement.of_layer(layer).points_from([world], Placement.of_canvas(self._viewer))[0][-2:]
        row, column = np.rint(at).astype(int)
        inside = 0 <= row < spectra.shape[0] and 0 <= column < spectra.shape[1]
        return (int(row), int(column)) if inside else None

    def _read_place(self) -> None:
        """Read the spectrum under the cursor from its file, if another one is shown."""
        if not self.place_job.running and self._place is not None and self._place != self.plot.place:
            self.place_job.start(place_steps, self._spectra, *self._place)

    def _on_spectrum(self, read: Any) -> None:
        self.plot.show_place(read)
        self._show_background()

    def _on_column_clicked(self) -> None:
        try:
            self.add_column()
        except InputError as error:
            self.words.setText(str(error))

    def _on_open_clicked(self) -> None:
        endings = " ".join(f"*{suffix}" for suffix in FORMATS)
        for path in choose_files(self, "Open a spectrum image", f"Spectra ({endings});;All files (*)")[:1]:
            self.open(path)

    def _on_link(self, target: str) -> None:
        kind, _, key = target.partition(":")
        if kind == "sample":
            self._viewer.open_sample(PLUGIN, key)
        else:
            open_page(target)
