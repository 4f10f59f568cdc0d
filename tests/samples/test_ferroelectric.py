"""The ferroelectric lattice: energy and its descent, symmetries, hysteresis, pinning, and the fields that drive it."""

import numpy as np
import pytest
import torch

from napari_vae.core.errors import InputError
from napari_vae.samples import Ferroelectric, field_trajectories, polarization_curl
from napari_vae.samples.landau import Descent, energy

LATTICES = [
    Ferroelectric(6, "tetragonal", seed=1),
    Ferroelectric(6, "rhombohedral", coupling=2.5, periodic=True, seed=2),
    Ferroelectric(6, "square", coupling=0, depolarization=0.7, seed=3),
    Ferroelectric(6, (-1.0, 3.0, -2.0), depolarization=0.3, periodic=True, defects=0.5, seed=4),
]
PURE = {"defects": 0.0, "periodic": True}


class Given(Ferroelectric):
    """A lattice with defects where a test wants them."""

    def with_defects(self, fields):
        object.__setattr__(self, "given", fields.astype(np.float32))
        return self

    def defect_fields(self):
        return self.given


def states(n=6, count=3, seed=0):
    return np.random.default_rng(seed).normal(0, 0.5, (count, n, n, 2))


def fields(count=5, points=200):
    return 3 * field_trajectories(count, points, seed=5).field


def energy_written_out(lattice, state, field):
    """The formula, site by site."""
    a1, a2, a3 = lattice.coefficients
    defects, total = lattice.defect_fields(), 0.0
    for i in range(lattice.n):
        for j in range(lattice.n):
            y, x = state[i, j]
            total += a1 * (y**2 + x**2) + a2 * (y**4 + x**4) + a3 * y**2 * x**2
            around = np.zeros(2)
            for r, c in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
                if lattice.periodic or (0 <= r < lattice.n and 0 <= c < lattice.n):
                    around += state[r % lattice.n, c % lattice.n] / 4
            total += lattice.coupling / 2 * state[i, j] @ (state[i, j] - around)
            total -= lattice.coercive_field * (field + defects[i, j]) @ state[i, j]
    return total + lattice.depolarization / 2 * lattice.n**2 * np.sum(state.mean((0, 1)) ** 2)


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: str(lattice.landau))
def test_the_energy_is_that_of_the_formula(lattice):
    field = np.array([[0.3, -0.8], [1.5, 0.0], [0, 0]])
    expected = [energy_written_out(lattice, *pair) for pair in zip(states(), field, strict=True)]
    assert np.allclose(lattice.energy(states(), field), expected, rtol=1e-10)
    assert np.allclose(lattice.energy(states(), field[:, 0]), lattice.energy(states(), field * [1, 0]))


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: str(lattice.landau))
def test_a_step_goes_down_the_gradient_of_the_energy(lattice):
    state = torch.tensor(states().transpose(3, 1, 2, 0)).contiguous().requires_grad_()
    defects = torch.tensor(lattice.coercive_field * lattice.defect_fields().transpose(2, 0, 1)[..., None].astype(float))
    field = torch.tensor([[0.4, -1.0, 2.0], [0.1, 0.3, -0.7]]).double()[:, None, None]
    (gradient,) = torch.autograd.grad(energy(state, field + defects, lattice).sum(), state)
    descent = Descent(state.detach(), defects, lattice, 1e-3)
    descent.go(field)
    assert torch.allclose((state.detach() - descent.state) / 1e-3, gradient, atol=1e-9)


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: str(lattice.landau))
def test_the_energy_falls_in_a_constant_field(lattice):
    response = lattice.drive(np.full((2, 60), 0.8), start=states(count=2), snapshots=range(60), device="cpu")
    course = np.array([lattice.energy(snapshot, 0.8) for snapshot in response.snapshots])
    assert (np.diff(course, axis=0) <= 1e-5 * np.abs(course[1:])).all()
    assert (course[-1] < course[0] - 1).all()
    assert np.allclose(response.energy, course[-1])


def test_everything_turned_round_does_the_same_turned_round():
    defects = Ferroelectric(8, seed=1).defect_fields()
    one = Given(8).with_defects(defects).drive(fields(), start=states(8, 5))
    other = Given(8).with_defects(-defects).drive(-fields(), start=-states(8, 5))
    assert np.allclose(other.state, -one.state, atol=1e-6)
    assert np.allclose(other.curl, one.curl, atol=1e-4)
    assert np.allclose(other.polarization, one.polarization, atol=1e-4)


