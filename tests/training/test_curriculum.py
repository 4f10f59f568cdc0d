"""How a training begins and how its steps shrink: phases, what the model is given in each, rates, progress."""

import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_vae import ModelConfig, TrainConfig
from napari_vae.core.progress import Progress, drain, never
from napari_vae.models.evidence import Target
from napari_vae.models.vae import InvariantVAE
from napari_vae.training import curriculum as curriculum_module
from napari_vae.training.curriculum import Supervision, Teacher, classes_of_groups, provisional_classes
from napari_vae.training.forecast import (
    COPIES,
    COPY,
    CUT,
    DRAWN,
    GRADIENTS,
    IMAGE,
    LIBRARIES,
    LOOK,
    PIXEL,
    START,
    STEP,
    STEP_POSED,
    WEIGHT,
    forecast,
)
from napari_vae.training.schedule import (
    CENTRING,
    DISTILLATION,
    FLOOR,
    MAX_STEPS,
    MIN_STEPS,
    SLOWEST,
    WARM_UP,
    Curriculum,
    Schedule,
    automatic_batch,
)


def curriculum(name, n_steps=1000, *, goes_on=False, **train):
    options = {"n_classes": 3} if name.startswith("j-") else {}
    return Curriculum(ModelConfig.preset(name, **options), TrainConfig(**train), 10, n_steps, goes_on)


# ---- curriculum -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rvae", "j-vae", "j-rvae"])
@pytest.mark.parametrize(("n_steps", "ends"), [(1000, (400, 650)), (200, (90, 150)), (None, (400, 650))])
def test_the_first_two_phases_end_where_they_should(name, n_steps, ends):
    plan = curriculum(name, n_steps)
    phases = [plan.phase(step) for step in (0, ends[0] - 1, ends[0], ends[1] - 1, ends[1])]
    assert phases == ["warm-up", "warm-up", "distillation", "distillation", "free"] and plan.free_from == ends[1]
    assert (WARM_UP, DISTILLATION) == ((0.45, 400), (0.75, 650))


@pytest.mark.parametrize("name", ["vae", "tvae", "strain-rvae", "ss-vae"])
def test_models_that_nothing_is_held_in_are_free_from_the_start(name):
    held = curriculum(name).free_from
    assert held == (650 if name == "ss-vae" and ModelConfig.preset(name).infers_classes else 0)
    assert curriculum("rvae", goes_on=True).free_from == 0 and curriculum("rvae", goes_on=True).phase(0) == "free"


def test_a_model_of_rotation_and_translation_centres_first():
    assert curriculum("trvae").centring(CENTRING - 1) and not curriculum("trvae").centring(CENTRING)
    assert not any(curriculum(name).centring(0) for name in ("rvae", "tvae", "vae"))
    assert not curriculum("trvae", goes_on=True).centring(0)


def test_the_first_phase_ends_with_small_steps():
    plan = curriculum("rvae")
    paces = [plan.pace(step) for step in range(400)]
    assert paces[:241] == [1.0] * 241 and plan.pace(400) == plan.pace(900) == 1
    assert all(one > other for one, other in pairwise(paces[240:]))
    assert paces[320] == pytest.approx((1 + SLOWEST) / 2) and SLOWEST < paces[-1] < SLOWEST + 1e-3
    assert curriculum("vae").pace(0) == 1


def test_weights_of_the_divergences_follow_their_ramps():
    assert curriculum("vae").weights(500) == (1.0, 1.0)
    plan = curriculum("vae", beta=(0.0, 2.0, 40), beta_discrete=3.0)
    assert [plan.weights(step) for step in (0, 100, 400, 900)] == [(0, 3), (0.5, 3), (2, 3), (2, 3)]
    assert curriculum("vae", beta=(1.0, 4.0, 0)).weights(0)[0] == 4


# ---- supervision ----------------------------------------------------------------------------------------------------


class Given:
    """Batches of four images, of which the first two are labelled."""

    def __init__(self, n_labelled=2, given=True):
        self.n_labelled, self.device = n_labelled, torch.device("cpu")
        self.given = torch.eye(3)[[0, 1, 2, 0]] if given else None

    def load_given(self, rows):
        return None if self.given is None else self.given[rows]


