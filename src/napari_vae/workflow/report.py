"""One page that tells what was found, how, and from what: ``report.html``, which needs no other file."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..analysis.figures.angles import angle_figure
from ..analysis.figures.data import FigureData, is_latent
from ..analysis.figures.micrographs import atoms_figure, overlay_figure
from ..analysis.figures.models import loss_figure, manifold_figure
from ..analysis.figures.planes import scatter_figure
from ..analysis.figures.saving import figure_bytes
from ..analysis.figures.windows import class_means_figure, examples_figure
from ..core.positions import noun_of, on_grid
from .findings import Findings, describe
from .page import page, table_html, text_of

FILES = {
    "atoms.csv": "every detected atom: position in pixels, amplitude, width, errors",
    "latents.csv": "one row per window: the atom, its latents and pose, its class",
    "classes.tif": "class + 1 around every atom, calibrated",
    "reconstruction.tif": "what the model makes of the micrograph, calibrated",
    "residual.tif": "micrograph minus reconstruction, calibrated",
    "manifold.tif": "decoded images over the plane of the latents",
    "micrograph.tif": "the micrograph as it was analysed, calibrated",
    "run": "the trained model, to be applied to other images",
    "analysis.json": "settings, calibration, versions",
}


def write_report(analysis: Findings, folder: Path) -> Path:
    """Write ``report.html`` and its pictures into `folder`.

    Parameters
    ----------
    analysis : Analysis
        What to tell about.
    folder : path
        An existing folder; ``pictures/`` is made in it.

    Returns
    -------
    Path
        Of ``report.html``, which holds its own copy of the pictures.
    """
    (folder / "pictures").mkdir()
    pictures = []
    for name, (figure, caption) in figures(analysis).items():
        png = figure_bytes(figure)
        (folder / "pictures" / f"{name}.png").write_bytes(png)
        pictures.append(_picture(png, caption))
    files = {name: text for name, text in FILES.items() if (folder / name).exists()}
    target = folder / "report.html"
    target.write_text(_page(analysis, pictures, files), encoding="utf-8")
    return target


def _page(analysis: Findings, pictures: list[str], files: dict[str, str]) -> str:
    record = describe(analysis)
    name = analysis.micrograph.name
    links = "".join(
        f'<li><a href="{escape(file)}">{escape(file)}</a>: {escape(text)}</li>' for file, text in files.items()
    )
    notes = "".join(f"<li>{escape(str(note))}</li>" for note in analysis.micrograph.metadata.get("notes", []))
    parts = [
        f"<h1>{escape(name)}</h1>\n<p class=lead>{escape(_summary(analysis))}</p>",
        f"<div class=facts>{_facts(analysis)}</div>",
        f"<ul>{notes}</ul>" if notes else "",
        f"<h2>Pictures</h2>\n<div class=pictures>{''.join(pictures)}</div>",
        f"<h2>Latents</h2>\n{_latents_table(analysis.encoded)}",
        f"<h2>Classes</h2>\n{_classes_table(analysis)}" if analysis.classes is not None else "",
        f"<h2>Settings</h2>\n{table_html(_flat(record['settings']), ['setting', 'value'])}",
        f"<h2>Files</h2>\n<ul>{links}</ul>",
        f"<h2>Where it comes from</h2>\n{table_html(_flat(_origin(record)), ['', ''])}",
        f"<footer>Written by napari-vae {escape(record['napari_vae'])} on {escape(record['written'])}.</footer>",
    ]
    return page(f"{name} – napari-vae", "\n".join(part for part in parts if part))


def _summary(analysis: Findings) -> str:
    patches = analysis.patches
    config = analysis.run.model_config
    invariances = ", ".join(config.invariances) or "no pose"
    kind = f"{config.kind} " if config.knows.anything else ""
    on_what = "on a regular grid" if on_grid(patches.atoms) else "around the detected atoms"
    text = (
        f"A {kind}variational autoencoder with {invariances} as pose was trained on "
        f"{len(patches)} windows of {patches.window[0]} × {patches.window[1]} pixels {on_what}."
    )
    return " ".join([text, *analysis.remarks])


def _facts(analysis: Findings) -> str:
    image, history = analysis.micrograph, analysis.run.history
    scale = f"{image.scale[1]:.4g} {image.units}" if image.pixel_size else "unknown"
    facts = {
        "atoms": f"{len(analysis.atoms):,}",
        "windows": f"{len(analysis.patches):,}",
        "classes": "–" if analysis.classes is None else str(analysis.classes.nunique()),
        "image (px)": " × ".join(str(n) for n in image.shape),
        "pixel size": scale,
        "epochs": f"{history['epoch'].iloc[-1]:.0f}" if len(history) else "0",
        "device": str(analysis.run.device),
    }
    return "".join(f"<div><b>{escape(value)}</b><span>{escape(label)}</span></div>" for label, value in facts.items())


def _latents_table(latents: pd.DataFrame) -> str:
    rows: list[list[Any]] = []
    for name in latents.select_dtypes("number"):
        values = latents[name].to_numpy(float)
        rows.append([str(name), *(float(v) for v in np.nanpercentile(values, [0, 5, 50, 95, 100]))])
    return table_html(rows, ["column", "minimum", "5 %", "median", "95 %", "maximum"])


def _classes_table(analysis: Findings) -> str:
    latents = analysis.latents
    shown = [c for c in latents if str(c) in ("amplitude", "reconstruction_error") or is_latent(str(c))]
    groups = latents.groupby("class_name" if "class_name" in latents else "class")
    rows = [
        [str(label), len(group), 100 * len(group) / len(latents), *(float(group[c].median()) for c in shown)]
        for label, group in groups
    ]
    return table_html(rows, ["class", "atoms", "%", *(f"median {c}" for c in shown)])


def _origin(record: dict[str, Any]) -> dict[str, Any]:
    image = dict(record["micrograph"])
    path = image.pop("metadata").get("path", "")
    return {"file": path, **image, "detection": record["detection"], **record["provenance"]}


def _flat(values: dict[str, Any], prefix: str = "") -> list[list[Any]]:
    """Nested settings as rows of (name, value); the values as text."""
    rows: list[list[Any]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{key} / ")
        else:
            rows.append([f"{prefix}{key}", text_of(value)])
    return rows


def _picture(png: bytes, caption: str) -> str:
    data = base64.b64encode(png).decode("ascii")
    text = escape(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>\n'


def figures(analysis: Findings) -> dict[str, tuple[Figure, str]]:
    """Every figure of an analysis under the name of its file, with its caption."""
    data, found = FigureData.of(analysis), FigureData(analysis.atoms, analysis.micrograph, analysis.patches)
    drawn: dict[str, tuple[Figure, str]] = {}
    n = len(analysis.atoms)
    drawn["atoms"] = atoms_figure(found), f"The {n} {noun_of(analysis.atoms)}, each a circle, on the micrograph."
    for column in [name for name in data.latents if name in ("z1", "z2", "z3")]:
        drawn[column] = overlay_figure(data.colored(column)), f"Latent {column}: what differs beyond the pose."
    if "angle" in analysis.encoded:
        turned = data.colored("angle")
        drawn["angle"] = (
            overlay_figure(turned),
            "Orientation of every motif in degrees, counter-clockwise. One that looks the same after a part of a turn "
            "may be given any of its equal orientations.",
        )
        drawn["angles"] = angle_figure(turned), "How the orientations are spread, with their mean and spread."
    if analysis.classes is not None:
        grouped = data.colored(data.classes)
        drawn["classes"] = overlay_figure(grouped), "Classes of similar latents, found without labels."
        drawn["means"] = class_means_figure(grouped), "The mean window of every class and how many atoms it has."
        data = grouped
    if "z2" in data.latents:
        drawn["latents"] = scatter_figure(data), "All of them in the plane of the first two latents."
    drawn["manifold"] = manifold_figure(data), "What the model draws across that plane, all in one pose."
    error = np.asarray(analysis.latents["reconstruction_error"], float)
    drawn["examples"] = (
        examples_figure(analysis.patches, analysis.reconstruction, error),
        "Windows from the worst reconstructed (left) to the best, what the model makes of them, and the difference.",
    )
    drawn["training"] = loss_figure(analysis.run.history), "Loss and its parts against the epoch of training."
    return drawn
