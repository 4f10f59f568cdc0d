"""One network with a Gaussian process on top: fitted together, asked together."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from botorch.models import SingleTaskGP
from botorch.sampling.pathwise import draw_matheron_paths
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import MaternKernel, RBFKernel, ScaleKernel
from gpytorch.likelihoods import FixedNoiseGaussianLikelihood, GaussianLikelihood
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import LogNormalPrior
from linear_operator.utils.cholesky import psd_safe_cholesky
from linear_operator.utils.errors import NanError, NotPSDError
from torch import Tensor

from ..errors import TrainingError
from .candidates import Floats, Prepared
from .config import DeepKernelConfig
from .networks import FeatureNetwork

RATE, WARM_RATE = 0.01, 0.005  # of the network
KERNEL_RATE = 0.05
INHERITED = 0.01  # of the rate, for an encoder that was trained before
CHUNK = 2048
TINY = 1e-12
NOISE, LEAST_NOISE = (-4.0, 1.0), 1e-4  # prior of the variance of the noise, of targets of unit variance
LENGTH = (0.0, 1.0)  # prior of the length scales, as logarithms
PATIENCE, TOLERANCE = 30, 1e-3  # steps without a gain of this many nats per label


class Member:
    """A feature network and an exact Gaussian process on its embedding, one output for each target.

    The process is in double precision on the CPU, because its Cholesky factors need it.

    Parameters
    ----------
    network : FeatureNetwork
    kernel : "matern" or "rbf"
    """

    def __init__(self, network: FeatureNetwork, kernel: str, shape: tuple[int, ...]) -> None:
        self.network, self.kernel, self.shape = network, kernel, shape
        self.gp: SingleTaskGP | None = None

    def fit(
        self,
        seen: Prepared,
        targets: Floats,
        variance: Floats | None,
        rows: npt.NDArray[np.bool_],
        *,
        settings: DeepKernelConfig,
        warm: bool,
        stop: Callable[[], bool],
    ) -> None:
        """Maximise the marginal likelihood of some rows of the targets (n, T), whose variances may be known.

        Raises
        ------
        TrainingError
            If the covariance cannot be inverted, whatever is added to its diagonal.
        """
        seen, targets, variance = seen[rows], targets[rows], None if variance is None else variance[rows]
        warm = warm and self.gp is not None
        steps, rate = (settings.warm_steps, WARM_RATE) if warm else (settings.steps, RATE)
        try:
            self.condition(seen, targets, variance)
            self._train(seen, steps, settings.weight_decay, rate, stop)
            self._settle(seen)
        except (NotPSDError, NanError) as error:
            raise TrainingError(
                "The kernel of the Gaussian process could not be inverted; leave out labels of the same image that "
                "disagree, or choose a smaller embedding."
            ) from error

    def condition(self, seen: Prepared, targets: Floats, variance: Floats | None) -> None:
        """Let the process know these labels, whatever it was fitted to."""
        before = None if self.gp is None else self.gp.state_dict()
        y, noise = torch.from_numpy(targets), None if variance is None else torch.from_numpy(variance)
        self.gp = self._process(self.network.embed(seen), y, noise)
        if before is not None:
            self.gp.load_state_dict(before)
        self.gp.eval()

    def state(self) -> dict[str, Tensor]:
        """Weights, hyperparameters and what is known, by name."""
        gp = self.gp
        assert gp is not None
        known = {"known.z": gp.train_inputs[0], "known.y": gp.train_targets}
        if not isinstance(gp.likelihood, GaussianLikelihood):
            known["known.noise"] = gp.likelihood.noise_covar.noise
        parts = {"network": self.network.state_dict(), "gp": gp.state_dict()}
        named = {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}
        return {name: value.detach().cpu().clone().contiguous() for name, value in (named | known).items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put everything back as `state` told it."""
        z, y = state["known.z"], state["known.y"]
        noise = state.get("known.noise")
        self.network.load_state_dict(_under("network.", state))
        self.gp = self._process(z[0] if y.ndim > 1 else z, _rows(y), None if noise is None else _rows(noise))
        self.gp.load_state_dict(_under("gp.", state))
        self.gp.eval()

    def _process(self, z: Tensor, y: Tensor, variance: Tensor | None) -> SingleTaskGP:
        batch = torch.Size([y.shape[1]] if y.shape[1] > 1 else [])
        shape = MaternKernel(2.5, **_lengths(z, batch)) if self.kernel == "matern" else RBFKernel(**_lengths(z, batch))
        scaled = ScaleKernel(shape, batch_shape=batch, outputscale_prior=LogNormalPrior(0.0, 1.0))
        noise = {"noise_prior": LogNormalPrior(*NOISE), "noise_constraint": GreaterThan(LEAST_NOISE)}
        if variance is None:
            likelihood = GaussianLikelihood(**noise, batch_shape=batch)
            likelihood.noise = math.exp(NOISE[0])
        else:
            known = variance.T if len(batch) else variance[:, 0]
            likelihood = FixedNoiseGaussianLikelihood(known, learn_additional_noise=True, **noise, batch_shape=batch)
            likelihood.second_noise = math.exp(NOISE[0])
        return SingleTaskGP(z, y, likelihood=likelihood, covar_module=scaled, outcome_transform=None)

    def _train(self, seen: Prepared, steps: int, weight_decay: float, rate: float, stop: Callable[[], bool]) -> None:
        gp, network = self.gp, self.network
        assert gp is not None
        gp.train()
        network.train()
        evidence = ExactMarginalLogLikelihood(gp.likelihood, gp)
        inherited = [] if network.encoder is None else [p for p in network.encoder.parameters() if p.requires_grad]
        layers = [p for p in network.parameters() if p.requires_grad and not any(p is q for q in inherited)]
        groups = [
            {"params": layers, "lr": rate, "weight_decay": weight_decay},
            {"params": inherited, "lr": rate * INHERITED, "weight_decay": 0.0},  # it knows much already
            {"params": list(gp.parameters()), "lr": KERNEL_RATE, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups)
        best, since = float("inf"), 0
        for _ in range(steps):
            if stop():
                break
            optimizer.zero_grad()
            z = network(seen).double().cpu()
            z = z.expand(gp.num_outputs, *z.shape) if gp.num_outputs > 1 else z
            loss = -evidence(gp.forward(z), gp.train_targets).sum()
            loss.backward()
            optimizer.step()
            value = float(loss.detach())
            best, since = (value, 0) if value < best - TOLERANCE else (best, since + 1)
            if since >= PATIENCE:
                break

    def _settle(self, seen: Prepared) -> None:
        """Leave training: the labelled candidates are where the network now has them."""
        assert self.gp is not None
        self.network.eval()
        self._place(self.network.embed(seen))
        self.gp.eval()

    @torch.no_grad()
    def moments(self, seen: Prepared, noise: bool) -> tuple[Floats, Floats]:
        """Mean and variance (N, T) of candidates, chunk by chunk.

        Each by itself: gpytorch's prediction would take the covariance of every candidate with every other.
        """
        gp, factor = self._factor()
        z_known, weights = gp.train_inputs[0], torch.cholesky_solve(self._deviations()[..., None], factor)
        learned = gp.likelihood.noise if isinstance(gp.likelihood, GaussianLikelihood) else gp.likelihood.second_noise
        added = learned if noise else torch.zeros(1)
        parts = []
        for k in range(0, len(seen), CHUNK):
            z = self.network.embed(seen[k : k + CHUNK]).expand(*z_known.shape[:-2], -1, -1)
            cross = gp.covar_module(z, z_known).to_dense()
            mean = gp.mean_module(z) + (cross @ weights)[..., 0]
            known = torch.linalg.solve_triangular(factor, cross.mT, upper=False).square().sum(-2)
            variance = gp.covar_module(z, diag=True) - known
            parts.append((mean, variance.clamp_min(TINY) + added))
        mean, variance = (torch.cat(part, -1).reshape(-1, len(seen)).T.numpy() for part in zip(*parts, strict=True))
        return mean, variance

    @torch.no_grad()
    def left_out(self) -> tuple[Floats, Floats]:
        """What `moments` says of each label from all others, by the process; the network saw them all.

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
        n = mean.shape[-1]
        return mean.reshape(-1, n).T.numpy(), variance.reshape(-1, n).T.numpy()

    @torch.no_grad()
    def draw(self, seen: Prepared, n: int, seed: int) -> Floats:
        """Functions of the process at all candidates (n, N, T)."""
        z = self.network.embed(seen)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            drawn = [draw_matheron_paths(gp, torch.Size([n]))(z) for gp in self._outputs()]
        return torch.stack(drawn, -1).numpy()

    def _outputs(self) -> list[SingleTaskGP]:
        """A process for each target: functions of several at once take the memory of draws × candidates × features."""
        gp = self.gp
        assert gp is not None
        if gp.num_outputs == 1:
            return [gp]
        fixed = None if isinstance(gp.likelihood, GaussianLikelihood) else gp.likelihood.noise_covar.noise
        outputs = []
        for k, y in enumerate(gp.train_targets):
            one = self._process(gp.train_inputs[0][k], y[:, None], None if fixed is None else fixed[k][:, None])
            shapes = {name: value.shape for name, value in one.state_dict().items()}
            state = {name: v if v.shape == shapes[name] else v[k] for name, v in gp.state_dict().items()}
            one.load_state_dict(state)
            outputs.append(one.eval())
        return outputs

    def _factor(self) -> tuple[SingleTaskGP, Tensor]:
        """The process, and the Cholesky factor of the covariance of what it knows."""
        gp = self.gp
        assert gp is not None
        z = gp.train_inputs[0]
        return gp, psd_safe_cholesky(gp.likelihood(gp.forward(z), z).covariance_matrix)

    def _deviations(self) -> Tensor:
        """Of what is known, from the mean of the process."""
        assert self.gp is not None
        deviations: Tensor = self.gp.train_targets - self.gp.mean_module(self.gp.train_inputs[0])
        return deviations

    def _place(self, z: Tensor) -> None:
        gp = self.gp
        assert gp is not None
        if gp.num_outputs > 1:
            z = z.expand(gp.num_outputs, *z.shape)
        gp.set_train_data(inputs=z, strict=False)


def _lengths(z: Tensor, batch: torch.Size) -> dict[str, Any]:
    return {"ard_num_dims": z.shape[-1], "batch_shape": batch, "lengthscale_prior": LogNormalPrior(*LENGTH)}


def _rows(values: Tensor) -> Tensor:
    """Outputs (T, n), or (n,), as (n, T)."""
    return values.T.contiguous() if values.ndim > 1 else values[:, None]


def _under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
