"""Steps and units of files: lengths become nanometres, and what is not known is not guessed."""

import pytest

from napari_vae.io.calibration import calibrate, clean_unit

LENGTHS = {"nm": 1, "A": 0.1, "Å": 0.1, "Angstroms": 0.1, "pm": 1e-3, "micron": 1e3, "microns": 1e3, "µm": 1e3}
LENGTHS |= {"\u03bcm": 1e3, "\\u00B5m": 1e3, "um": 1e3, "[n_m]": 1, b"nm\x00": 1, "m": 1e9, "mm": 1e6}


@pytest.mark.parametrize(("unit", "nm"), LENGTHS.items())
def test_lengths_become_nanometres(unit, nm):
    result = calibrate((0.5, 2), (unit, unit))
    assert result.units == "nm"
    assert result.pixel_size == pytest.approx((0.5 * nm, 2 * nm))


def test_axes_of_different_units_share_one_afterwards():
    assert calibrate((2, 1), ("A", "nm")).pixel_size == pytest.approx((0.2, 1))


@pytest.mark.parametrize(
    ("steps", "units"),
    [
        ((1, 1), ("", "")),
        ((1, 1), (None, None)),
        ((1, 1), ("pixel", "pixel")),
        ((0.3, 0.3), ("", "")),
        ((0, 0), ("nm", "nm")),
        ((float("nan"), 1), ("nm", "nm")),
        (("?", None), ("nm", "nm")),
        ((2, 2), ("s", "s")),
        ((1, 1), ("nm", "s")),
        ((2, 2), ("µnn", "µ")),
    ],
)
def test_no_scale_is_ever_guessed(steps, units):
    result = calibrate(steps, units)
    assert result.pixel_size is None
    assert result.units == "px"


def test_reciprocal_units_stay():
    assert calibrate((0.17, 0.17), ("1/nm", "1/nm")).units == "1/nm"


def test_clean_unit_knows_pixels():
    assert clean_unit("Pixels") == clean_unit(None) == clean_unit("[]") == ""
