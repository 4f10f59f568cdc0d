"""Networks, each with a Gaussian process on top: fitted side by side, mixed, and calibrated."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from botorch.exceptions.errors import InputDataError
from botorch.sampling.pathwise import draw_matheron_paths
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.mlls import ExactMarginalLogLikelihood
from linear_operator.utils.cholesky import psd_safe_cholesky
from linear_operator.utils.errors import NanError, NotPSDError
from torch import Tensor, nn

from ...core.errors import InputError, TrainingError
from ...models.networks import are_finite, named
from ..config import DeepKernelConfig
from .candidates import Floats, Prepared
from .networks import FeatureNetwork, RunEncoder
from .processes import ExactNormal, Processes, make_processes

RATE, WARM_RATE = 0.01, 0.005  # of the networks
KERNEL_RATE = 0.05
INHERITED = 0.01  # of the rate, for an encoder that was trained before
CHUNK = 256  # candidates at a time, so that their covariances stay in the cache
PART = 2**15  # values of functions that are computed at a time, each from about a thousand waves
TINY = 1e-12
NOT_INVERTED = (
    "The kernel of the Gaussian process could not be inverted; leave out labels of the same image that disagree, or "
    "choose a smaller embedding."
)
PATIENCE, TOLERANCE = 30, 1e-3  # steps without a gain of this many nats per label and network
FEWEST = 12  # labels from which on some are kept back
RANGE = (0.7, 3.0)
NORMAL_90 = 1.645  # half of the interval that holds 90 % of a normal distribution, in standard deviations


class Ensemble:
    """M feature networks, and on the embedding of each an exact Gaussian process with one output for each of T targets.

    The processes are one batch, so four take little longer than one. They are in double precision on the CPU, because
    their Cholesky factors need it.

    Parameters
    ----------
    config : DeepKernelConfig
    example : Prepared
        Candidates that the networks are made for.
    encoder : RunEncoder or None
        Of a trained model. Each network trains a copy, if it is trained.
    device : torch.device
        Of the networks.
    """

    @torch.inference_mode(False)  # networks that can be trained, wherever they were made
    def __init__(
        self, config: DeepKernelConfig, example: Prepared, encoder: RunEncoder | None, device: torch.device
    ) -> None:
        networks = [
            FeatureNetwork(
                "mlp" if config.network == "auto" else config.network,
                example,
                config.embedding_dim,
                config.hidden,
                encoder=copy.deepcopy(encoder),
                circular=config.target != "angle",
                generator=torch.Generator().manual_seed(1000 * config.seed + number),
            ).on(device)
            for number in range(config.ensemble)
        ]
        self.config, self.networks, self.shape = config, nn.ModuleList(networks), example.values.shape[1:]
        self.gp: Processes | None = None

    def fit(
        self,
        seen: Prepared,
        targets: Floats,
        variance: Floats | None,
        rows: npt.NDArray[np.int64],
        *,
        warm: bool,
        stop: Callable[[], bool],
    ) -> tuple[Floats, Floats]:
        """Maximise the marginal likelihood of targets (n, T), whose variances may be known.

        Parameters
        ----------
        rows : array (M, k) of int
            The labels that each network sees; afterwards its process is conditioned on all of them.

        Returns
        -------
        mean, variance : array (M, n, T)
            Of all labels, as each predicts them while it knows its own only.

        Raises
        ------
        TrainingError
            If a covariance cannot be inverted, whatever is added to its diagonal.
        """
        warm = warm and self.gp is not None
        steps, rate = (self.config.warm_steps, WARM_RATE) if warm else (self.config.steps, RATE)
        parts = [seen[some] for some in rows]
        try:
            self._know(parts, targets[rows], None if variance is None else variance[rows])
            self._train(parts, steps, rate, stop)
            self._know(parts, targets[rows], None if variance is None else variance[rows])
            moments = self.moments(seen, True)
            self.condition(seen, targets, variance)
            return moments
        except InputDataError as error:
            raise TrainingError(
                "The embedding is no longer a number; lower the weight decay, or take another run."
            ) from error
        except (NotPSDError, NanError) as error:
            raise TrainingError(NOT_INVERTED) from error

    def condition(self, seen: Prepared, targets: Floats, variance: Floats | None) -> None:
        """Let all processes know all labels (n, T), whatever they were fitted to."""
        each = len(self.networks)
        known = None if variance is None else np.stack([variance] * each)
        self._know([seen] * each, np.stack([targets] * each), known)

    @torch.no_grad()
    def moments(self, seen: Prepared, noise: bool) -> tuple[Floats, Floats]:
        """Mean and variance (M, N, T) that each network gives to candidates, chunk by chunk.

        Each candidate by itself: gpytorch's prediction would take its covariance with every other.
        """
        gp, factor = self._factor()
        known, weights = gp.train_inputs[0], torch.cholesky_solve(self._deviations()[..., None], factor)
        added = gp.noise if noise else 0.0
        parts = []
        for k in range(0, len(seen), CHUNK):
            z = gp.placed(self._embedded([seen[k : k + CHUNK]] * len(self.networks)))
            cross = gp.covar_module(z, known).to_dense()
            mean = gp.mean_module(z) + (cross @ weights)[..., 0]
            explained = torch.linalg.solve_triangular(factor, cross.mT, upper=False).square().sum(-2)
            variance = gp.covar_module(z, diag=True) - explained
            parts.append((mean, variance.clamp_min(TINY) + added))
        mean, variance = (gp.rows(torch.cat(part, -1)) for part in zip(*parts, strict=True))
        return mean.numpy(), variance.numpy()

    @torch.no_grad()
    def left_out(self) -> tuple[Floats, Floats]:
        """The moments of each label given all others, by the processes; the networks saw them.

        References
        ----------
        C. E. Rasmussen, C. K. I. Williams, "Gaussian processes for machine learning" (2006), section 5.4.2.
        """
        gp, factor = self._factor()
        precision = torch.cholesky_inverse(factor)
        variance = 1 / torch.diagonal(precision, dim1=-2, dim2=-1)
        mean = gp.train_targets - (precision @ self._deviations()[..., None])[..., 0] * variance
        if not isinstance(gp.likelihood, GaussianLikelihood):
            variance = variance - gp.likelihood.noise_covar.noise  # of that label
        return gp.rows(mean).numpy(), gp.rows(variance).numpy()

    @torch.no_grad()
    def draw(self, seen: Prepared, n: int, seed: int) -> Floats:
        """Functions of the processes at all candidates (n, M, N, T).

        BoTorch draws from the global generator of the CPU, which is put back; other threads should leave it alone then.
        """
        gp = self._known()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # torch's manual_seed would seed graphics cards too, for good
            paths = draw_matheron_paths(gp, torch.Size([n]))
        z = gp.placed(self._embedded([seen] * len(self.networks)))
        part = max(1, PART // (n * z[..., 0, 0].numel()))  # memory is draws × processes × candidates × waves
        return gp.rows(torch.cat([paths(some) for some in z.split(part, dim=-2)], -1)).numpy()

    def embed(self, seen: Prepared, number: int = 0) -> Floats:
        """The embedding (N, d) of one network."""
        network = self.networks[number]
        assert isinstance(network, FeatureNetwork)
        return network.embed(seen).numpy()

    def state(self) -> dict[str, Tensor]:
        """Weights, hyperparameters and what is known, by name."""
        parts = {
            "networks": self.networks.state_dict(),
            "gp": self._known().state_dict(),
            "known": self._known().known(),
        }
        named = {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}
        return {name: value.detach().cpu().clone().contiguous() for name, value in named.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put everything back as it was in a `state`."""
        self.networks.load_state_dict(named("networks.", state))
        self.gp = make_processes(self.config.kernel, **named("known.", state))
        bounds = dict(self.gp.named_buffers())  # and priors, which are ours and not those of a file
        self.gp.load_state_dict(named("gp.", state) | bounds)
        if not (are_finite(self.networks) and are_finite(self.gp)):
            raise InputError("its weights are not finite, or too large")
        self.gp.eval()

    def _train(self, parts: list[Prepared], steps: int, rate: float, stop: Callable[[], bool]) -> None:
        gp = self._known()
        gp.train()
        self.networks.train()
        evidence = ExactMarginalLogLikelihood(gp.likelihood, gp)
        optimizer = torch.optim.AdamW(self._groups(rate))
        best, since = float("inf"), 0
        for _ in range(steps):
            if stop():
                break
            optimizer.zero_grad()
            z = torch.stack([network(part).double().cpu() for network, part in zip(self.networks, parts, strict=True)])
            prior = gp.forward(gp.placed(z))
            loss = -evidence(ExactNormal(prior.mean, prior.lazy_covariance_matrix), gp.train_targets).sum()
            loss.backward()
            optimizer.step()
            value = float(loss.detach()) / len(parts)
            best, since = (value, 0) if value < best - TOLERANCE else (best, since + 1)
            if since >= PATIENCE:
                break

    def _groups(self, rate: float) -> list[dict[str, object]]:
        """What Adam moves, and how fast."""
        inherited = [
            parameter
            for network in self.networks
            if isinstance(network, FeatureNetwork) and network.encoder is not None
            for parameter in network.encoder.parameters()
            if parameter.requires_grad
        ]
        known = {id(parameter) for parameter in inherited}
        layers = [p for p in self.networks.parameters() if p.requires_grad and id(p) not in known]
        return [
            {"params": layers, "lr": rate, "weight_decay": self.config.weight_decay},
            {"params": inherited, "lr": rate * INHERITED, "weight_decay": 0.0},  # it knows much already
            {"params": list(self._known().parameters()), "lr": KERNEL_RATE, "weight_decay": 0.0},
        ]

    def _know(self, parts: list[Prepared], targets: Floats, variance: Floats | None) -> None:
        """Give each process labels (M, k, T) of its own; its hyperparameters stay."""
        before = None if self.gp is None else self.gp.state_dict()
        noise = None if variance is None else torch.from_numpy(variance)
        self.networks.eval()
        self.gp = make_processes(self.config.kernel, self._embedded(parts), torch.from_numpy(targets), noise)
        if before is not None:
            self.gp.load_state_dict(before)
        self.gp.eval()

    def _embedded(self, parts: list[Prepared]) -> Tensor:
        """Candidates (M, N, d) as each network sees its own."""
        pairs = zip(self.networks, parts, strict=True)
        return torch.stack([network.embed(part) for network, part in pairs if isinstance(network, FeatureNetwork)])

    def _known(self) -> Processes:
        assert self.gp is not None
        return self.gp

    def _factor(self) -> tuple[Processes, Tensor]:
        """The processes, and the Cholesky factors of the covariance of what they know.

        Raises
        ------
        TrainingError
            If there are none, as of a file whose weights are damaged.
        """
        gp = self._known()
        z = gp.train_inputs[0]
        try:
            return gp, psd_safe_cholesky(gp.likelihood(gp.forward(z), z).covariance_matrix)
        except (NotPSDError, NanError) as error:
            raise TrainingError(NOT_INVERTED) from error

    def _deviations(self) -> Tensor:
        """Of what is known, from the mean of the process."""
        gp = self._known()
        deviations: Tensor = gp.train_targets - gp.mean_module(gp.train_inputs[0])
        return deviations


