"""Weak columns between heavy ones: found in what the heavy ones leave, and only where there are any."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

import napari_vae as nv
from measuring import detection
from napari_vae import detect_atoms
from napari_vae.atoms.folding import folded
from napari_vae.atoms.model_image import draw_spots
from napari_vae.atoms.weak import note_weak, weak_columns_show
from napari_vae.core.errors import InputError
from napari_vae.core.micrograph import as_micrograph

SIZE, SPACING, WIDTH = 320, 26.0, 3.6
NEAREST = SPACING / np.sqrt(2)


def square_lattice(weak, dose=300, seed=0, background=0.1):
    """Counts of a lattice with weak columns, of a height in heavy ones, at its face centres; where both are."""
    rng = np.random.default_rng(seed)
    turn = np.array([[np.cos(0.12), -np.sin(0.12)], [np.sin(0.12), np.cos(0.12)]])
    steps = np.stack(np.mgrid[-20:21, -20:21], axis=-1).reshape(-1, 2)
    both = [SPACING * (steps + shift) @ turn + SIZE / 2 + rng.normal(0, 0.2, (len(steps), 2)) for shift in (0.1, 0.6)]
    heavy, light = (sites[((sites > -10) & (sites < SIZE + 10)).all(axis=1)] for sites in both)
    spots = np.zeros((len(heavy) + len(light), 5))
    spots[:, 2:4], spots[:, 4] = np.concatenate([heavy, light]), WIDTH
    spots[:, 0] = np.append(np.ones(len(heavy)), np.full(len(light), weak))
    return rng.poisson(dose * (draw_spots((SIZE, SIZE), spots) + background)).astype(float), heavy, light


def cell_image(heavy, weak, cell, spacing=24.0, width=3.8, tail=0.0, flat=0.0, oblong=0.0, dose=300, seed=0, size=260):
    """Counts of a cell (rows of its vectors in spacings) with heavy sites (y, x, height) and weak ones; where both are.

    Columns have a `tail` twice as wide, are `flat` on top, or ellipses of this flatness.
    """
    rng = np.random.default_rng(seed)
    turn = np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    steps = np.stack(np.mgrid[-20:21, -20:21], axis=-1).reshape(-1, 2)
    image, places = np.full((size, size), 0.1), []
    for sites in (heavy, weak):
        drawn = np.zeros((len(sites), len(steps), 7))
        for one, (y, x, height) in zip(drawn, sites, strict=True):
            one[:, 0], one[:, 5] = height, oblong
            one[:, 2:4] = spacing * np.add(steps, (y, x)) @ np.array(cell) @ turn + size / 2
        drawn = drawn.reshape(-1, 7)
        drawn[:, 2:4] += rng.normal(0, 0.1, (len(drawn), 2))
        drawn = drawn[((drawn[:, 2:4] > -15) & (drawn[:, 2:4] < size + 15)).all(axis=1)]
        places.append(drawn[:, 2:4])
        for share, wide in ((1 + flat, 1.0), (tail, 2.0), (-flat, 0.75)):
            if share and len(drawn):
                image += draw_spots((size, size), drawn * [share, 1, 1, 1, 0, 1, 1] + [0, 0, 0, 0, wide * width, 0, 0])
    return rng.poisson(dose * image).astype(float), *places


ONE, FACE = [(0, 0, 1.0)], [(0.5, 0.5, 1.0)]
SQUARE, LONG, BROAD = np.eye(2), [[3.15, 0], [0, 1]], [[1, 0], [0, 2]]
BARIUM, COPPER = [(0.184, 0.5, 1.0), (0.5, 0.5, 0.75), (0.816, 0.5, 1.0)], [(0.356, 0, 1.0), (0.644, 0, 1.0)]
ZIGZAG, BETWEEN = [(0.06, 0, 1.0), (-0.06, 0.5, 1.0)], [(0.5, 0.25, 1.0), (0.5, 0.75, 1.0)]


@pytest.mark.parametrize(
    ("heavy", "weak", "cell", "height", "how"),
    [
        (ONE, FACE, SQUARE, 0.03, {"dose": 1000}),
        (ONE, FACE, SQUARE, 0.06, {"dose": 60}),
        (ONE, FACE, SQUARE, 0.1, {"tail": 0.15, "dose": 1000}),
        (ONE, FACE, SQUARE, 0.1, {"flat": 0.5}),
        (ONE, FACE, SQUARE, 0.12, {"oblong": 0.25}),
        (BARIUM, COPPER, LONG, 0.12, {"dose": 60}),
        (ZIGZAG, BETWEEN, BROAD, 0.08, {"dose": 100}),
        (ZIGZAG, BETWEEN, BROAD, 0.15, {"tail": 0.15, "dose": 100}),
    ],
)
def test_a_lattice_shows_its_weak_columns_and_nothing_else(heavy, weak, cell, height, how):
    """What repeats stands out of noise in which one column hardly does, whatever the shape of the heavy ones."""
    image, strong, light = cell_image(heavy, [(y, x, height * h) for y, x, h in weak], cell, **how)
    found = detect_atoms(image, weak=True).query("found_in == 2")
    sample = detection.Labelled("", image, light)
    agreed = detection.compare(sample, found[["y", "x"]].to_numpy(), 4.0, 24.0)
    assert agreed.precision >= 0.95
    assert agreed.recall >= 0.8
    bare = detect_atoms(cell_image(heavy, [], cell, **how)[0], weak=True)
    assert (bare.found_in == 2).sum() <= 0.01 * len(strong)


def test_empty_sites_of_weak_columns_stay_empty():
    image, _, light = cell_image(ONE, [(0.5, 0.5, 0.1)], SQUARE)
    empty = light[np.argsort(np.hypot(*(light - 130).T))[:20:2]]
    spots = np.column_stack([np.full(len(empty), 30.0), np.zeros(len(empty)), empty, np.full(len(empty), 3.8)])
    found = detect_atoms(image - draw_spots(image.shape, spots), weak=True).query("found_in == 2")
    away = np.hypot(*(found[["y", "x"]].to_numpy()[:, None] - empty).T).min(axis=1)
    assert (away < 4).sum() <= 1
    inside = ((light >= 0) & (light <= np.array(image.shape) - 1)).all(axis=1)
    assert len(found) >= 0.8 * (inside.sum() - len(empty))


def agreement(image, truth, atoms):
    sample = detection.Labelled("", image, truth)
    return detection.compare(sample, atoms[["y", "x"]].to_numpy(), 0.25 * NEAREST, NEAREST)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_second_pass_finds_weak_columns(sign):
    image, heavy, light = square_lattice(0.08)
    image *= sign
    once, atoms = detect_atoms(image), detect_atoms(image, weak=True)
    first, second = (atoms[atoms.found_in == number] for number in (1, 2))
    assert len(first) == len(once)
    for truth, found in ((heavy, once), (heavy, first), (light, second)):
        agreed = agreement(image, truth, found)
        assert agreed.precision >= 0.95
        assert agreed.recall >= 0.95
    inside = ((second[["y", "x"]] > SPACING) & (second[["y", "x"]] < SIZE - SPACING)).all(axis=1)
    assert second[inside].amplitude.median() == pytest.approx(sign * 0.08 * 300, rel=0.1)
    assert second[inside].y_err.notna().all()


def test_a_lattice_without_weak_columns_gets_none():
    for seed in (0, 1):
        image, heavy, _ = square_lattice(0, seed=seed)
        assert (detect_atoms(image, weak=True).found_in == 2).sum() <= 0.01 * len(heavy)


def test_one_pass_is_the_default_and_two_need_the_fit():
    image = square_lattice(0.08)[0]
    assert "found_in" not in detect_atoms(image, refine=False)
    with pytest.raises(InputError, match="leave refine on"):
        detect_atoms(image, refine=False, weak=True)
    noise = np.random.default_rng(0).normal(size=(128, 128))
    assert list(detect_atoms(noise, weak=True)) == [*detect_atoms(noise), "found_in"]


def test_what_repeats_is_left_of_the_noise_and_a_pixel_takes_no_part_in_its_own_mean():
    rng = np.random.default_rng(0)
    sites = np.stack(np.mgrid[10:200:20, 10:200:20], axis=-1).reshape(-1, 2) + 0.4
    spots = np.column_stack([np.ones(len(sites)), np.zeros(len(sites)), sites, np.full(len(sites), 3.0)])
    rows, columns = 2 * np.pi * (np.mgrid[:200, :200] - 0.4) / 20
    repeats, noise = 0.3 * np.sin(rows) * np.cos(columns + 1), rng.normal(0, 1, (200, 200))
    mean = folded((repeats + noise).astype(np.float32), draw_spots((200, 200), spots), sites, 20.0)
    inner = (slice(30, 170), slice(30, 170))
    assert (mean - repeats)[inner].std() < 0.3
    assert abs(np.corrcoef((mean - repeats)[inner].ravel(), noise[inner].ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("sign", [1, pytest.param(-1, marks=pytest.mark.slow)])
def test_it_is_seen_whether_a_second_look_would_gain(sign):
    with_weak, bare = (cell_image(ONE, weak, SQUARE)[0] for weak in ([(0.5, 0.5, 0.08)], []))
    rng = np.random.default_rng(0)
    scattered = np.column_stack([np.ones(60), np.zeros(60), rng.uniform(10, 250, (60, 2)), np.full(60, 3.0)])
    single = rng.poisson(100 * (draw_spots((260, 260), scattered) + 0.2)).astype(float)
    tables = []
    for image, shows in ((1000 * with_weak, True), (bare, False), (single, False)):
        image = as_micrograph(sign * image)
        tables.append(detect_atoms(image))
        assert weak_columns_show(note_weak(tables[-1], image)) == shows
    found = tables[0]
    movie = pd.concat([found, found.head(1).assign(frame=1)], ignore_index=True)
    movie.attrs = found.attrs
    apart = found.iloc[[found["y"].argmin(), found["y"].argmax()]]
    apart.attrs = found.attrs
    assert not weak_columns_show(note_weak(apart, as_micrograph(1000 * sign * with_weak))), "none in their midst"
    frames = nv.Micrograph(1000 * sign * np.stack([with_weak, 0 * with_weak]), axes="TYX")
    assert weak_columns_show(note_weak(movie, frames)), "the first frame is looked at"
    oblong = nv.Micrograph((1000 * sign * with_weak)[::2], pixel_size=(0.04, 0.02), units="nm")
    found = detect_atoms(oblong)
    assert weak_columns_show(note_weak(found, oblong)), "rows twice as high as columns are wide"
    nothing = detect_atoms(with_weak, refine=False)
    assert not weak_columns_show(note_weak(nothing, as_micrograph(with_weak)))


def corners(heavy, across, down, within):
    """Cells of heavy columns (N, 4, 2): each with its neighbours across, down and across both."""
    tree = cKDTree(heavy)
    found = [np.arange(len(heavy))]
    for step in (across, down):
        found += [tree.query(heavy[number] + step, distance_upper_bound=within)[1] for number in found]
        found = [np.where(number < len(heavy), number, 0) for number in found]
    cells = heavy[np.stack(found, axis=1)]
    right = np.abs(cells - cells[:, :1] - [[0, 0], across, down, np.add(across, down)]).max(axis=(1, 2)) < within
    return cells[right]


def test_real_scandium(real_data):
    """Between four Dy each."""
    image = nv.read(real_data / "unseen" / "samples" / "DyScO3.png").data[:600, :600]
    atoms = detect_atoms(image, weak=True)
    strong, light = (atoms.loc[atoms.found_in == number, ["y", "x"]].to_numpy() for number in (1, 2))
    scandium = corners(strong, (0, 48.5), (49, 0), 17).mean(axis=1)
    agreed = detection.compare(detection.Labelled("", image, scandium), light, 8.5, 50)
    assert agreed.recall >= 0.8 and agreed.precision >= 0.95


def test_real_copper(real_data):
    """Between four Ba, or two Ba and two Y, to half a pixel."""
    image = nv.read(real_data / "unseen" / "YBCO_tem.tif").data[:240]
    atoms = detect_atoms(image, weak=True)
    strong, light = (atoms.loc[atoms.found_in == number, ["y", "x"]].to_numpy() for number in (1, 2))
    cells = corners(strong, (0, 11.05), (12, 0), 2.5)
    upper, lower = cells[:, :2].mean(axis=1), cells[:, 2:].mean(axis=1)
    copper = (upper + lower) / 2
    agreed = detection.compare(detection.Labelled("", image, copper), light, 1.85, 16)
    assert agreed.recall >= 0.8 and agreed.precision >= 0.95
