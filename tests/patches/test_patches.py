"""Patches: exact where they must be exact, true to sub-pixel positions, and pasted back where they came from."""

import time

import numpy as np
import pandas as pd
import pytest

from napari_vae import analyze, assign_sublattices, describe_crystal
from napari_vae.core.errors import InputError
from napari_vae.core.micrograph import Micrograph
from napari_vae.core.normalization import Normalization, levels_of
from napari_vae.patches.grid import grid_positions
from napari_vae.patches.partial import filled, measured, worth_cutting
from napari_vae.patches.patches import extract_patches, paste_patches, suggest_window
from napari_vae.patches.windows import blend_windows

UNIT = Normalization(low=(0.0,), high=(1.0,))


def table(points, frame=0):
    points = np.asarray(points, float).reshape(-1, 2)
    return pd.DataFrame({"frame": np.broadcast_to(frame, len(points)), "y": points[:, 0], "x": points[:, 1]})


def smooth(y, x):
    """A band-limited scene in (0, 1) that is known between the pixels."""
    return 0.5 + 0.2 * np.sin(0.35 * y + 0.2) + 0.2 * np.cos(0.27 * x + 0.1 * y)


@pytest.fixture
def noise():
    return np.random.default_rng(0).random((60, 70)).astype(np.float32)


def test_odd_window_at_whole_position_is_the_slice(noise):
    patches = extract_patches(noise, table([[20, 30], [33, 41]]), window=11, normalization=UNIT)
    assert np.array_equal(patches.data[0, 0], noise[15:26, 25:36])
    assert np.array_equal(patches.data[1, 0], noise[28:39, 36:47])


def test_even_window_is_centred_between_pixels(noise):
    patches = extract_patches(noise, table([[20.5, 30.5]]), window=(8, 10), normalization=UNIT)
    assert np.array_equal(patches.data[0, 0], noise[17:25, 26:36])


@pytest.mark.parametrize("window", [11, 12, (9, 14)])
def test_windows_at_fractions_of_a_pixel_show_the_scene_there(window):
    yy, xx = np.mgrid[:64, :80]
    centres = np.random.default_rng(1).uniform(12, 50, (40, 2))
    patches = extract_patches(smooth(yy, xx), table(centres), window=window, normalization=UNIT)
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in patches.window)
    truth = smooth(centres[:, 0, None, None] + rows[:, None], centres[:, 1, None, None] + columns)
    assert np.abs(patches.data[:, 0] - truth).max() < 2e-3


def test_edge_atoms_are_left_out_and_listed(noise):
    atoms = table([[4.9, 30], [5, 30], [30, 64], [30, 64.1], [30, 30]])
    atoms.index = [7, 3, 9, 1, 5]
    patches = extract_patches(noise, atoms, window=11)
    assert list(patches.atoms.index) == [3, 9, 5]
    assert list(patches.dropped.index) == [7, 1]
    assert "2 of 5 atoms" in patches.describe_dropped()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_windows_that_touch_a_gap_are_left_out_and_counted(noise, value):
    atoms = table([[4, 30], [20.2, 30.4], [20.2, 50.6], [40.3, 30.1]])
    holed = noise.astype(float)
    holed[24:30, 45:60] = value
    patches = extract_patches(holed, atoms, window=11)
    assert list(patches.atoms.index) == [1, 3]
    assert list(patches.dropped.index) == [0, 2]
    assert patches.in_gaps == 1
    assert patches.describe_dropped() == (
        "1 of 4 atoms lie too near the border for a 11 × 11 px window and were left out. "
        "1 of 4 atoms were left out because their 11 × 11 px window touches pixels that were not measured (NaN or "
        "infinite)."
    )
    whole = extract_patches(noise, atoms.loc[[1, 3]], window=11)
    assert np.array_equal(patches.data, whole.data)
    with pytest.raises(InputError, match="Every 11 × 11 px window touches pixels"):
        extract_patches(np.full((60, 70), value), atoms, window=11)


def test_movies_follow_the_frame_column(noise):
    movie = np.stack([noise, noise + 1, noise + 2])
    atoms = pd.concat([table([[20, 30]], 2), table([[20, 30]], 0)], ignore_index=True)
    patches = extract_patches(movie, atoms, window=5, normalization=Normalization(low=(0.0,), high=(3.0,)))
    assert np.allclose(patches.data[0] - patches.data[1], 2 / 3)
    with pytest.raises(InputError, match="3 frames"):
        extract_patches(movie, table([[20, 30]], 3), window=5)


