"""Classes and numbers that a model guesses, likelihoods and costs, against distributions that scipy knows."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from napari_vae import ModelConfig
from napari_vae.models.components import has_auxiliary_strain
from napari_vae.models.evidence import Evidence
from napari_vae.models.likelihood import Bernoulli, ContinuousBernoulli, Gaussian, Poisson, make_likelihood
from napari_vae.models.observed import Category, Known, Quantity, make_known
from napari_vae.models.pose import Pose
from napari_vae.models.posterior import Content, PosePosterior, PoseReader, pick

FEATURES = torch.tensor([[0.5, -1.0], [0.1, 2.0], [-0.7, 0.3]])


def identity(module, name):
    """Let what a module guesses be the features themselves."""
    setattr(module, name, nn.Identity())
    return module


def numbers():
    """Guesses of one number: its mean is the first feature, the logarithm of its sd the second."""
    return identity(Quantity(1, 2), "regressor")


def test_a_class_is_guessed_and_learnt_by_its_cross_entropy():
    known = identity(Category(2, 2), "classifier")
    (probabilities,) = known.infer(FEATURES)
    np.testing.assert_allclose(probabilities, torch.softmax(FEATURES, 1), rtol=1e-5)
    truth = torch.eye(2)[[0, 1, 1]]
    expected = -np.log(probabilities.numpy()[[0, 1, 2], [0, 1, 1]])
    kl, loss = known.costs(FEATURES, truth)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert kl.tolist() == [0, 0, 0]
    divergence = math.log(2) - stats.entropy(probabilities.numpy(), axis=1)
    kl, loss = known.costs(FEATURES, None)
    np.testing.assert_allclose(kl, divergence, rtol=1e-4)
    assert loss.tolist() == [0, 0, 0]


def test_a_class_is_taken_as_it_is_where_given_and_inferred_where_not():
    known = identity(Category(2, 2), "classifier")
    given = torch.tensor([[0.0, 1.0], [math.nan, math.nan], [math.nan, math.nan]])
    y, weights = known.hypotheses(FEATURES, given, 2, None)
    assert y[:, 0].tolist() == [[0, 1], [0, 1], [0, 1]] and weights.tolist() == [[1], [1], [1]]
    kl, loss = known.costs(FEATURES, given)
    assert kl[0] == 0 < loss[0] and (kl[1:] > 0).all() and loss[1:].tolist() == [0, 0]
    open_ = torch.softmax(FEATURES[1:], 1)
    np.testing.assert_allclose(known.infer(FEATURES, given)[0], torch.cat([given[:1], open_]), rtol=1e-5)
    y, weights = known.hypotheses(FEATURES, None, 2, None)
    assert y[0].tolist() == [[1, 0], [0, 1]]
    np.testing.assert_allclose(weights, torch.softmax(FEATURES, 1).sort(1, descending=True).values, rtol=1e-5)


def test_what_is_known_of_every_image_costs_nothing():
    given = torch.tensor([[0.2], [0.1], [0.0]])
    y, weights = Known(1).hypotheses(FEATURES, given, 2, None)
    assert torch.equal(y[:, 0], given) and weights.tolist() == [[1], [1], [1]]
    assert Known(0).hypotheses(FEATURES, None, 2, None)[0].shape == (3, 1, 0)
    kl, loss = Known(1).costs(FEATURES, given)
    assert kl.tolist() == loss.tolist() == [0, 0, 0] and Known(1).infer(FEATURES, given) == ()


def test_numbers_cost_their_density_where_given_and_their_divergence_where_not():
    model, given = numbers(), torch.tensor([[0.9], [math.nan], [-1.2]])
    kl, nll = model.costs(FEATURES, given)
    mean, sd = FEATURES[:, 0].numpy(), np.exp(FEATURES[:, 1].numpy())
    divergence = (mean**2 + sd**2 - 1) / 2 - np.log(sd)
    np.testing.assert_allclose(kl, [0, divergence[1], 0], rtol=1e-5)
    density = -stats.norm(mean, sd).logpdf([0.9, 0, -1.2])
    np.testing.assert_allclose(nll, [density[0], 0, density[2]], rtol=1e-5)
    kl, nll = model.costs(FEATURES, None)
    np.testing.assert_allclose(kl, divergence, rtol=1e-5)
    assert nll.tolist() == [0, 0, 0]


def test_numbers_that_are_not_given_are_drawn_or_their_mean():
    class Ones:
        def normal(self, like):
            return torch.ones_like(like)

    model, given = numbers(), torch.tensor([[0.9], [math.nan], [-1.2]])
    np.testing.assert_allclose(model.hypotheses(FEATURES, given, 2, None)[0].flatten(), [0.9, 0.1, -1.2])
    drawn = FEATURES[:, 0] + torch.exp(FEATURES[:, 1])
    np.testing.assert_allclose(model.hypotheses(FEATURES, None, 2, Ones())[0].flatten(), drawn)
    wild = model.infer(torch.tensor([[0.0, 9.0], [0.0, -9.0]]))[1]
    assert wild.flatten().tolist() == pytest.approx([math.exp(2), math.exp(-6)])


@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [
        ("vae", {}, Known),
        ("cvae", {}, Known),
        ("j-vae", {"n_classes": 3}, Category),
        ("ss-vae", {"n_classes": 3}, Category),
        ("ss-vae", {}, Quantity),
    ],
)
def test_what_a_model_knows_follows_from_its_kind(name, options, kind):
    assert type(make_known(ModelConfig.preset(name, **options), 3, 8)) is kind


# ---- likelihoods ----------------------------------------------------------------------------------------------------

IMAGES = torch.linspace(0, 1, 24).reshape(2, 1, 3, 4)
LOGITS = torch.linspace(-4, 4, 24).reshape(2, 1, 3, 4).flip(0)


def summed(values):
    return np.asarray(values).reshape(2, -1).sum(1)


def test_cross_entropy_and_its_floor():
    p, x = torch.sigmoid(LOGITS).numpy(), IMAGES.numpy()
    np.testing.assert_allclose(
        Bernoulli().nll(LOGITS, IMAGES), summed(-x * np.log(p) - (1 - x) * np.log(1 - p)), rtol=1e-5
    )
    at_best = Bernoulli().nll(torch.logit(IMAGES.clamp(1e-6, 1 - 1e-6)), IMAGES)
    np.testing.assert_allclose(Bernoulli().floor(IMAGES), at_best, atol=1e-3)


def test_the_continuous_bernoulli_is_a_density_with_its_mean():
    told, grid = ContinuousBernoulli(), torch.linspace(0, 1, 2001)[:, None, None, None]
    for logit in (-6.0, -0.3, -0.02, 0.0, 0.04, 2.0):
        density = torch.exp(-told.nll(torch.full_like(grid, logit), grid))
        assert torch.trapezoid(density, grid.flatten()) == pytest.approx(1, abs=1e-4)
        mean = torch.trapezoid(density * grid.flatten(), grid.flatten())
        assert told.mean(torch.tensor(logit)).item() == pytest.approx(mean.item(), abs=1e-4)
    inner = IMAGES.clamp(0.05, 0.95)
    floor = told.floor(inner)
    for step in (-0.3, 0.3):
        low, high = torch.full_like(inner, -200.0), torch.full_like(inner, 200.0)
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (torch.where(told.mean(middle) < inner, *pair) for pair in ((middle, low), (high, middle)))
        assert (told.nll(low + step, inner) > floor).all()
        np.testing.assert_allclose(told.nll(low, inner), floor, rtol=1e-3)


def test_counts_are_those_of_poisson():
    told = Poisson(1)
    told.reset()
    assert told.limits.flatten().tolist() == [0, 1]
    told.set_limits([3.0], [13.0])
    counts = 3 + 10 * IMAGES
    rate = 10 * nn.functional.softplus(LOGITS)
    np.testing.assert_allclose(told.mean(LOGITS), (rate - 3) / 10, atol=1e-5)
    whole = torch.round(counts)
    expected = -stats.poisson(rate.numpy()).logpmf(whole.numpy())
    np.testing.assert_allclose(told.nll(LOGITS, (whole - 3) / 10), summed(expected), rtol=1e-4)
    best = -stats.poisson(whole.numpy()).logpmf(whole.numpy())
    np.testing.assert_allclose(told.floor((whole - 3) / 10), summed(best), rtol=1e-4)
    assert told.floor(torch.full((1, 1, 1, 1), -9.0)).tolist() == [0]


def test_normal_scatter_of_each_channel():
    told = Gaussian(2)
    told.reset()
    assert told.log_sd.flatten().tolist() == pytest.approx([math.log(0.1)] * 2)
    with torch.no_grad():
        told.raw[1] = math.log(0.3) / told.QUICK
    images, logits = IMAGES.expand(2, 2, 3, 4), LOGITS.expand(2, 2, 3, 4)
    sd = np.array([0.1, 0.3])[:, None, None]
    expected = -stats.norm(torch.sigmoid(logits).numpy(), sd).logpdf(images.numpy())
    np.testing.assert_allclose(told.nll(logits, images).detach(), summed(expected), rtol=1e-5)
    floor = -24 * stats.norm(0, 3e-3).logpdf(0)
    assert told.floor(images).tolist() == pytest.approx([floor] * 2, rel=1e-5)
    with torch.no_grad():
        told.raw[0] = -9.0
    assert told.log_sd[0].item() == pytest.approx(math.log(3e-3))


def test_each_name_makes_its_likelihood():
    kinds = {
        "gaussian": Gaussian,
        "poisson": Poisson,
        "bernoulli": Bernoulli,
        "continuous-bernoulli": ContinuousBernoulli,
    }
    assert {name: type(make_likelihood(name, 2)) for name in kinds} == kinds


# ---- costs ----------------------------------------------------------------------------------------------------------


def test_the_free_energy_and_what_a_step_makes_smaller():
    one = Evidence(*(torch.tensor(v) for v in ([9.0], [5.0], [[1.0, 2.0]], [4.0], [0.5], [0.25])))
    assert one.free_energy().item() == 16 and one.free_energy(2.0, 3.0).item() == 9 + 6 + 12
    assert one.training_cost(2.0, 3.0, 10.0).item() == 27 + 5 + 0.25
    both = Evidence.joined([one, one])
    assert both.mean().free_energy().tolist() == [16] and len(both.head(1).posed) == 1 and len(both.posed) == 2


def test_latents_cost_their_divergence_and_are_drawn_about_their_means():
    mean, sd = torch.tensor([[[0.5, -2.0]]]), torch.tensor([[[0.3, 1.5]]])
    content = Content(mean, 2 * torch.log(sd))
    np.testing.assert_allclose(content.kl(), (mean**2 + sd**2 - 1) / 2 - torch.log(sd), rtol=1e-5)

    class Ones:
        def normal(self, like):
            return torch.ones_like(like)

    np.testing.assert_allclose(content.sample(Ones()), mean + sd)


def test_a_model_of_rotation_without_strain_has_an_auxiliary_one():
    auxiliary = {
        name: has_auxiliary_strain(ModelConfig.preset(name)) for name in ("vae", "rvae", "tvae", "trvae", "strain-rvae")
    }
    assert auxiliary == {
        "vae": False,
        "rvae": True,
        "tvae": False,
        "trvae": True,
        "strain-rvae": False,
    }


# ---- poses ----------------------------------------------------------------------------------------------------------


def posterior(config, size=(16, 16)):
    """A reader, and one pose of each coarse orientation with its spread."""
    reader = PoseReader(config, size)
    raw = torch.linspace(-1.5, 1.5, 2 * reader.copies * 2 * sum(reader.sizes.values()))
    return reader, reader.read(raw.reshape(2, reader.copies, -1))


def test_a_pose_costs_its_divergence_from_the_priors():
    config = ModelConfig(invariances=("translation", "scale", "strain"))
    reader, posed = posterior(config)
    parts = {
        "translation": (posed.pose.shift, config.shift_prior * 16),
        "scale": (posed.pose.log_scale[..., None], config.scale_prior),
        "strain": (posed.pose.strain, config.strain_prior),
    }
    expected = 0
    for name, (mean, prior) in parts.items():
        sd = posed.spread[name]
        expected += ((mean**2 + sd**2) / prior**2 / 2 - 0.5 - torch.log(sd / prior)).sum(-1)
    np.testing.assert_allclose(reader.kl(posed), expected, rtol=1e-4)
    assert reader.copies == 1 and set(posed.spread) == set(parts)


def test_an_angle_costs_what_it_narrows_its_share_of_the_circle():
    reader, posed = posterior(ModelConfig(invariances=("rotation", "strain"), rotations=8))
    sd = posed.spread["rotation"][..., 0]
    entropy = torch.log(sd) + 0.5 * math.log(2 * math.pi * math.e)
    strain = (posed.pose.strain**2 + posed.spread["strain"] ** 2) / reader.config.strain_prior**2 / 2 - 0.5
    strain = (strain - torch.log(posed.spread["strain"] / reader.config.strain_prior)).sum(-1)
    np.testing.assert_allclose(reader.kl(posed) - strain, math.log(2 * math.pi / 8) - entropy, rtol=1e-4, atol=1e-4)
    turned = posed.pose.angle - 2 * math.pi * torch.arange(8) / 8
    assert turned.abs().max() < 1.3 * math.pi / 8


def test_a_prior_of_the_angle_is_a_density_on_the_circle():
    reader = PoseReader(ModelConfig(invariances=("rotation", "strain"), angle_prior=40.0, rotations=8), (16, 16))
    angles = torch.linspace(-math.pi, math.pi, 721)[:, None].expand(-1, 8)
    tiny = {name: torch.full((721, 8, n), 1e-3) for name, n in reader.sizes.items()}
    pose = Pose.identity((721, 8), torch.device("cpu"))
    pose.angle = angles
    rest = PosePosterior(pose, {"strain": tiny["strain"]})
    entropy = math.log(1e-3) + 0.5 * math.log(2 * math.pi * math.e)
    log_prior = -(reader.kl(PosePosterior(pose, tiny)) - reader.kl(rest)) - entropy - math.log(8)
    assert torch.trapezoid(torch.exp(log_prior[:, 0]), angles[:, 0]) == pytest.approx(1, abs=0.01)
    width = math.radians(40)
    assert (log_prior[360, 0] - log_prior[440, 0]).item() == pytest.approx(
        (angles[440, 0].item() / width) ** 2 / 2, rel=0.02
    )


def test_shifts_are_turned_forward_again_and_signals_shift_along_x():
    reader = PoseReader(ModelConfig(invariances=("rotation", "translation"), rotations=4), (10, 12))
    assert not reader.draws_strain and reader.sizes == {"rotation": 1, "translation": 2, "strain": 2}
    raw = torch.zeros(1, 4, 10)
    raw[..., 1] = math.atanh(0.5)  # half of 6 px to the right of what the encoder sees
    posed = reader.read(raw)
    np.testing.assert_allclose(posed.pose.shift[0], [[3, 0], [0, -3], [-3, 0], [0, 3]], atol=1e-5)
    assert "strain" not in posed.spread and not posed.pose.strain.any()
    spread = math.log1p(math.exp(-3))
    np.testing.assert_allclose(posed.spread["translation"], spread * 12 / 8, rtol=1e-5)
    signal = PoseReader(ModelConfig(invariances=("translation",)), (1, 20)).read(torch.tensor([[[0.3, 0.0]]]))
    assert signal.pose.shift[0, 0].tolist() == pytest.approx([10 * math.tanh(0.3), 0])

    class Ones:
        def normal(self, like):
            return torch.ones_like(like)

    drawn = signal.sample(Ones()).shift[0, 0] - signal.pose.shift[0, 0]
    assert drawn.tolist() == pytest.approx([spread * 20 / 8, 0])


def test_orientations_are_picked_by_number():
    values = torch.arange(12.0).reshape(2, 3, 2)
    assert pick(values, torch.tensor([[2, 0], [1, 1]])).tolist() == [[[4, 5], [0, 1]], [[8, 9], [8, 9]]]