def held_out(n: int, networks: int, seed: int) -> npt.NDArray[np.bool_]:
    """Which of n labels each network does not see: (networks, n), as many for each; every label is hidden from one."""
    hidden = np.zeros((networks, n), bool)
    if networks > 1 and n >= FEWEST:
        order, each = np.random.default_rng(seed).permutation(n), -(-n // networks)
        for number in range(networks):
            hidden[number, order[np.arange(number * each, (number + 1) * each) % n]] = True
    return hidden


def mixed(mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Mean and variance (N, T) of mixtures of equal weights from those of their parts (M, N, T)."""
    middle = mean.mean(0)
    return middle, (variance + (mean - middle) ** 2).mean(0)


def widening(unseen: Floats, forgotten: Floats) -> Floats:
    """By how much intervals must be wider so that those of 90 % hold nine of ten labels, for each target.

    Errors of labels that a network did not see are too large for the ensemble; errors of labels that only the process
    is made to forget are too small, because the networks know them. Between the two lies their geometric mean.

    Parameters
    ----------
    unseen, forgotten : array (n, T)
        Standardised errors of labels, each by the network that was fitted without it, and by the ensemble when only
        its processes forget the label.
    """
    return np.sqrt(np.clip(_width(unseen), *RANGE) * _width(forgotten))


def _width(errors: Floats) -> Floats:
    return np.asarray(np.quantile(np.abs(errors), 0.9, axis=0) / NORMAL_90)
