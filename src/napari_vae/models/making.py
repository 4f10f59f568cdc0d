"""The model of a configuration."""

from __future__ import annotations

from .config import ModelConfig
from .encoder_decoder import EncoderDecoder
from .model import Model
from .vae import InvariantVAE


def make_model(config: ModelConfig, channels: int, size: tuple[int, int], n_given: int) -> Model:
    """The model of a configuration, before its training; for the arguments see `Model`."""
    kind = EncoderDecoder if config.knows.predicts else InvariantVAE
    return kind(config, channels, size, n_given)
