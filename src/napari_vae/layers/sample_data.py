"""The built-in samples as napari has them under File → Open Sample."""

from __future__ import annotations

import numpy as np

from .. import samples
from ..runs.decoding import tile
from ..samples.micrographs import Crystals
from .active import like_what_is_open
from .images import image_layer
from .points import KEY, LayerData
from .spectra import spectra_layers


def graphene() -> list[LayerData]:
    """A simulated STEM image of graphene with vacancies and dopants."""
    return _micrograph("graphene")


def perovskite() -> list[LayerData]:
    """A simulated STEM image of a perovskite with static displacements."""
    return _micrograph("perovskite")


def movie() -> list[LayerData]:
    """A simulated movie of drifting graphene, in which atoms hop into vacancies."""
    images, _ = samples.movie("graphene", frames=12, size=192, hops=0.1, vacancies=0.03)
    return [image_layer(images)]


def domains() -> list[LayerData]:
    """A simulated movie of domains that are heated through a transition."""
    return [image_layer(samples.domains().image)]


def cards() -> list[LayerData]:
    """Playing cards in many poses on one picture; the regular grid of “Train VAE” takes one card per window."""
    sheet = samples.cards(n_per_suit=256, size=48)
    order = np.random.default_rng(0).permutation(len(sheet.images))
    picture = tile(np.asarray(sheet.images)[order].reshape(32, 32, 48, 48))
    options = {"name": "cards", "colormap": "gray", "metadata": {KEY: {"kind": "micrograph", "grid": 48}}}
    return like_what_is_open([(picture, options, "image")])


def spectrum_image() -> list[LayerData]:
    """A simulated image of small structures with a spectrum of each."""
    return like_what_is_open(spectra_layers(samples.spectrum_image(32).spectrum_image))


def dysprosium_scandate() -> list[LayerData]:
    """A real image of DyScO3."""
    return _real("DyScO3")


def gold_grain_boundary() -> list[LayerData]:
    """A real image of two grains of gold."""
    return _real("gold grain boundary")


def oxide_superlattice() -> list[LayerData]:
    """A real image of a superlattice of oxides."""
    return _real("oxide superlattice")


def platinum_atoms() -> list[LayerData]:
    """A real image of single atoms of platinum."""
    return _real("Pt single atoms")


def _real(name: str) -> list[LayerData]:
    return like_what_is_open([image_layer(samples.real(name))])


def _micrograph(kind: Crystals) -> list[LayerData]:
    image, _ = samples.micrograph(kind)
    return like_what_is_open([image_layer(image)])
