"""What a user did to atoms by hand, told from the atoms as detected, and kept when they are detected again."""

import numpy as np
import pandas as pd
import pytest

from napari_vae.layers.edits import Earlier, Scope, edits_of, merge, places_of

SPACING = 12.0
EVERYWHERE = Scope()


def detection(frames=1, jitter=0.0, seed=0):
    """A grid of 5 × 5 atoms in every frame, as a detection gives it."""
    steps = np.arange(10, 60, SPACING)
    grid = np.stack(np.meshgrid(np.arange(frames), steps, steps, indexing="ij"), -1).reshape(-1, 3)
    grid[:, 1:] += jitter * np.random.default_rng(seed).uniform(-1, 1, (len(grid), 2))
    table = pd.DataFrame({"frame": grid[:, 0].astype(int), "y": grid[:, 1], "x": grid[:, 2]})
    table["score"] = np.arange(len(table)) + 100.0 * seed
    table.attrs["napari_vae"] = {"spacing": SPACING}
    return table


def earlier(atoms, detected=None, latents=()):
    detected = places_of(detection(int(atoms["frame"].max()) + 1)) if detected is None else detected
    return Earlier(atoms.reset_index(drop=True), detected, made=("score",), latents=latents)


def with_atom(atoms, frame, y, x):
    return pd.concat([atoms, pd.DataFrame({"frame": [frame], "y": [y], "x": [x]})], ignore_index=True)


def has(atoms, *place):
    return bool((np.abs(places_of(atoms) - place).max(axis=1) < 1).any())


def test_edits_are_told_from_the_places_as_detected():
    atoms = detection()
    now = atoms.drop(index=[3]).reset_index(drop=True)
    now.loc[0, "y"] += 2.5
    now = with_atom(now, 0, 30.0, 5.0)
    edits = edits_of(places_of(atoms), places_of(now))
    assert np.flatnonzero(edits.placed).tolist() == [0, len(now) - 1]
    assert {tuple(place) for place in edits.deleted} == {tuple(place) for place in places_of(atoms)[[0, 3]]}
    assert not edits_of(places_of(atoms), places_of(atoms.sample(frac=1, random_state=0))).placed.any()


def test_added_moved_and_deleted_atoms_survive_again_and_again():
    atoms = detection()
    now = atoms.drop(index=[7]).reset_index(drop=True)
    now.loc[0, ["y", "x"]] = [13.0, 12.0]
    now = with_atom(now, 0, 28.0, 16.0)
    detected = places_of(atoms)
    for round_ in range(1, 4):
        again = detection(jitter=1.0, seed=round_)
        if round_ == 2:
            again = again.drop(index=[7])  # not found this time, so that its place must be remembered
            again.attrs["napari_vae"] = {"spacing": SPACING}
        merged = merge(earlier(now, detected), again, EVERYWHERE)
        now, detected = merged.atoms, merged.detected
        assert len(now) == 25 and merged.complete
        assert not has(now, 0, *places_of(atoms)[7, 1:])
        assert {(13.0, 12.0), (28.0, 16.0)} <= set(zip(now["y"], now["x"], strict=True))
        followed = now[now["score"].notna()]
        assert np.allclose(followed["y"], again["y"].loc[followed["score"] - 100 * round_])


def test_without_edits_everything_is_as_detected():
    again = detection(jitter=2.0, seed=1).drop(index=[2, 3]).reset_index(drop=True)
    again.attrs["napari_vae"] = {"spacing": SPACING}
    merged = merge(earlier(detection()), again, EVERYWHERE)
    pd.testing.assert_frame_equal(merged.atoms, again)
    assert merged.complete and 2 not in merged.source and 3 not in merged.source


def test_an_atom_added_beside_another_does_not_take_its_place():
    merged = merge(earlier(with_atom(detection(), 0, 13.0, 10.0)), detection(jitter=0.2, seed=1), EVERYWHERE)
    assert len(merged.atoms) == 26 and has(merged.atoms, 0, 13, 10) and has(merged.atoms, 0, 10, 10)


@pytest.mark.parametrize(
    "values, blank",
    [
        (np.arange(25), np.isnan),
        (np.linspace(0, 1, 25), np.isnan),
        (np.arange(25) % 2 == 0, np.logical_not),
        (pd.Categorical(["a", "b", "c", "d", "e"] * 5), lambda value: value == ""),
        (np.array(["a", "b", "c", "d", "e"] * 5), lambda value: value == ""),
    ],
)
def test_columns_of_the_user_follow_the_atoms(values, blank):
    before = detection().assign(mine=values)
    again = detection(jitter=1.0, seed=1).iloc[::-1].reset_index(drop=True)
    again = with_atom(again, 0, 40.0, 4.0)
    again.attrs["napari_vae"] = {"spacing": SPACING}
    merged = merge(earlier(before), again, EVERYWHERE)
    assert merged.complete
    assert (merged.atoms["mine"].iloc[:25].to_numpy() == np.asarray(values)[::-1]).all()
    assert blank(merged.atoms["mine"].iloc[25])
    assert merged.source.tolist() == [*range(24, -1, -1), -1]