@pytest.mark.parametrize("landau", ["tetragonal", "rhombohedral", "square"])
def test_a_crystal_rotated_by_a_quarter_turn_does_the_same_rotated(landau):
    def quarter(vectors, axes):  # of positions (y, x) and of the components there
        return np.rot90(np.stack([-vectors[..., 1], vectors[..., 0]], -1), axes=axes)

    defects = Ferroelectric(7, seed=1).defect_fields()
    field = np.stack([fields(), fields()[::-1]], -1)
    turned = np.stack([-field[..., 1], field[..., 0]], -1)
    one = Given(7, landau).with_defects(defects).drive(field, start=states(7, 5))
    other = Given(7, landau).with_defects(quarter(defects, (0, 1))).drive(turned, start=quarter(states(7, 5), (1, 2)))
    assert np.allclose(other.state, quarter(one.state, (1, 2)), atol=1e-4)
    assert np.allclose(other.curl, one.curl, rtol=1e-4)


def test_a_periodic_lattice_has_no_origin():
    defects = Ferroelectric(7, seed=1).defect_fields()
    one = Given(7, periodic=True).with_defects(defects).drive(fields(), start=states(7, 5))
    moved = Given(7, periodic=True).with_defects(np.roll(defects, (2, 3), (0, 1)))
    other = moved.drive(fields(), start=np.roll(states(7, 5), (2, 3), (1, 2)))
    assert np.allclose(other.state, np.roll(one.state, (2, 3), (1, 2)), atol=1e-6)
    assert np.allclose(other.curl, one.curl, rtol=1e-4)


@pytest.mark.parametrize("landau", ["tetragonal", "square"])
def test_a_perfect_crystal_turns_round_at_its_coercive_field(landau):
    lattice = Ferroelectric(4, landau, **PURE)
    rest = lattice.drive(np.zeros((1, 50)))
    assert np.allclose(rest.state, [-lattice.remnant, 0], atol=1e-5)
    held, turned = lattice.drive(np.repeat([[0.98], [1.02]], 4000, 1), duration=40).state[:, ..., 0]
    assert (held < 0).all() and (turned > 0).all()


def test_a_hysteresis_loop_opens_and_closes_on_itself():
    time = np.linspace(0, 2, 2001)
    loop = Ferroelectric(6, **PURE).drive(2 * np.sin(2 * np.pi * time)[None], duration=40, history=True).mean[0, :, 0]
    remnant = Ferroelectric().remnant
    assert loop[1000] == pytest.approx(-remnant, rel=0.02)  # no field, after a negative one
    assert loop[1500] == pytest.approx(remnant, rel=0.02)  # no field, after a positive one
    assert loop[1250] == pytest.approx(-loop[1750], rel=1e-3) and loop[1250] > 1.2 * remnant  # the largest fields
    assert loop[1000] == pytest.approx(loop[2000], rel=1e-3)


def test_strong_defects_hold_what_lies_around_them():
    field = np.full((1, 800), 1.5)
    defects = np.zeros((10, 10, 2))
    defects[5, 5, 0] = -8
    lattice = Given(10, periodic=True).with_defects(defects)
    held = lattice.drive(field, duration=20).state[0, ..., 0]
    free = Ferroelectric(10, **PURE).drive(field, duration=20).state[0, ..., 0]
    assert held[5, 5] < -lattice.remnant and (free > lattice.remnant).all()
    near, far = held[5, 6], held[0, 0]
    assert near < far - 0.01 and far == pytest.approx(free[0, 0], abs=1e-3)


def test_steps_of_half_the_length_change_little():
    coarse = field_trajectories(40, 900, seed=1).field
    time = np.linspace(0, 899, 1799)
    fine = np.array([np.interp(time, np.arange(900), row) for row in coarse])
    lattice = Ferroelectric(seed=1)
    one, two = lattice.drive(coarse), lattice.drive(fine)
    for name in ("curl", "polarization"):
        a, b = getattr(one, name), getattr(two, name)
        assert np.abs(a - b).max() < 0.02 * a.std(), name