def test_channels_from_a_stack_or_several_micrographs(noise):
    atoms = table([[20.3, 30.6], [31.2, 40]])
    stack = extract_patches(Micrograph(np.stack([noise, -5 * noise]), axes="CYX"), atoms, window=8)
    several = extract_patches([Micrograph(noise), Micrograph(-5 * noise)], atoms, window=8)
    assert stack.data.shape == (2, 2, 8, 8)
    assert np.array_equal(stack.data, several.data)
    with pytest.raises(InputError, match="differ in shape"):
        extract_patches([Micrograph(noise), Micrograph(noise[1:])], atoms, window=8)


def test_window_is_two_spacings(noise):
    lattice = np.stack(np.meshgrid(np.arange(12, 50, 6.2), np.arange(12, 60, 6.2)), -1).reshape(-1, 2)
    assert extract_patches(noise, table(lattice)).window == (12, 12)
    atoms = table(lattice)
    atoms.attrs["napari_vae"] = {"spacing": 9.0}
    assert extract_patches(noise, atoms).window == (18, 18)
    assert suggest_window(float("nan")) == 24


@pytest.mark.parametrize("step, window", [(7, 7), (5, 12)])
def test_pasting_returns_the_image_it_came_from(step, window):
    yy, xx = np.mgrid[:64, :80]
    image = smooth(yy, xx).astype(np.float32)
    atoms = grid_positions(image, window=window, step=step)
    atoms["y"] += np.where(atoms["y"] < 50, 0.3, 0)
    patches = extract_patches(image, atoms, window=window, normalization=UNIT)
    pasted = paste_patches(patches.data, patches.atoms, image.shape)[0]
    seen = np.isfinite(pasted)
    assert seen.mean() > 0.7
    assert np.abs(pasted - image)[seen].max() < 3e-3


def test_pasting_at_whole_positions_is_exact_and_fills_elsewhere(noise):
    atoms = table([[20, 30]])
    patches = extract_patches(noise, atoms, window=11, normalization=UNIT)
    pasted = paste_patches(patches.data[:, 0], atoms, noise.shape, fill=0)
    assert np.allclose(pasted[15:26, 25:36], noise[15:26, 25:36], atol=1e-6)
    assert np.count_nonzero(pasted) == np.count_nonzero(noise[15:26, 25:36])
    movie = paste_patches(patches.data[:, 0], table([[20, 30]], 1), (3, *noise.shape), fill=np.nan)
    assert np.isnan(movie[[0, 2]]).all() and np.isfinite(movie[1]).sum() == 121


@pytest.mark.parametrize(("y", "x"), [(0, 20), (39, 20), (20, 0), (20, 59)])
def test_what_hangs_over_an_edge_is_not_pasted_at_the_other(y, x):
    pasted = paste_patches(np.ones((1, 11, 11), np.float32), table([[y, x]]), (40, 60), fill=0)
    rows, columns = np.nonzero(pasted)
    assert (np.abs(rows - y).max(), np.abs(columns - x).max()) == (5, 5)


def test_bad_input_names_the_remedy(noise):
    atoms = table([[20, 30], [31, 40]])
    with pytest.raises(InputError, match="Detect them first"):
        extract_patches(noise, atoms[:0], window=9)
    with pytest.raises(InputError, match="larger than the image"):
        extract_patches(noise, atoms, window=61)
    with pytest.raises(InputError, match="window smaller"):
        extract_patches(noise, atoms, window=59)
    with pytest.raises(InputError, match="NaN or infinite"):
        extract_patches(np.where(noise > 0.99, np.nan, noise), atoms, window=9)
    with pytest.raises(InputError, match="constant"):
        extract_patches(np.ones_like(noise), atoms, window=9)
    with pytest.raises(InputError, match="NaN or infinite positions"):
        extract_patches(noise, table([[20, np.nan]]), window=9)
    with pytest.raises(InputError, match="hold text"):
        extract_patches(noise, atoms.assign(y="here"), window=9)
    with pytest.raises(InputError, match="1 channels but the model was trained on 2"):
        extract_patches(noise, atoms, window=9, normalization=Normalization(low=(0.0, 0.0), high=(1.0, 1.0)))
    for window in ("wide", (8, 8, 8)):
        with pytest.raises(InputError, match=r"window is .* a whole number"):
            extract_patches(noise, atoms, window=window)
    with pytest.raises(InputError, match="one window per atom"):
        paste_patches(np.zeros((3, 5, 5)), atoms, noise.shape)


