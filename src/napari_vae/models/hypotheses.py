"""What is seen in images and tried to explain them by: poses, classes with their upright images, orientations."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .posterior import Content, PosePosterior


@dataclass
class Look:
    """What the encoder sees in a batch of images: features (B, width), and poses with their cost (B, R)."""

    features: Tensor
    posed: PosePosterior
    kl: Tensor


@dataclass
class Tried:
    """Upright images of H classes.

    Attributes
    ----------
    content : Content (B, H, k)
    y : Tensor (B, H, n)
        The classes, or what is given.
    weights : Tensor (B, H)
        Their probabilities.
    upright : Tensor (B·H, …)
        What the decoder makes of them.
    """

    content: Content
    y: Tensor
    weights: Tensor
    upright: Tensor


@dataclass
class Weighed:
    """Images drawn in K orientations each, and who is responsible for them.

    Attributes
    ----------
    logits : Tensor (B, H, K, C, height, width)
    nll : Tensor (B, H, K)
    posed : Tensor (B, H)
        Cost of each class, marginalised over orientations, without that of its latents.
    turns : Tensor (B, H, K)
        Responsibilities of the orientations within each class.
    """

    logits: Tensor
    nll: Tensor
    posed: Tensor
    turns: Tensor