def test_fields_too_strong_for_one_step_are_followed_in_several():
    lattice = Ferroelectric(5, "rhombohedral", seed=1)
    few, many = (lattice.drive(np.full((1, points), 20.0), duration=0.5) for points in (12, 2000))
    assert np.allclose(few.state, many.state, atol=1e-3)


def largest_curvature(lattice, state):
    """Of the energy at a state (n, n, 2)."""
    p = torch.from_numpy(np.asarray(state, np.float64).transpose(2, 0, 1)[..., None])
    local = torch.zeros_like(p)
    hessian = torch.autograd.functional.hessian(lambda flat: energy(flat.view_as(p), local, lattice).sum(), p.flatten())
    return float(torch.linalg.eigvalsh(hessian)[-1])


@pytest.mark.parametrize(
    "lattice",
    [
        Ferroelectric(4, "tetragonal", **PURE),
        Ferroelectric(4, (-1.0, 1.0, 10.0), **PURE),
        Ferroelectric(4, (-1.0, 3.0, -2.0), **PURE),
        Ferroelectric(4, "square", coupling=20.0, **PURE),
        Ferroelectric(4, "square", coupling=0.0, depolarization=30.0, **PURE),
    ],
    ids=lambda lattice: f"{lattice.landau} {lattice.coupling:g}",
)
def test_a_step_is_stable_at_the_largest_polarisation_and_hardly_shorter(lattice):
    rest, along, across = np.zeros((1, 2, 2)), np.zeros((4, 4, 2)), np.full((4, 4, 2), 0.5**0.5)
    along[..., 0] = 1
    states = np.stack([sign * size * lattice.remnant for size in (1.0, 3.0) for sign in (along, across)])
    step, repeats = lattice._steps(rest, states, 0.1)
    most = max(largest_curvature(lattice, state) for state in states)
    assert 0.3 < step * most < 1 and step * repeats == pytest.approx(0.1)
    strong = np.full((1, 30, 2), 40.0)
    pushed = lattice.drive(strong, duration=1.0).state[0]
    step, _ = lattice._steps(strong, np.zeros((1, 4, 4, 2)), 1.0)
    assert step * largest_curvature(lattice, pushed) < 1


def test_as_many_points_as_it_asks_for_are_enough():
    lattice, field = Ferroelectric(3, seed=1), np.full((1, 5), 20.0)
    with pytest.raises(InputError, match=r"need \d+ points of time") as refused:
        lattice.drive(field, duration=50)
    least = int(str(refused.value).split(" need ")[1].split()[0])
    with pytest.raises(InputError, match=f"need {least} points"):
        lattice._steps(np.full((1, least - 1, 2), 20.0 / 2**0.5), np.zeros((1, 3, 3, 2)), 50)
    assert lattice._steps(np.full((1, least, 2), 20.0 / 2**0.5), np.zeros((1, 3, 3, 2)), 50)[1] <= 100


def test_chunks_seeds_and_what_is_kept():
    lattice, field = Ferroelectric(8, seed=3), fields()
    whole = lattice.drive(field, start="random", history=True, snapshots=(0, 7, -1))
    parts = lattice.drive(field, start="random", history=True, snapshots=(0, 7, -1), chunk=2)
    for name in ("state", "curl", "polarization", "energy", "mean", "snapshots"):
        assert np.allclose(getattr(whole, name), getattr(parts, name), atol=1e-5), name
    assert np.array_equal(whole.state, lattice.drive(field, start="random").state)
    assert np.array_equal(whole.snapshots[-1], whole.state)
    assert np.allclose(whole.mean[:, -1], whole.state.mean((1, 2)), atol=1e-6)
    assert np.allclose(whole.mean[:, 7], whole.snapshots[1].mean((1, 2)), atol=1e-6)
    assert np.ptp(whole.snapshots[0], axis=0).max() == 0  # all from the same start
    assert np.allclose(whole.polarization, 64 * np.linalg.norm(whole.mean[:, -1], axis=-1), rtol=1e-4)
    assert not np.allclose(whole.state, Ferroelectric(8, seed=4).drive(field, start="random").state)
    strength = np.linalg.norm(lattice.defect_fields(), axis=-1)
    assert np.count_nonzero(strength) == round(0.15 * 64) and np.allclose(strength[strength > 0], 2)