def supervision(infers_classes, phase, **batches):
    config = SimpleNamespace(infers_classes=infers_classes, invariances=())
    model = SimpleNamespace(config=config, any_class=lambda n: torch.full((n, 3), 1 / 3))
    made = Supervision(model, Given(**batches))
    made.phase = phase
    return made


ROWS = torch.tensor([1, 2])


def test_what_is_given_depends_on_the_phase():
    assert torch.equal(supervision(False, "warm-up").given(ROWS, False), torch.eye(3)[[1, 2]])
    assert torch.equal(supervision(True, "warm-up").given(ROWS, True), torch.full((2, 3), 1 / 3))
    distillation = supervision(True, "distillation")
    distillation.provisional = torch.eye(3)[[2, 2, 1, 1]]
    assert torch.equal(distillation.given(ROWS, False), torch.eye(3)[[2, 1]])
    free = supervision(True, "free")
    assert free.given(ROWS, False) is None and torch.equal(free.given(ROWS, True), torch.eye(3)[[1, 2]])
    assert torch.equal(supervision(True, "free", n_labelled=0).given(ROWS, False), torch.eye(3)[[1, 2]])


def test_the_guess_learns_where_something_is_given():
    assert all(
        supervision(False, phase).is_supervised(known) for phase in ("warm-up", "free") for known in (True, False)
    )
    for phase, found in (("warm-up", False), ("distillation", True), ("free", False)):
        assert supervision(True, phase, given=False).is_supervised(False) == found
    assert supervision(True, "free", given=False).is_supervised(True) and supervision(True, "free").is_supervised(False)
    assert not supervision(True, "warm-up").is_supervised(True)


def test_there_is_a_target_while_there_is_a_teacher():
    made = supervision(True, "warm-up")
    assert made.target(torch.zeros(2, 1, 4, 4), ROWS) is None
    made.teacher = SimpleNamespace(target=lambda images, given, classes: (given, classes))
    made.provisional = torch.eye(3)[[2, 2, 1, 1]]
    given, classes = made.target(torch.zeros(2, 1, 4, 4), ROWS)
    assert torch.equal(given, torch.full((2, 3), 1 / 3)) and torch.equal(classes, torch.eye(3)[[2, 1]])
    made.enter("free")
    assert made.teacher is None and made.phase == "free"


def test_a_teacher_measures_strain_along_the_axes_of_each_class():
    class Strained(Teacher):
        def _pose(self, images, given):
            return torch.zeros(len(images), 1), torch.zeros(len(images), 1), images

    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2], 4000)
    turned = np.deg2rad(np.array([0.0, 40.0, 100.0])[classes])
    along, across = rng.normal(0, [0.3, 0.06], (12000, 2)).T
    strain = np.column_stack([np.cos(turned) * along - np.sin(turned) * across, np.sin(turned) * along])
    strain[:, 1] += np.cos(turned) * across
    strain = torch.from_numpy(strain + np.array([[0.1, 0], [0, -0.2], [1, 1]])[classes]).float()
    y = torch.eye(3)[classes]
    teacher = Strained(InvariantVAE(ModelConfig.preset("j-rvae", n_classes=3, hidden=(16, 16)), 1, (16, 16), 3))
    teacher.measure_strain([strain], [None], [y])
    found = teacher.target(strain, None, y).strain.numpy()
    for number in range(3):
        one = found[classes == number]
        assert np.abs(one.mean(0)).max() < 0.01
        assert one.std(0) == pytest.approx([1, 0.2], rel=0.05), "in units of that along which most of it is"
        assert abs(np.corrcoef(one.T)[0, 1]) < 0.05


