import numpy as np
import pytest

from napari_vae import InputError, samples


def centre(image):
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(y * image).sum(), (x * image).sum()]) / image.sum()


def test_values_shapes_and_reproducibility():
    first, again = samples.cards(3, seed=5), samples.cards(3, seed=5)
    assert first.images.shape == (12, 48, 48)
    assert first.images.min() >= 0 and first.images.max() <= 1
    np.testing.assert_array_equal(first.images, again.images)
    assert not np.array_equal(first.images, samples.cards(3, seed=6).images)


def test_a_seed_gives_the_same_cards_as_ever():
    cards = samples.cards(3, seed=3)
    assert cards.angle[:3] == pytest.approx([-99.444200, -63.165478, 72.305872], abs=1e-4)
    assert (cards.images.astype(float) ** 2).sum() == pytest.approx(8188.6514, abs=0.02)


def test_angles_are_counter_clockwise():
    upright = samples.cards(1, max_angle=0, max_shear=0, max_shift=0).images[0]
    turned = samples.cards(40, max_angle=180, max_shear=0, max_shift=0)
    nearest = np.argmin(np.abs(turned.angle[:40] - 90))
    y, x = centre(upright) - 23.5
    radians = np.deg2rad(turned.angle[nearest])
    expected = np.array([y * np.cos(radians) - x * np.sin(radians), y * np.sin(radians) + x * np.cos(radians)])
    np.testing.assert_allclose(centre(turned.images[nearest]) - 23.5, expected, atol=0.3)


def test_shifts_are_rows_and_columns():
    still = samples.cards(8, max_angle=0, max_shear=0, max_shift=0, seed=1)
    moved = samples.cards(8, max_angle=0, max_shear=0, max_shift=4, seed=1)
    for before, after, shift, suit in zip(still.images, moved.images, moved.shift, moved.suit, strict=True):
        if suit == 3:  # the only suit that stays whole inside the frame
            np.testing.assert_allclose(centre(after) - centre(before), shift, atol=0.05)


def test_scale_changes_the_area():
    sample = samples.cards(10, max_angle=0, max_shear=0, max_shift=0, scale=(0.6, 0.9))
    areas = sample.images[sample.suit == 3].sum((1, 2)) / sample.scale[sample.suit == 3] ** 2
    assert areas.std() / areas.mean() < 0.01


def test_bad_sizes_are_refused():
    with pytest.raises(InputError, match="size is a whole number of 8"):
        samples.cards(1, size=100)
    with pytest.raises(InputError, match="rising"):
        samples.cards(1, scale=(1.2, 0.8))
