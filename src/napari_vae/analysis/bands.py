"""Maps from spectra: of a band of energies the sum, the position of its peak, or its ratio to another band.

The background of a band is found from the energies beside it: a power law from those before it, as for the edges of
energy losses, or a line from those on both sides, as for peaks.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from ..core.arguments import checks_arguments
from ..core.errors import InputError
from ..core.fields import about
from ..core.micrograph import Micrograph
from ..core.progress import Stage, drain
from ..core.spectra import SpectrumImage

Array = npt.NDArray[np.float64]
Bounds = tuple[float, float]
Quantity = Annotated[
    Literal["sum", "peak", "ratio"],
    about(
        "Map of",
        "What is taken of the band at every place. The sum of its channels is usual; choose the energy of its peak "
        "where that moves, or the ratio to the sum of a second band.",
        choices={"sum": "the sum", "peak": "the position of the peak", "ratio": "the ratio of two bands"},
    ),
]
Background = Annotated[
    Literal["none", "power law", "line"],
    about(
        "Background",
        "What is subtracted first. A power law through the energies before the band suits the edges of energy losses; "
        "a line through those on both sides suits peaks.",
        choices={"none": "none", "power law": "power law, from before the band", "line": "line, from both sides"},
    ),
]

EXPONENTS = np.linspace(-5, 30, 3501)  # of power laws that are told apart
FEWEST = 2  # channels from which a background is found


@checks_arguments
def band_map(
    spectra: SpectrumImage,
    band: Bounds,
    quantity: Quantity = "sum",
    *,
    background: Background = "none",
    second: Bounds | None = None,
    callback: Callable[[Stage], object] | None = None,
) -> Micrograph:
    """Make an image of a spectrum image, with one value for every place.

    Parameters
    ----------
    spectra : SpectrumImage
    band : (float, float)
        First and last energy; the channels between them belong to it, these included.
    quantity : {"sum", "peak", "ratio"}
        The sum of the channels; the energy of the peak, which is the centre of what rises above half its height; or the
        ratio of the sum to that of the `second` band.
    background : {"none", "power law", "line"}
        What is subtracted from each band first: a power law ``A E^-r`` through as many energies before the band as are
        in it (from the sums of both halves of these, which it matches exactly), or a line through half as many on each
        side (least squares).
    second : (float, float), optional
        The other band of a ratio.
    callback : callable, optional
        Called with a `Stage` now and then.

    Returns
    -------
    Micrograph
        (Y, X); NaN where it is not known, as where a spectrum has NaN in the band.

    Raises
    ------
    InputError
        If a band holds no channel, or there is nothing beside it to find a background from.

    References
    ----------
    R. F. Egerton, "Electron Energy-Loss Spectroscopy in the Electron Microscope", Springer 2011, section 4.4, of power
    laws from two areas.

    Examples
    --------
    >>> from napari_vae.samples import spectrum_image
    >>> spectra = spectrum_image(4).spectrum_image
    >>> band_map(spectra, (0.3, 0.7), background="line")
    <Micrograph “energy 0.3 to 0.7 V”: 4 y × 4 x, float64, 0.56 nm/px>
    """
    return drain(iter_band_map(spectra, band, quantity, background=background, second=second), callback)


def iter_band_map(
    spectra: SpectrumImage,
    band: Bounds,
    quantity: Quantity = "sum",
    *,
    background: Background = "none",
    second: Bounds | None = None,
) -> Generator[Stage, None, Micrograph]:
    """As `band_map`, step by step; returns the map."""
    if (quantity == "ratio") != (second is not None):
        raise InputError(
            "A ratio is one of two bands, and other maps are of one; give the second band for ratios only."
        )
    bands = [Band(spectra, bounds, background) for bounds in (band, second) if bounds is not None]
    result = np.empty(spectra.shape[:2])
    for rows, block in spectra.blocks():
        yield Stage("map", rows.start / len(result))
        signals = [one.signal(block) for one in bands]
        if quantity == "peak":
            result[rows] = _peak(signals[0], bands[0].energy)
        else:
            sums = [signal.sum(-1) for signal in signals]
            below = sums[1] if second is not None else np.ones_like(sums[0])
            result[rows] = np.divide(sums[0], below, out=np.full_like(below, np.nan), where=below != 0)
    return spectra.map(result, _title(spectra, band, quantity, second))


def suggest_band(spectra: SpectrumImage) -> Bounds:
    """A tenth of the energies, about the highest mean, in round numbers."""
    mean, energy = np.nan_to_num(spectra.mean(), nan=-np.inf), spectra.energy
    half, middle = max(1, len(energy) // 20), int(mean.argmax())
    first, last = energy[max(0, middle - half)], energy[min(len(mean) - 1, middle + half)]
    if last == first:
        return float(first), float(last)
    digits = int(np.ceil(-np.log10((last - first) / half)))
    return float(np.round(first, digits)), float(np.round(last, digits))


def describe_band(spectra: SpectrumImage, band: Bounds) -> str:
    """A band in words.

    >>> describe_band(SpectrumImage(np.ones((1, 1, 9)), energy_units="eV"), (2.0, 4.0))
    '2 to 4 eV'
    """
    return f"{band[0]:.4g} to {band[1]:.4g} {spectra.energy_units}".strip()


def _title(spectra: SpectrumImage, band: Bounds, quantity: str, second: Bounds | None) -> str:
    words = describe_band(spectra, band)
    if second is not None:
        return f"{spectra.energy_name} {words} / {describe_band(spectra, second)}"
    return f"{spectra.energy_name} {words}" if quantity == "sum" else f"peak in {words}"


class Band:
    """The channels of a band, and those from which its background is found.

    Raises
    ------
    InputError
        As `band_map`.
    """

    def __init__(self, spectra: SpectrumImage, bounds: Bounds, background: Background) -> None:
        low, high = sorted(bounds)
        energy = spectra.energy
        first, end = np.searchsorted(energy, [low, high], "left")[0], np.searchsorted(energy, high, "right")
        words = describe_band(spectra, (low, high))
        if end <= first:
            raise InputError(
                f"No energy lies from {words}; the spectra reach from "
                f"{describe_band(spectra, (float(energy[0]), float(energy[-1])))}."
            )
        self.channels, self.energy, self.background = slice(int(first), int(end)), energy[first:end], background
        count = int(end - first)
        if background == "power law":
            beside = np.arange(max(0, first - max(count, 2 * FEWEST)), first)
            if len(beside) < FEWEST or energy[beside[0]] <= 0:
                raise InputError(
                    f"There are too few energies above 0 before {words} for a power law; choose a line, or a band that "
                    "begins later."
                )
        else:
            half = max(FEWEST, count // 2)
            beside = np.r_[max(0, first - half) : first, end : min(end + half, len(energy))]
            if background == "line" and len(beside) < FEWEST:
                raise InputError(f"There are too few energies beside {words} for a line; choose a narrower band.")
        self.beside, self.at = beside, energy[beside]

    def signal(self, spectra: Array) -> Array:
        """The channels of the band (..., n) of spectra (..., E), without background."""
        inside = spectra[..., self.channels]
        return inside if self.background == "none" else inside - self.below(spectra)

    def below(self, spectra: Array) -> Array:
        """The background of the channels of the band (..., n)."""
        beside = spectra[..., self.beside]
        return self._line(beside) if self.background == "line" else self._power_law(beside)

    def _line(self, beside: Array) -> Array:
        fit = np.vander(self.at - self.energy.mean(), 2)
        found: Array = beside @ np.linalg.pinv(fit).T @ np.vander(self.energy - self.energy.mean(), 2).T
        return found

    def _power_law(self, beside: Array) -> Array:
        """The law whose sums over both halves of the energies beside the band are those seen; constant if one is 0."""
        half, scale = len(self.at) // 2, self.at[-1]
        laws = (self.at / scale) ** -EXPONENTS[:, None]
        expected = np.log(laws[:, :half].sum(1) / laws[:, half:].sum(1))  # rises with the exponent
        early, late = beside[..., :half].sum(-1), beside[..., half:].sum(-1)
        known = (early > 0) & (late > 0)
        ratio = np.divide(early, late, out=np.full_like(late, half / (len(self.at) - half)), where=known)
        exponent = np.interp(np.log(ratio), expected, EXPONENTS)[..., None]
        size = (early + late)[..., None] / ((self.at / scale) ** -exponent).sum(-1, keepdims=True)
        found: Array = size * (self.energy / scale) ** -exponent
        return found


def _peak(signal: Array, energy: Array) -> Array:
    """Centre of what rises above half the height of the band (..., n); noise moves it less than the highest value."""
    low, high = signal.min(-1, keepdims=True), signal.max(-1, keepdims=True)
    above = np.clip(signal - (low + high) / 2, 0, None)
    total = above.sum(-1)
    return np.divide(above @ energy, total, out=np.full_like(total, np.nan), where=total > 0)