def test_five_thousand_windows_take_well_under_a_second():
    image = np.random.default_rng(0).random((1024, 1024)).astype(np.float32)
    atoms = table(np.random.default_rng(1).uniform(20, 1000, (5000, 2)))
    start = time.process_time()
    patches = extract_patches(image, atoms, window=24)
    paste_patches(patches.data, patches.atoms, image.shape)
    assert time.process_time() - start < 3


def test_limits_of_many_windows_do_not_come_from_one_column_of_them(monkeypatch):
    monkeypatch.setattr("napari_vae.core.normalization.SAMPLE", 1000)
    windows = np.zeros((250, 1, 8, 8))
    windows[..., 3] = np.random.default_rng(0).random((250, 1, 8)) + 1
    assert Normalization.fit(windows).high[0] > 1.5


def test_the_only_frame_holds_all_atoms_whatever_their_table_says(noise):
    patches = extract_patches(noise[None], table([[20, 30], [33, 41]], frame=4), window=11)
    assert paste_patches(patches.data[:, 0], patches.atoms, (1, 60, 70)).shape == (1, 60, 70)


@pytest.mark.parametrize("frame", [-1, 2])
def test_pasting_into_a_frame_that_is_not_there_is_refused(noise, frame):
    with pytest.raises(InputError, match="choose the atoms of this movie"):
        paste_patches(np.zeros((1, 11, 11)), table([[20, 30]], frame=frame), (2, 60, 70))


@pytest.mark.parametrize(
    ("atoms", "sentence"),
    [
        ([[20.0, 30.0]], "are a list; give a table"),
        (np.array([[20.0, 30.0]]), "are a ndarray; give a table"),
        (table([[20, 30], [30, 30]], frame=[0, np.nan]), "NaN or an infinite number as their frame"),
        (table([[20, 30]], frame="first"), "frame of the atoms holds text"),
    ],
    ids=["list", "array", "frame NaN", "frame text"],
)
def test_what_is_no_table_of_atoms_is_refused(noise, atoms, sentence):
    with pytest.raises(InputError, match=sentence):
        extract_patches(np.stack([noise, noise]), atoms, window=11)


def test_a_window_may_be_an_array(noise):
    assert extract_patches(noise, table([[20, 30]]), window=np.array([9, 11])).window == (9, 11)


def test_patches_and_micrographs_are_one_short_line(noise):
    image = Micrograph(np.stack([noise, noise]), pixel_size=0.02, units="nm", axes="CYX", name="HAADF")
    assert repr(image) == "<Micrograph “HAADF”: 2 c × 60 y × 70 x, float32, 0.02 nm/px>"
    assert repr(Micrograph(noise)) == "<Micrograph “micrograph”: 60 y × 70 x, float32, not calibrated>"
    patches = extract_patches(image, table([[20, 30], [1, 1]]), window=8)
    assert repr(patches) == "<Patches of “HAADF”: 1 windows of 8 × 8 px with 2 channels, 1 dropped>"


def test_intensities_spread_as_told_whatever_the_extremes_and_the_gain():
    rng = np.random.default_rng(0)
    image = rng.normal(100.0, 10.0, (96, 96))
    atoms = pd.DataFrame(rng.uniform(20, 75, (40, 2)), columns=["y", "x"])
    levels = levels_of(extract_patches(image, atoms, window=16).data)
    bright = image.copy()
    bright[::16, ::16] += 1000  # one pixel in 256
    for other in (bright, 7 * image - 3):
        np.testing.assert_allclose(
            levels_of(extract_patches(other, atoms, window=16, levels=levels).data), levels, atol=0.005
        )
    assert abs(levels_of(extract_patches(bright, atoms, window=16).data)[0][1] - levels[0][1]) > 0.1


