"""Maps of spectra as image layers, which keep the spectra that they are of; needs neither napari nor Qt."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..analysis.bands import Background, Quantity, band_map, suggest_band
from ..analysis.coloring import color_by
from ..core.micrograph import Micrograph
from ..core.placement import KEPT, Placement
from ..core.spectra import SpectrumImage
from .identity import linked, ours
from .images import image_layer
from .points import KEY, LayerData
from .targets import image_target

if TYPE_CHECKING:
    import pandas as pd

KIND = "band"  # of the layers
SPECTRA, WANTED, PREFIX = "spectra", "wanted", "prefix"  # noted: the spectra, what is shown of these, how names begin


@dataclass(frozen=True)
class Wanted:
    """What a map shows: the arguments of `band_map`."""

    band: tuple[float, float]
    quantity: Quantity = "sum"
    background: Background = "none"
    second: tuple[float, float] | None = None

    def of(self, spectra: SpectrumImage) -> Micrograph:
        """The map."""
        return band_map(spectra, **asdict(self))


def spectra_of(layer: Any) -> SpectrumImage | None:
    """The spectra of which a layer is a map; ``None`` of other layers."""
    found = ours(layer).get(SPECTRA)
    return found if isinstance(found, SpectrumImage) else None


def wanted_of(layer: Any) -> Wanted:
    """What a map shows."""
    wanted = ours(layer).get(WANTED)
    assert isinstance(wanted, Wanted)
    return wanted


def band_layer(
    spectra: SpectrumImage, wanted: Wanted, values: Micrograph, placement: Placement | None = None
) -> LayerData:
    """Image layer data of a map; on its survey if that shows the same places, or at a placement."""
    place = placement_of_map(spectra) if placement is None else placement
    noted = {"kind": KIND, SPECTRA: spectra, WANTED: wanted, "source": spectra.name}
    options = {
        "name": values.name,
        "colormap": "viridis",
        "contrast_limits": limits_of(values.data),
        "interpolation2d": "nearest",
        "metadata": {KEY: noted},
    }
    return values.data, options | place.kwargs(), "image"


def spectra_layers(spectra: SpectrumImage, images: list[LayerData] | None = None) -> list[LayerData]:
    """The images that came along with spectra, by default the survey, and on top the sum over the strongest band."""
    if images is None:
        images = [] if spectra.survey is None else [image_layer(spectra.survey)]
    wanted = Wanted(suggest_band(spectra))
    made = band_layer(spectra, wanted, wanted.of(spectra))
    covered = spectra.survey if spectra.survey is not None and spectra.covers(spectra.survey) else None
    survey = next((one for one in images if covered is not None and covered.name in one[1]["name"]), None)
    if survey is None:
        return [*images, made]
    made[1]["opacity"] = 0.7
    return [*(one for one in images if one is not survey), *linked([survey, made])]


def latent_layers(spectra: SpectrumImage, latents: pd.DataFrame) -> list[LayerData]:
    """Image layer data of a map of each latent, pose and class of spectra, hidden but for the first latent.

    Parameters
    ----------
    latents : DataFrame
        As `Run.encode` gives them for `spectrum_patches`.
    """
    place, made = placement_of_map(spectra), []
    for name in [str(name) for name in latents if f"{name}_sd" in latents or name == "class"]:
        values = np.full(spectra.shape[0] * spectra.shape[1], np.nan, np.float32)
        values[latents.index] = latents[name]
        coloring = color_by(latents[name])
        options = {
            "name": f"map of {name}",
            "colormap": "viridis" if coloring.limits is None else coloring.colormap,
            "contrast_limits": coloring.limits or limits_of(values),
            "interpolation2d": "nearest",
            "visible": name == "z1",
            "metadata": {KEY: {"kind": "map", "column": name, "source": spectra.name}},
        }
        made.append((values.reshape(spectra.shape[:2]), options | place.kwargs(), "image"))
    return made[::-1]


def placement_of_map(spectra: SpectrumImage) -> Placement:
    """Where the places of spectra lie: on the survey, border on border, if that shows the same."""
    survey = spectra.survey
    if KEPT in spectra.metadata or survey is None or not spectra.covers(survey):
        return Placement.of_micrograph(spectra.map(np.zeros(spectra.shape[:2]), spectra.name))
    place = Placement.of_micrograph(survey)
    pixels = np.array(survey.shape) / spectra.shape[:2]
    return replace(place, scale=place.scale * pixels, translate=place.translate + place.scale * (pixels - 1) / 2)


def limits_of(values: npt.NDArray[Any]) -> tuple[float, float]:
    """From the 1st to the 99th hundredth of the values that are known."""
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, [0.01, 0.99]) if known.size else (0.0, 1.0)
    return float(low), float(high if high > low else low + 1)


def column_of_map(layer: Any, points: Any) -> npt.NDArray[np.float64]:
    """The value (N,) of a map under every point; NaN beyond it."""
    pixels = np.asarray(layer.data)
    ours_, theirs = Placement.of_layer(points), Placement.of_layer(layer)
    return image_target(layer.name, pixels, theirs, np.asarray(points.data, float), ours_, 0.0).values