def test_groups_take_the_class_of_most_of_their_labelled_images(monkeypatch):
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1], 100)
    means = (rng.normal(0, 0.1, (200, 2)) + np.where(truth, 3.0, -3.0)[:, None]).astype(np.float32)
    few = np.full(200, -1)
    few[[0, 1, 2, 100]], few[3] = [0, 0, 0, 1], 0
    assert (classes_of_groups(means, few, 2) == truth).all()
    contrary = np.full(200, -1)
    contrary[[0, 1, 100, 101]] = [0, 1, 0, 1]
    assert classes_of_groups(means, contrary, 2) is None
    monkeypatch.setattr(curriculum_module, "_latents", lambda model, batches: means)
    given, model = torch.full((200, 2), math.nan), SimpleNamespace(n_given=2)
    for row, label in ((0, 0), (1, 0), (3, 0), (100, 1)):
        given[row] = torch.eye(2)[label]
    found = provisional_classes(model, SimpleNamespace(given=given, rows=torch.arange(200)))
    assert torch.equal(found, torch.eye(2)[truth])
    third = np.where(truth == 1, 0, few)  # none of the second class is known
    third[100] = 0
    assert (classes_of_groups(means, third, 2) == 0).all()
    four = (means + np.where(np.arange(200) % 2, 20.0, 0.0)[:, None]).astype(np.float32)
    halves = np.where(rng.random(200) < 0.3, truth, -1)
    assert (classes_of_groups(four, halves, 2) == truth).all(), "a class may be two groups"


# ---- schedule -------------------------------------------------------------------------------------------------------


def test_rates_rise_stay_and_fall_to_a_hundredth():
    schedule = Schedule(2.0, 1000)
    assert (schedule.n_steps, schedule.cooldown_from) == (1000, 400)
    assert [schedule.rate(step) for step in (0, 24, 49, 50, 400)] == pytest.approx([0.04, 1.0, 2.0, 2.0, 2.0])
    assert schedule.rate(700) == pytest.approx(2 * (FLOOR + (1 - FLOOR) / 2))
    assert schedule.rate(1000) == schedule.rate(1500) == pytest.approx(2 * FLOOR)
    for n in (1, 2, 3, 10):  # however short
        assert Schedule(2.0, n).rate(n) == pytest.approx(2 * FLOOR)
    assert schedule.expected(5) == 1000
    assert [Schedule(1.0, None).rate(step) for step in (0, 9, 19, 3000)] == pytest.approx([0.05, 0.5, 1, 1])