def test_atoms_of_no_frame_and_atoms_beyond_the_image_are_refused(noise):
    atoms = pd.DataFrame({"y": [30.0, 31.5], "x": [30.0, 25.0]})
    movie = np.stack([noise, noise])
    for work in (
        lambda: extract_patches(movie, atoms, window=12),
        lambda: describe_crystal(atoms, movie),
        lambda: assign_sublattices(atoms, movie),
        lambda: analyze(movie, atoms=atoms),
    ):
        with pytest.raises(InputError, match=r"no column frame.* movie of 2 frames"):
            work()
    assert len(extract_patches(noise, atoms, window=12)) == 2
    with pytest.raises(InputError, match=r"None of the atoms lies on .*rows 3000 to 3150, columns 2500 to 3000"):
        extract_patches(noise, atoms * 100, window=12)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"low": [0.0]}, "high is missing"),
        ({"low": ["dark"], "high": [1.0]}, "low.0"),
        ({"low": [0.0], "high": 1.0}, "high should be"),
        ({"low": [0.0, 0.0], "high": [1.0]}, "for each channel"),
        ({"low": [1.0], "high": [1.0]}, "for each channel"),
    ],
)
def test_limits_that_make_no_sense_are_one_sentence(values, words):
    with pytest.raises(InputError, match=words):
        Normalization.from_dict(values)


def test_intensities_are_brought_to_the_levels_of_others():
    data = np.linspace(0, 100, 1001).reshape(1, 1, 7, 143)
    seen = Normalization.matching(data, [(0.2, 0.7)]).apply(data)
    np.testing.assert_allclose(np.percentile(seen, [5, 90]), [0.2, 0.7], atol=1e-3)


def test_windows_that_show_too_little_or_would_fill_the_memory_are_not_cut():
    centres = np.array([[50.0, 50], [0, 50], [1.5, 50], [2, 1.5], [3, 3]])
    assert worth_cutting(centres, (11, 11), (100, 100), 1).tolist() == [True, False, True, False, True]
    many = np.full((5000, 2), 300.0)
    assert worth_cutting(many, (48, 48), (1024, 1024), 1).all()
    assert not worth_cutting(many, (900, 900), (1024, 1024), 1).any()  # 16 GB


def test_windows_at_the_border_and_gaps_hold_what_there_is_of_them(noise):
    image = noise.copy()
    image[40:44, 40:44] = np.nan
    atoms = table([[20, 30], [2, 30], [31, 2], [0, 0], [36, 38], [42, 42]])
    whole, part = (extract_patches(image, atoms, window=11, partial=asked) for asked in (False, True))
    assert whole.atoms.index.tolist() == [0] and whole.seen is None
    assert part.atoms.index.tolist() == [0, 1, 2, 4] and part.whole.tolist() == [0]  # a corner shows too little
    assert part.normalization == whole.normalization and np.array_equal(part.data[0], whole.data[0])
    assert part.seen[1, 4:].all() and not part.seen[1, :4].any()  # the first row is known to one side alone
    assert np.allclose(part.data[1, 0, 4:], part.normalization.apply(image[None, None, 1:8, 25:36])[0, 0], atol=1e-6)
    assert np.allclose(part.normalization.undo(part.data[1:2])[0, 0, :4], image[1:8, 25:36].mean(), atol=1e-5)
    assert (
        "1 of 6 atoms" in part.describe_dropped() and "3 of 6 atoms at the border or a gap" in part.describe_dropped()
    )


def test_a_window_at_a_whole_position_but_for_rounding_is_pasted_to_its_last_row():
    for off in (0.0, -1e-10, 1e-10):
        pasted = blend_windows(np.ones((1, 1, 5, 4)), np.array([[10.0, 12.5]]) + off, (20, 30), np.nan)
        expected = np.full((1, 20, 30), np.nan)
        expected[:, 8:13, 11:15] = 1
        np.testing.assert_allclose(pasted, expected, atol=1e-6)


def test_what_one_channel_lacks_was_not_measured():
    windows = np.random.default_rng(0).random((2, 3, 4, 4)).astype(np.float32)
    windows[1, 2, 0, 1] = np.nan
    there = np.ones((2, 4, 4), bool)
    there[1, 0, 1] = False
    assert (measured(windows) == there).all()
    whole = filled(windows)
    np.testing.assert_array_equal(whole[0], windows[0])
    for channel in range(3):
        np.testing.assert_array_equal(whole[1, channel][there[1]], windows[1, channel][there[1]])
        assert whole[1, channel, 0, 1] == pytest.approx(windows[1, channel][there[1]].mean())


@pytest.mark.parametrize(
    ("shape", "axes"), [((6, 8), "TYX"), ((2, 6, 8), "YX"), ((6, 8), "XY"), ((2, 6, 8), "ZYX"), ((8,), ""), ((8,), "X")]
)
def test_a_micrograph_has_an_axis_for_each_letter_and_no_other_ones(shape, axes):
    with pytest.raises(InputError, match="The image has shape"):
        Micrograph(np.zeros(shape), axes=axes)