def test_it_tells_how_far_it_is_and_stops():
    told = []
    response = Ferroelectric(8).drive(fields(6), chunk=2, stop=lambda: told[-1] > 0.5, on_progress=told.append)
    assert len(response) == len(response.state) == len(response.curl) == 2  # the second chunk was under way
    assert told == sorted(told) and 0.5 < told[-1] < 0.7
    told.clear()
    assert len(Ferroelectric(8).drive(fields(6), on_progress=told.append)) == 6
    assert told[0] == 0 and told[-1] == 1


def test_the_curl_of_a_vortex_and_of_a_gradient():
    y, x = np.mgrid[-4:5, -4:5].astype(float)
    vortex = polarization_curl(np.stack([-x, y], -1))
    gradient = polarization_curl(np.stack([x, y], -1))  # of x · y
    assert np.allclose(vortex[1:-1, 1:-1], 2) and np.allclose(gradient[1:-1, 1:-1], 0)


def test_trajectories_are_those_of_their_numbers():
    family = field_trajectories(500, 90, seed=2)
    t = family.time[:, None]
    expected = family.amplitude * np.exp(family.growth * t) * np.cos(family.frequency * t) + family.offset
    assert family.field.dtype == np.float32 and np.allclose(family.field.T, expected, atol=1e-5)
    for name, low, high in (
        ("amplitude", 0, 0.75),
        ("growth", -2.75, 2.75),
        ("frequency", 2 * np.pi, 8 * np.pi / 3),
        ("offset", -0.5, 0.5),
    ):
        values = (getattr(family, name) - low) / (high - low)
        assert 0 <= values.min() < 0.02 and 0.98 < values.max() <= 1
    assert np.array_equal(field_trajectories(7, 90, seed=2).field, family.field[:7])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Ferroelectric(landau="cubic"), "choose one of tetragonal"),
        (lambda: Ferroelectric(landau=(-1, 1, -3)), "a₃ > −2 a₂"),
        (lambda: Ferroelectric(landau=(-1, 1)), "landau is a text or 3 values, each a number"),
        (lambda: Ferroelectric(2), "n is a whole number of 3"),
        (lambda: Ferroelectric(defects=1.5), "defects is a number of 0 … 1"),
        (lambda: Ferroelectric(defects=-0.1), "defects is a number of 0 … 1"),
        (lambda: Ferroelectric(coupling=-1), "coupling is a number from 0"),
        (lambda: Ferroelectric().drive(np.zeros(9)), r"\(B, T\)"),
        (lambda: Ferroelectric().drive(np.zeros((0, 9))), r"\(B, T\)"),
        (lambda: Ferroelectric().drive([[0, np.nan]]), "finite numbers"),
        (lambda: Ferroelectric().drive([[0]]), "two points"),
        (lambda: Ferroelectric().drive([[0, 1]], chunk=0), "one lattice or more"),
        (lambda: Ferroelectric().drive([[0, 1]], duration=100), "points of time or more"),
        (lambda: Ferroelectric().drive([[0, 1]], duration=0), "positive duration"),
        (lambda: Ferroelectric().drive([[0, 1]], start="up"), "remnant"),
        (lambda: Ferroelectric().drive([[0, 1]], start=np.zeros((3, 3))), "broadcast"),
        (lambda: Ferroelectric().drive([[0, 1]], start=[np.inf, 0]), "not finite"),
        (lambda: Ferroelectric().drive([[0, 1]], snapshots=[2]), "within 0 … 1"),
        (lambda: field_trajectories(0), "n is a whole number of 1"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(wrong, words):
    with pytest.raises(InputError, match=words):
        wrong()


def test_the_material_of_ferrosim():
    """α₁ = −1.85 and α₂ = 1.25 there, of an energy α₁/2 P² + α₂/4 P⁴ along each axis."""
    lattice = Ferroelectric(landau="square")
    assert lattice.coefficients == (-0.925, 0.3125, 0)
    assert lattice.remnant == pytest.approx(np.sqrt(1.85 / 1.25))
    assert lattice.coercive_field == pytest.approx(2 / 3 * 1.85 * np.sqrt(1.85 / 3.75))
