"""The adviser suggests what is there, on images whose truth is known, and nothing where nothing is."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import rotate

import napari_vae as nv
from napari_vae.core.progress import drain
from napari_vae.workflow.advise import _sizes, iter_advise
from napari_vae.workflow.trials import LATENTS, Scan, _similarity, _Trial

TRAIN = nv.TrainConfig(device="cpu")


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Fewer steps: these images are clear."""
    monkeypatch.setattr("napari_vae.workflow.trials.STEPS", 80)


@pytest.fixture
def hastier(hasty, monkeypatch):
    """Half of them, where the gain is several times what counts as clear, or none."""
    monkeypatch.setattr("napari_vae.workflow.trials.STEPS", 40)


def mosaic(tiles):
    """Images (N, H, H) side by side in one picture, and the table of their centres."""
    side, across = tiles.shape[-1], int(np.ceil(np.sqrt(len(tiles))))
    picture = np.zeros((across, across, side, side), np.float32)
    picture.reshape(-1, side, side)[: len(tiles)] = tiles
    row, column = np.divmod(np.arange(len(tiles)), across)
    atoms = pd.DataFrame({"y": row * side + (side - 1) / 2, "x": column * side + (side - 1) / 2})
    atoms.attrs["napari_vae"] = {"spacing": side / 2}
    return picture.swapaxes(1, 2).reshape(across * side, -1), atoms