def test_a_plateau_begins_the_cooldown():
    falling = [10 - step for step in range(5)]
    for losses, step, found in (
        ([5.0] * 5, MIN_STEPS, True),
        ([5.0] * 5, MIN_STEPS - 1, False),
        ([5.0] * 4, MIN_STEPS, False),
        (falling, MIN_STEPS, False),
        (falling, MAX_STEPS, True),
    ):
        schedule = Schedule(1.0, None)
        schedule.watch(step, losses, 20.0)
        assert (schedule.cooldown_from == step) == found
        assert schedule.n_steps == (step + max(150, step // 2) if found else 6000)
    late = Schedule(1.0, None, earliest=100)
    late.watch(MIN_STEPS + 99, [5.0] * 5, 20.0)
    assert late.cooldown_from is None
    late.watch(MIN_STEPS + 100, [5.0] * 5, 20.0)
    assert late.cooldown_from == MIN_STEPS + 100
    before = late.n_steps
    late.watch(MAX_STEPS, [5.0] * 9, 20.0)
    assert late.n_steps == before, "once begun it stays"


def test_what_is_expected_of_an_open_end_grows_with_the_steps():
    schedule = Schedule(1.0, None)
    assert [schedule.expected(step) for step in (0, 400, 1000, 4000)] == [900, 900, 1500, 6000]
    assert [schedule.foresees(step) for step in (0, 600, 601)] == [True, True, False]
    late = Schedule(1.0, None, earliest=650)  # of a model with a warm-up
    assert late.expected(0) == 1425 and late.foresees(950)
    late.watch(1000, [5.0] * 5, 20.0)
    assert late.expected(1000) == 1500 and late.foresees(1400)


# ---- progress -------------------------------------------------------------------------------------------------------


def progress(step, n_steps):
    return Progress(0, 1, step, n_steps, None, "CPU", "")


@pytest.mark.parametrize(
    ("step", "n_steps", "share"), [(0, 8, 0), (2, 8, 0.25), (8, 8, 1), (9, 8, 1), (0, 0, 0), (3, 0, 1), (1, 1, 1)]
)
def test_the_share_of_the_work_that_is_done(step, n_steps, share):
    assert progress(step, n_steps).fraction == share


def test_a_generator_is_run_for_its_result():
    def job():
        yield 1
        yield 2
        return "done"

    seen = []
    assert (drain(job(), seen.append), seen, drain(job())) == ("done", [1, 2], "done")
    assert never() is False and math.isfinite(progress(1, 2).fraction)


def test_to_be_a_degree_off_the_target_costs_half_a_nat():
    target = Target(None, torch.full((2, 1), math.radians(1) - math.pi), torch.tensor([[0.2, -0.3]] * 2))
    posed = SimpleNamespace(pose=SimpleNamespace(angle=torch.full((2, 4), math.pi)))
    tried = SimpleNamespace(content=SimpleNamespace(mean=torch.tensor([0.25, -0.4, 9.0]).expand(2, 1, 3)))
    for n_given, cost in ((0, 0.5), (3, 0.5 + 0.5 + 2)):
        model = SimpleNamespace(n_given=n_given, config=SimpleNamespace(latent_dim=3))
        assert InvariantVAE._distillation_loss(model, tried, posed, target).tolist() == pytest.approx(
            [cost] * 2, rel=1e-4
        )


# ---- batches --------------------------------------------------------------------------------------------------------


def test_few_images_take_many_small_steps_and_many_on_a_gpu_large_ones():
    sizes = (18, 400, 1800, 4000, 10_800, 40_000, 900_000)
    assert [automatic_batch(n) for n in sizes] == [20, 20, 90, 100, 100, 100, 100]
    assert [automatic_batch(n, on_gpu=True) for n in sizes] == [20, 20, 90, 100, 270, 1000, 1000]


def test_each_epoch_more_is_forecast_to_take_its_steps():
    model = ModelConfig.preset("rvae")
    short, long = (
        forecast(1000, 48**2, model, TrainConfig(epochs=epochs, batch_size=100, device="cpu")) for epochs in (10, 20)
    )
    assert long.seconds - short.seconds == pytest.approx(10 * 9 * short.of_a_step)  # a tenth is held out
    assert long.bytes == short.bytes > forecast(500, 48**2, model, TrainConfig(batch_size=100)).bytes


def test_a_forecast_is_the_sum_of_its_parts():
    plain, posed = (ModelConfig.preset(name) for name in ("vae", "rvae"))

    def told(model=plain, n=1000, batch=100, pixels=48**2, **options):
        return forecast(n, pixels, model, TrainConfig(epochs=10, batch_size=batch, device="cpu"), **options)

    an_image = (told(batch=200).of_a_step - told().of_a_step) / 100
    assert told(batch=100).of_a_step == pytest.approx(STEP + WEIGHT * 48**2 + 100 * an_image)
    assert an_image == pytest.approx(IMAGE + COPY + PIXEL * 48**2)
    of_posed = (told(posed, batch=200).of_a_step - told(posed).of_a_step) / 100
    assert told(posed).of_a_step == pytest.approx(STEP_POSED + 2 * WEIGHT * 48**2 + 100 * of_posed)
    assert told(described=3000).seconds - told().seconds == pytest.approx(2000 * (CUT * 48**2 + LOOK * an_image))
    assert told(slowness=3.0).of_a_step == pytest.approx(3 * told().of_a_step)
    assert told(slowness=3.0).seconds - START == pytest.approx(3 * (told().seconds - START))
    parts = {"described": 3000 * COPIES, "batch": 200 * GRADIENTS, "drawn": DRAWN}
    assert told(batch=200, described=3000).bytes == pytest.approx(LIBRARIES + 4 * 48**2 * sum(parts.values()))
    assert told(posed).bytes - told().bytes == pytest.approx(4 * 48**2 * DRAWN)
    assert told(batch=100, n=50).bytes == pytest.approx(LIBRARIES + 4 * 48**2 * (50 * COPIES + 45 * GRADIENTS + DRAWN))
