"""Everything of a Points layer that a detection changes, to be put into the layer, or back."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from napari.layers import Points

from ...core.placement import Placement
from ...layers.dimming import undim
from ...layers.points import KEY, LayerData

LOOKS = ("size", "symbol", "border_width", "shown")
COLORS = ("face_color", "border_color")


@dataclass
class PointsState:
    """Positions, columns and looks of points.

    Parameters
    ----------
    data : array (N, 2) or (N, 3)
    features, defaults : DataFrame
        Of N rows, and of one.
    looks : dict
        Array (N, …) of every style.
    metadata : dict
    placement : Placement
    """

    data: npt.NDArray[np.float64]
    features: pd.DataFrame
    defaults: pd.DataFrame
    looks: dict[str, npt.NDArray[Any]]
    metadata: dict[str, Any]
    placement: Placement

    @classmethod
    def of(cls, layer: Points) -> Self:
        """What the layer is like now."""
        undim(layer)
        return cls(
            data=np.array(layer.data, float),
            features=layer.features.copy(),
            defaults=layer.feature_defaults.copy(),
            looks={name: np.array(getattr(layer, name)) for name in (*LOOKS, *COLORS)},
            metadata=dict(layer.metadata),
            placement=Placement.of_layer(layer),
        )

    @classmethod
    def made(cls, layer_data: LayerData) -> Self:
        """What a layer of such data would be like."""
        data, options, _ = layer_data
        return cls.of(Points(data, **options))

    def looking_like(self, other: PointsState, source: npt.NDArray[np.int64]) -> PointsState:
        """The same in the looks of another: row by row, `source` being the other's (−1 for none), or all in one."""
        looks = {name: values.copy() for name, values in self.looks.items()}
        for name, theirs in other.looks.items():
            if len(theirs) and (theirs == theirs[0]).all():
                looks[name][:] = theirs[0]
            else:
                looks[name][source >= 0] = theirs[source[source >= 0]]
        return replace(self, looks=looks)

    def put(self, layer: Points) -> None:
        """Make the layer like this. Colours by a column stay so as long as the column is of the same kind."""
        layer.selected_data = set()
        mapped = [name for name in COLORS if _is_mapped(layer, name) and self._has_columns_of(layer)]
        for name in set(COLORS) - set(mapped):
            setattr(layer, name, "white")  # no longer by a column, of which napari would miss the values
        layer.data = self.data
        with warnings.catch_warnings():  # of colours by a column that is gone: napari says so even of former ones
            warnings.filterwarnings("ignore", "property used for", RuntimeWarning)
            layer.features = self.features
        layer.feature_defaults = self.defaults
        for name in [*LOOKS, *(name for name in COLORS if name not in mapped)] if len(self.data) else ():
            setattr(layer, name, self.looks[name])
        for name, value in self.placement.kwargs().items():
            setattr(layer, name, value)
        layer.metadata = self.metadata

    def restore(self, layer: Points) -> None:
        """Make the layer like this, to the colour."""
        self.put(layer)
        for name in COLORS:
            if not np.array_equal(getattr(layer, name), self.looks[name]):
                setattr(layer, name, self.looks[name])

    def layer(self, name: str) -> Points:
        """A new layer like this."""
        layer = Points(ndim=self.data.shape[1], name=name)
        self.restore(layer)
        return layer

    def _has_columns_of(self, layer: Points) -> bool:
        """Whether every column of the layer is here, of the same kind."""
        kinds = self.features.dtypes
        return all(name in kinds and kinds[name] == kind for name, kind in layer.features.dtypes.items())


def contents(layer: Points) -> str:
    """Digest of what a user may change in a layer of atoms: positions and columns."""
    digest = hashlib.sha256(repr(list(layer.features)).encode())
    digest.update(np.ascontiguousarray(layer.data, dtype=np.float64).tobytes())
    digest.update(pd.util.hash_pandas_object(layer.features, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def set_aside(viewer: Any, layer: Points) -> None:
    """Keep a layer, hidden and out of the way of further detections."""
    ours = {name: value for name, value in layer.metadata[KEY].items() if name != "detected"}
    layer.metadata = {**layer.metadata, KEY: ours}
    layer.name, layer.visible = f"{layer.name}, edited", False
    if layer not in viewer.layers:
        viewer.layers.insert(0, layer)


def _is_mapped(layer: Points, color: str) -> bool:
    return str(getattr(layer, f"{color}_mode")) != "direct"
