"""The invariant variational autoencoder.

An image is a content image, decoded upright from a few latents ``z`` and, in some kinds, a class or numbers ``y``
(``observed.py``), drawn in a pose (``pose.py``) plus scatter (``likelihood.py``). The encoder infers content and pose.

How the pose is found
    A pose that is regressed alone ends in wrong basins: angles beyond ±60°, symmetric motifs. Here the encoder sees the
    image turned back by each of R coarse angles ``2πr/R`` and proposes, for each copy, a residual pose. Content comes
    from features averaged over the copies, so ``z`` cannot carry the rotation. The free energy marginalises over them,

        F = −log (1/R) Σ_r exp(−NLL_r − KL_r) + β KL_z,

    so every basin competes in every step. The sum is dominated by a few terms: a coarse look ranks all R, and only the
    likeliest are drawn at full resolution and trained (dropping terms keeps F an upper bound of −log p).

How the class is found
    Where it is not given, the free energy is ``Σ_y q(y|x) F_y + β_d KL(q ‖ 1/K)`` with a classifier ``q`` on the
    features; the classes that it finds likely are drawn. How a training begins so that classes and angles do not end
    in traps is in ``curriculum.py``.

Which of two ways a motif lies that rebuild it nearly as well is asked when the training has ended (``polarity.py``).

References
----------
.. [1] Bepler et al., "Explicitly disentangling image content from translation and rotation with spatial-VAE",
   arXiv 1909.11663.
.. [2] Nasiri & Bepler, "Unsupervised object representation learning using translation and rotation group equivariant
   VAE", arXiv 2210.12918.
.. [3] Valleti et al., arXiv 2303.18236.
.. [4] Kingma et al., "Semi-supervised learning with deep generative models", arXiv 1406.5298.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .config import Invariance, ModelConfig
from .decoders import canvas_side, make_decoder
from .draws import Draws
from .evidence import Evidence, Explanation, Target
from .gauge import Gauge
from .likelihood import make_likelihood
from .model import Model
from .networks import PoseHead, mlp, shrink
from .observed import make_known
from .polarity import Polarity, one_way
from .pose import Pose, circular_means, wrap
from .posterior import Content, Look, PosePosterior, Tried, Weighed

GLANCE = 16  # side of those by which the orientations are ranked
KEEP = 2  # orientations that are drawn at full resolution
KEEP_CLASSES = 2  # classes that are
SURE = 30.0  # nats by which an orientation is worse that has no responsibility
ERROR = 0.05  # of the coarse look, as a share of how much orientations differ at most
UNLIKELY = 1e30  # nats that such an orientation costs; infinity times 0 is no number
CACHED = 2**18  # pixels that a CPU draws at once, so few that they stay in its cache
TOLERANCE = math.radians(1)  # by which an angle may differ from that of the teacher
TOLERANCE_LATENT = 0.05  # and the latents from its strain; with more they turn against its axes


class InvariantVAE(Model):
    """VAE whose latents do not depend on the pose of the image; for the parameters see `Model`.

    Examples
    --------
    >>> model = InvariantVAE(ModelConfig.preset("rvae"), channels=1, size=(32, 32))
    >>> model.look(torch.rand(5, 1, 32, 32)).posed.pose.angle.shape
    torch.Size([5, 12])
    """

    def __init__(self, config: ModelConfig, channels: int, size: tuple[int, int], n_given: int = 0) -> None:
        super().__init__(config, channels, size, n_given)
        width, k = config.hidden[-1], config.latent_dim
        self.content = mlp((width + n_given, width), end=2 * k)
        outputs = 2 * sum(self.reader.sizes.values())
        self.pose_head = PoseHead(width, outputs) if outputs else None
        self.observed = make_known(config, n_given, width)
        canvas = canvas_side(config, self.side)
        self.decoder = make_decoder(
            config, k + n_given, channels, self.side, (1, canvas) if size[0] == 1 else (canvas, canvas)
        )
        self.gauge = Gauge(config)
        self.polarity = Polarity(channels, self.side, self.gauge.groups)
        self.likelihood = make_likelihood(config.likelihood, channels)
        self.float()  # whatever the default of torch is, which others set for programs of theirs

    @property
    def symmetry(self) -> int:
        """That of the gauge."""
        return int(self.gauge.fold)

    def look(self, images: Tensor) -> Look:
        """Features and poses of images (B, C, H, W) in [0, 1]."""
        features = self.copies(images)
        raw = features[..., :0] if self.pose_head is None else self.pose_head(features)
        posed = self.reader.read(raw.transpose(0, 1))
        return Look(features.mean(0), posed, self.reader.kl(posed))

    def infer(self, features: Tensor, y: Tensor) -> Content:
        """Latents (B, Y, k) under each hypothesis (B, Y, n)."""
        wide = features[:, None].expand(-1, y.shape[1], -1)
        mean, log_var = self.content(torch.cat([wide, y], -1)).chunk(2, -1)
        return Content(mean, log_var.clamp(-12, 4))

    def draw(self, z: Tensor, y: Tensor, pose: Pose) -> Tensor:
        """Logits (B, K, C, H, W) of latents (B, k) with y (B, n), in K poses each."""
        upright = self.decoder(torch.cat([z, y], -1))
        return self.decoder.draw(upright, self.gauge.to_upright(pose, z, y), self.size, self.size)

    def evidence(
        self,
        images: Tensor,
        draws: Draws,
        *,
        given: Tensor | None = None,
        centring: bool = False,
        target: Target | None = None,
    ) -> Evidence:
        """What images (B, C, H, W) cost, from one draw of latents and poses.

        With `centring` every image is drawn in one random orientation instead of the likeliest: the canonical images
        become round and the shifts learn to centre them. Trained from the start on the likeliest, a model of rotation
        and translation would turn all images until they are off-centre to the same side, and stay there. A
        `target` is followed.
        """
        look = self.look(images)
        tried = self._try(look, given, KEEP_CLASSES, draws)
        if centring:
            turns = draws.whole(self.reader.copies, (len(images), 1, 1), images.device)
        elif target is not None:
            turns = target.turns[:, None]
        else:
            turns = self._scores(images, look, tried).topk(min(KEEP, self.reader.copies), largest=False).indices
        turns = turns.expand(-1, tried.y.shape[1], -1)
        posed = look.posed.select(turns.flatten(1))
        distillation = torch.zeros_like(posed.pose.angle[:, 0])
        if target is not None:
            distillation = self._distillation_loss(tried, posed, target)
            posed.pose.angle = target.angle.expand_as(posed.pose.angle)
        logits = self.decoder.draw(tried.upright, posed.sample(draws).fold(turns.shape[2]), self.size, self.size)
        nll = self.likelihood.nll(logits.unflatten(0, turns.shape[:2]), images[:, None, None])
        weighed = self._weigh(look, turns, nll)
        return self._sum(look, tried, weighed, given, distillation)

    @torch.no_grad()
    def likeliest(self, images: Tensor, given: Tensor | None) -> tuple[Look, Tensor]:
        """What is seen in images (B, C, H, W), and the coarse orientation (B, 1) that explains each best."""
        look = self.look(images)
        return look, self._scores(images, look, self._try(look, given, 1, None))[:, 0].argmin(1, keepdim=True)

    @torch.no_grad()
    def explain(self, images: Tensor, given: Tensor | None = None) -> Explanation:
        """The best latents, class, pose and reconstruction of images (B, C, H, W)."""
        look = self.look(images)
        tried = self._try(look, given, 1, None)
        z, y = tried.content.mean[:, 0], tried.y[:, 0]
        look.kl = look.kl + self.gauge.hand_cost(look.posed.pose, z, y)
        scores = self._scores(images, look, tried)[:, 0]
        costs, turns = scores.topk(min(2 * KEEP, self.reader.copies), largest=False)
        posed = look.posed.select(turns)
        likely = within_reach(costs, scores)
        nll, logits = self._draw_likely(images, tried.upright, posed.pose, likely)
        weighed = self._weigh(look, turns[:, None], nll[:, None])
        rows, weights = torch.arange(len(images), device=images.device), weighed.turns[:, 0]
        best = weights.argmax(1)
        pose = posed.pose.select(best[:, None])
        pose, pose_sd, circular = self._lie(images, tried, posed, pose, weights)
        pose_sd = {name: sd[rows, best] for name, sd in posed.spread.items()} | pose_sd
        return Explanation(
            mean=z,
            log_var=tried.content.log_var[:, 0],
            pose=pose,
            pose_sd=pose_sd,
            logits=logits[likely.flatten().cumsum(0).view_as(likely)[rows, best] - 1],
            evidence=self._sum(look, tried, weighed, given, torch.zeros_like(weighed.posed[:, 0])),
            y=y,
            orientation=turns[rows, best],
            circular=circular,
            inferred=self.observed.infer(look.features, given),
            mirrored=self.gauge.mirrored(posed.pose, weights, z, y),
        )

    def _lie(
        self, images: Tensor, tried: Tried, posed: PosePosterior, best: Pose, weights: Tensor
    ) -> tuple[Pose, dict[Invariance, Tensor], Tensor]:
        """The best pose of the object; the spread of its angle; circular means of the angle over orientations."""
        z, y = tried.content.mean[:, 0], tried.y[:, 0]
        pose = self.gauge.to_data(best, z, y)
        if "rotation" not in posed.spread:
            return pose, {}, circular_means(posed.pose.angle, weights)
        odds = self.polarity(images, pose, self.gauge.group(z, y))
        pose = self.gauge.turned(pose, odds < 0)
        angle, wrong = one_way(posed.pose.angle, best.angle, odds)
        apart, far = self.gauge.apart(angle - pose.angle), self.gauge.apart(torch.full_like(pose.angle, math.pi))
        spread = (weights * (posed.spread["rotation"][..., 0] ** 2 + apart**2)).sum(1, True) + wrong * far**2
        circular = circular_means(angle, weights)
        circular[:, :2] *= 1 - 2 * wrong
        return pose, {"rotation": spread.sqrt()}, circular

    @torch.no_grad()
    def order_latents(self, order: list[int]) -> None:
        """As in every model; the groups of the gauge follow."""
        super().order_latents(order)
        self.gauge.order(torch.tensor(order, device=self.decoder.first.weight.device))

    def _try(self, look: Look, given: Tensor | None, keep: int, draws: Draws | None) -> Tried:
        """Upright images of the `keep` likeliest classes, from means where there are no draws."""
        y, weights = self.observed.hypotheses(look.features, given, keep, draws)
        content = self.infer(look.features, y)
        z = content.mean if draws is None else content.sample(draws)
        return Tried(content, y, weights, self.decoder(torch.cat([z, y], -1).flatten(0, 1)))

    @torch.no_grad()
    def _scores(self, images: Tensor, look: Look, tried: Tried) -> Tensor:
        """How well each orientation explains the images by a coarse look, for each class: costs (B, H, R)."""
        batch, each = tried.y.shape[:2]
        if self.reader.copies == 1:
            return torch.zeros(batch, each, 1, device=images.device)
        rows, columns = (max(1, round(n * min(1, GLANCE / self.side))) for n in self.size)
        small = shrink(images, (rows, columns))
        logits = self.decoder.draw(tried.upright, look.posed.pose.repeat(each), self.size, (rows, columns))
        pixels = self.size[0] * self.size[1] / (rows * columns)  # that each sample stands for
        nll = self.likelihood.nll(logits, small.repeat_interleave(each, 0)[:, None]).unflatten(0, (batch, each))
        return nll * pixels + look.kl[:, None]

    def _draw_likely(self, images: Tensor, upright: Tensor, pose: Pose, likely: Tensor) -> tuple[Tensor, Tensor]:
        """Draw the poses (B, K) that are `likely`: costs (B, K) of all, logits (L, C, H, W) of those one by one."""
        nll, logits = [], []
        drawn_at_once = max(1, CACHED // self.side**2) if images.device.type == "cpu" else likely.numel()
        for drawn in likely.flatten().nonzero()[:, 0].split(drawn_at_once):
            row = drawn // likely.shape[1]
            logits.append(self.decoder.draw(upright[row], pose.fold(1).rows(drawn), self.size, self.size)[:, 0])
            nll.append(self.likelihood.nll(logits[-1], images[row]))
        return torch.full_like(pose.angle, UNLIKELY).masked_scatter(likely, torch.cat(nll)), torch.cat(logits)

    def _weigh(self, look: Look, turns: Tensor, nll: Tensor) -> Weighed:
        """Share the responsibility for the images among the orientations (B, H, K) that cost so much."""
        kl = look.kl.gather(1, turns.flatten(1)).view_as(nll)
        posed = -torch.logsumexp(-(nll + kl), -1) + math.log(self.reader.copies)
        return Weighed(nll, posed, torch.softmax(-(nll + kl).detach(), -1))

    def _distillation_loss(self, tried: Tried, posed: PosePosterior, target: Target) -> Tensor:
        """Cost (B,) of angles off the target; and, where a class is given, of latents that are not its strain."""
        cost = 0.5 * (wrap(posed.pose.angle - target.angle) / TOLERANCE).square().mean(1)
        if self.n_given:
            k = min(2, self.config.latent_dim)
            apart = tried.content.mean[..., :k] - target.strain[:, None, :k]
            cost = cost + 0.5 * (apart / TOLERANCE_LATENT).square().sum(-1).mean(1)
        return cost

    def _sum(self, look: Look, tried: Tried, weighed: Weighed, given: Tensor | None, distillation: Tensor) -> Evidence:
        """Evidence, summed over the classes by their probabilities."""
        w = tried.weights
        observed_kl, supervised = self.observed.costs(look.features, given)
        return Evidence(
            posed=(w * weighed.posed).sum(-1),
            reconstruction=(w[..., None] * weighed.turns * weighed.nll).sum((1, 2)),
            latent_kl=(w[..., None] * tried.content.kl()).sum(1),
            observed_kl=observed_kl,
            supervised=supervised,
            distillation=distillation,
        )


def within_reach(costs: Tensor, scores: Tensor) -> Tensor:
    """Which of the smallest costs (B, K) of a coarse look at orientations are to be looked at closely: (B, K).

    The others have no responsibility, by how much the costs (B, R) of all orientations differ.
    """
    worst = torch.where(scores.isfinite(), scores, -torch.inf).amax(1, keepdim=True)
    beyond = costs - costs[:, :1] > SURE + ERROR * (worst - costs[:, :1])
    beyond[:, 0] = False
    return ~beyond
