"""Regular grids of windows: where they lie, and what a step with a unit means."""

import numpy as np
import pytest

import napari_vae as nv
from napari_vae.core.placement import Placement
from napari_vae.core.units import in_pixels
from napari_vae.patches.grid import grid_cells, grid_positions

SIZE = (0.05, 0.05)


@pytest.mark.parametrize(
    ("length", "pixels"),
    [(24, 24), ("24", 24), ("24px", 24), ("24 px", 24), ("2nm", 40), ("5 Å", 10), ("1e-1nm", 2), (".2nm", 4)],
)
def test_a_length_is_counted_in_pixels(length, pixels):
    assert in_pixels(length, SIZE, "nm") == pytest.approx(pixels)


@pytest.mark.parametrize("length", ["", "nm", "-3nm", "2 foo", "9**9", "2nm 3", "nan", "1/nm", "2s", "2\x1b[2J"])
def test_what_is_no_length_of_the_image_is_refused(length):
    with pytest.raises(nv.InputError, match=r"24px, 2nm|give px"):
        in_pixels(length, SIZE, "nm")


def test_a_step_in_nm_needs_pixels_with_a_size():
    with pytest.raises(nv.InputError, match="have no size"):
        nv.patches.grid_positions(np.zeros((64, 64)), "2nm")


@pytest.mark.parametrize("step", [0, -1, 0.4, "0.01nm", 65, float("inf")])
def test_a_step_that_no_grid_can_have_is_refused(step):
    with pytest.raises(nv.InputError, match=r"from 1 px|is a number"):
        grid_positions(nv.Micrograph(np.zeros((64, 64)), SIZE, "nm"), step)


@pytest.mark.parametrize(("step", "apart"), [(6, 6), ("6px", 6), ("0.3nm", 6), ("0.31nm", 6), ("3 Å", 6)])
def test_a_step_is_a_whole_number_of_pixels(step, apart):
    atoms = grid_positions(nv.Micrograph(np.zeros((64, 70)), SIZE, "nm"), step, window=16)
    assert np.unique(np.diff(np.unique(atoms["x"]))) == apart and len(atoms) == 9 * 10


@pytest.mark.parametrize("window", [9, 16, (9, 16)])
def test_windows_are_cut_from_whole_pixels_up_to_the_border(window):
    image = np.random.default_rng(0).random((40, 50)).astype(np.float32)
    atoms = grid_positions(image, 1, window=window)
    rows, columns = np.broadcast_to(window, 2)
    assert len(atoms) == (41 - rows) * (51 - columns)
    patches = nv.extract_patches(image, atoms, window=window, level="none")
    assert np.allclose(patches.normalization.undo(patches.data[-1])[0], image[-rows:, -columns:], atol=0.01)


def test_without_a_window_it_is_the_one_that_is_cut_by_itself():
    image = np.random.default_rng(0).random((40, 50))
    patches = nv.extract_patches(image, grid_positions(image, 4))
    assert patches.window == (24, 24) and not len(patches.dropped) and len(patches) == 5 * 7


@pytest.mark.parametrize("window", [7, 12])
def test_each_pixel_of_a_picture_lies_on_its_window(window):
    """Pixels twice as long as wide, on an image that lies elsewhere; some windows are missing."""
    image = nv.Micrograph(np.zeros((3, 30, 80)), (0.04, 0.02), "nm", axes="TYX")
    place = Placement.of_micrograph(image)
    place = Placement(**place.kwargs() | {"translate": np.array([0, 7.0, -3.0])})
    atoms = grid_positions(image, 4, window=window).drop(index=[5, 17])
    cells, lies = grid_cells(atoms, place)
    assert (cells >= 0).sum() == len(atoms) and cells.shape[0] == 3
    places = np.argwhere(cells >= 0)
    on_image = place.points_from(places, lies)
    assert on_image == pytest.approx(atoms.iloc[cells[tuple(places.T)]][["frame", "y", "x"]].to_numpy(float))
    assert lies.scale[1:] == pytest.approx([0.08, 0.08])