def test_a_value_of_an_atom_that_vanishes_is_not_lost_unsaid():
    before, again = detection(), detection().drop(index=[4])
    again.attrs["napari_vae"] = {"spacing": SPACING}
    assert merge(earlier(before.assign(label="")), again, EVERYWHERE).complete
    words = ["strange" if row == 4 else "" for row in range(25)]
    assert not merge(earlier(before.assign(label=words)), again, EVERYWHERE).complete
    assert merge(earlier(before.assign(label=words)), detection(jitter=1.0, seed=1), EVERYWHERE).complete


def test_latents_stay_with_atoms_that_did_not_change():
    before = detection().assign(z1=np.linspace(0, 1, 25).astype(np.float32))
    again = detection()
    again.loc[:4, "x"] += 0.5
    merged = merge(earlier(before, latents=("z1",)), again, EVERYWHERE)
    assert merged.atoms["z1"].iloc[:5].isna().all() and not merged.complete
    assert merged.atoms["z1"].iloc[5:].tolist() == before["z1"].iloc[5:].tolist()
    assert merged.atoms["z1"].dtype == np.float32
    assert merge(earlier(before, latents=("z1",)), detection(), EVERYWHERE).complete


def test_a_column_of_the_detection_does_not_overwrite_one_of_the_user_unsaid():
    before = detection().assign(sublattice="mine")
    merged = merge(earlier(before), detection().assign(sublattice=1), EVERYWHERE)
    assert set(merged.atoms["sublattice"]) == {1} and not merged.complete


def test_frames_of_a_movie_are_edited_by_themselves():
    atoms = detection(frames=3)
    now = atoms.drop(index=[25]).reset_index(drop=True)  # the first atom of frame 1
    merged = merge(earlier(now), detection(frames=3, jitter=1.0, seed=1), EVERYWHERE)
    assert merged.atoms["frame"].value_counts().to_dict() == {0: 25, 1: 24, 2: 25}
    assert not has(merged.atoms, 1, 10, 10) and has(merged.atoms, 0, 10, 10) and has(merged.atoms, 2, 10, 10)


def test_frames_that_were_not_looked_at_stay_as_they_are():
    atoms = detection(frames=3)
    now = atoms.drop(index=[25, 60]).reset_index(drop=True)
    again = detection(frames=3, jitter=1.0, seed=1).query("frame == 1")
    again.attrs["napari_vae"] = {"spacing": SPACING}
    merged = merge(earlier(now), again, Scope(frames=frozenset([1])))
    assert merged.atoms["frame"].value_counts().to_dict() == {0: 25, 1: 24, 2: 24}
    for frame in (0, 2):
        columns = ["y", "x", "score"]
        assert np.array_equal(*(table.loc[table["frame"] == frame, columns] for table in (merged.atoms, now)))
    later = merge(Earlier(merged.atoms, merged.detected, ("score",)), detection(frames=3), EVERYWHERE)
    assert len(later.atoms) == 73  # what was deleted in either frame stays deleted


def test_what_lies_outside_of_a_region_stays_as_it_is():
    region = np.zeros((70, 70), dtype=bool)
    region[:, :28] = True
    now = with_atom(detection().drop(index=[0, 24]).reset_index(drop=True), 0, 16.0, 52.0)
    again = detection(jitter=1.0, seed=1).query("x < 28")
    again.attrs["napari_vae"] = {"spacing": SPACING}
    merged = merge(earlier(now), again, Scope(region=region))
    left, right = (merged.atoms[merged.atoms["x"] < 28], merged.atoms[merged.atoms["x"] >= 28])
    assert len(left) == 9 and (left["score"] >= 100).all()
    assert np.array_equal(right[["y", "x", "score"]], now[now["x"] >= 28][["y", "x", "score"]], equal_nan=True)
    later = merge(Earlier(merged.atoms, merged.detected, ("score",)), detection(), EVERYWHERE)
    assert len(later.atoms) == 24 and has(later.atoms, 0, 16, 52)
    assert not has(later.atoms, 0, 10, 10) and not has(later.atoms, 0, 58, 58)


def test_all_atoms_deleted_stay_deleted():
    now = detection().iloc[:0]
    merged = merge(Earlier(now, places_of(detection()), ("score",)), detection(jitter=1.0, seed=1), EVERYWHERE)
    assert len(merged.atoms) == 0 and list(merged.atoms) == ["frame", "y", "x", "score"]