def turned_graphene(n=200, window=12):
    """Windows of graphene, half of them turned by any angle."""
    image, truth = nv.samples.micrograph(
        "graphene", size=220, pixel_size=0.025, dose=2000, seed=1, vacancies=0, dopants=0
    )
    wide = nv.extract_patches(image, truth, window=2 * window).data[:n, 0]
    angles = np.random.default_rng(0).uniform(0, 360, len(wide)) * (np.arange(len(wide)) % 2)
    turned = [rotate(tile, angle, reshape=False) for tile, angle in zip(wide, angles, strict=True)]
    cut = slice(window // 2, -(window // 2))
    return mosaic(np.array(turned)[:, cut, cut])


def sheared_cards(n=35):
    """Suits of cards, sheared but not turned, at a third of their size."""
    cards = nv.samples.cards(n, max_angle=0.1, max_shear=20, seed=0).images
    return mosaic(cards.reshape(-1, 16, 3, 16, 3).mean((2, 4)))


@pytest.fixture(scope="module")
def perovskite():
    """A perfect crystal: nothing is turned, moved or replaced."""
    calm = {"vacancies": 0, "dopants": 0, "polar": 0, "displacement": 0, "drift": 0, "jitter": 0}
    return nv.samples.micrograph("perovskite", size=170, pixel_size=0.035, seed=0, **calm)


def first_choice(image, atoms, window):
    """Advice of a scan that is stopped when it looks for a second invariance."""
    messages = [""]
    job = iter_advise(image, atoms, windows=[window], train=TRAIN, stop=lambda: messages[-1].count(",") > 0)
    while True:
        try:
            messages.append(next(job).message)
        except StopIteration as end:
            return end.value


@pytest.mark.slow
def test_rotation_is_suggested_where_windows_are_turned(hastier):
    image, atoms = turned_graphene()
    advice = first_choice(image, atoms, 12)
    assert advice.model.invariances == ("rotation",)
    assert "Rotation explains" in advice.reasons
    assert "stopped" in advice.reasons


@pytest.mark.slow
def test_strain_is_suggested_where_windows_are_sheared():
    image, atoms = sheared_cards()
    assert first_choice(image, atoms, 16).model.invariances == ("strain",)


@pytest.mark.slow
def test_the_simplest_model_is_suggested_where_nothing_is_turned(hastier, perovskite):
    advice = nv.advise(*perovskite, windows=[16], train=TRAIN)
    assert advice.model.invariances == ()
    assert advice.model.latent_dim == 1
    table = advice.table
    assert table["suggested"].sum() == 1
    assert set(table["latents"]) == set(LATENTS)
    assert np.isfinite(table["held_out"]).all()


@pytest.mark.parametrize(("steps", "tried"), [(1, 0), (90, 1)])
def test_progress_goes_up_and_the_scan_stops_at_once(perovskite, steps, tried):
    """It is asked after every step, of which a training has about 80, and never again once it says stop."""
    answers, events = iter([False] * (steps - 1) + [True]), []
    job = iter_advise(*perovskite, windows=[16], train=TRAIN, stop=lambda: next(answers))
    with pytest.raises(StopIteration) as end:
        while True:
            events.append(next(job))
    assert events[0].step == 0 and next(answers, None) is None
    assert [event.step for event in events] == sorted(event.step for event in events)
    advice = end.value.value
    assert len(advice.table) == tried and "stopped" in advice.reasons
    assert tried or advice.model == nv.ModelConfig(latent_dim=2)


def test_windows_of_two_one_and_a_half_and_three_spacings_are_tried():
    places = np.mgrid[6:194:12, 6:194:12].reshape(2, -1)
    assert _sizes(np.zeros((200, 200)), pd.DataFrame({"y": places[0], "x": places[1]}), None) == [24, 18, 36]


def test_too_few_atoms_and_windows_that_do_not_fit_are_one_sentence(perovskite):
    image, atoms = perovskite
    with pytest.raises(nv.InputError, match="too few to compare"):
        nv.advise(image, atoms[:30])
    with pytest.raises(nv.InputError, match="larger than the image"):
        nv.advise(image, atoms, windows=[500])
    with pytest.raises(nv.InputError, match="at least one window"):
        nv.advise(image, atoms, windows=[])


def test_the_seed_is_that_of_the_training_unless_another_is_given(monkeypatch):
    monkeypatch.setattr("napari_vae.workflow.trials.STEPS", 4)
    image, atoms = sheared_cards(20)

    def loss(**seeds):
        models = set()
        train = nv.TrainConfig(device="cpu", seed=seeds.pop("of_training"))
        job = iter_advise(image, atoms, windows=[16], train=train, stop=lambda: len(models) > 1, **seeds)
        return drain(job, lambda event: models.add(event.message)).table["held_out"].iloc[0]

    assert loss(of_training=5) == loss(of_training=0, seed=5) != loss(of_training=0)


@pytest.mark.parametrize(("seed", "seeds"), [(0, [0, 1]), (7, [7, 8]), (2**32 - 1, [2**32 - 1, 0])])
def test_a_choice_is_trained_with_the_seed_and_with_the_next_one(monkeypatch, seed, seeds):
    seen, rows = [], np.arange(6.0)

    def trained(patches, model, train, *, stop):
        seen.append(train.seed)
        latents = pd.DataFrame({"z1": rows, "z1_sd": 1.0})
        history = pd.DataFrame({"held_out": [9.0, 5.0 + len(seen)]})
        return SimpleNamespace(stopped=False, history=history, encode=lambda patches: latents)
        yield

    monkeypatch.setattr("napari_vae.workflow.trials.iter_fit", trained)
    scan = Scan({16: [0] * 6}, nv.TrainConfig(seed=seed), lambda: False)
    for number in (0, 1, 1):
        assert not list(scan._train(scan.best, number))
    assert seen == seeds
    trial = scan.trials[scan.best]
    assert trial.losses == [6.0, 7.0] and np.array_equal(trial.latents, [rows[:, None]] * 2)


def test_tables_are_alike_that_differ_by_rotation_scale_and_place_alone():
    one, other = np.random.default_rng(0).normal(size=(2, 500, 2))
    turned = 3 * one @ [[0.6, 0.8], [-0.8, 0.6]] + [40, -7]
    assert _similarity(one, turned) == pytest.approx(1) == pytest.approx(_similarity(turned, one))
    assert _similarity(one, other + 9) < 0.02
    half = np.column_stack([turned[:, 0], other[:, 1] + 9])
    assert 0.2 < _similarity(one[:, :1], half) < 0.9
    assert _similarity(one, np.full((500, 2), 5.0)) == 0


class Known(Scan):
    """A scan whose trainings are known: the held-out losses of each seed by the number of latents."""

    def losses(self, by_latents):
        self.known = by_latents
        return self

    def _train(self, choice, number):
        known = self.known[choice.model.latent_dim]
        self.trials.setdefault(choice, _Trial()).losses[:] = [known, known + 0.5][: number + 1]
        yield from ()


@pytest.mark.parametrize(
    ("losses", "latents"),
    [((100, 60, 59, 58), 2), ((100, 99, 98, 80), 5), ((100, 99, 99, 98), 1), ((100, 80, 60, 62), 3)],
)
def test_the_fewest_latents_are_taken_that_are_not_clearly_worse(losses, latents):
    """Five nats a window are clear here."""
    scan = Known({16: SimpleNamespace(data=np.zeros((1, 1, 10, 10)))}, TRAIN, lambda: False)
    list(scan.losses(dict(zip(LATENTS, losses, strict=True))).choose_latents())
    assert scan.best.model.latent_dim == latents
    assert scan.reasons[0].startswith("1 latent" if latents == 1 else f"{latents} latents, better than 1 by")
