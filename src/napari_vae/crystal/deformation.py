"""What a deformation is in terms of strain, dilation and rotation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def strain_of(deformation: Array) -> dict[str, Array]:
    """What deformation gradients (N, 2, 2) in (row, column) do, as seen on screen: x to the right, y up.

    ``F = exp(dilation) · exp(ε) · R``: a rotation counter-clockwise on screen in degrees, then the traceless symmetric
    strain with ``ε_xx = −ε_yy`` and ``ε_xy``, then a dilation; these are the screen strain and the logarithm of the
    scale in the pose of the models.
    """
    f = deformation[:, ::-1, ::-1] * np.array([[1, -1], [-1, 1]])  # (x, y up)
    left = f @ f.transpose(0, 2, 1)  # exp(2 dilation) · exp(2 ε)
    mean = (left[:, 0, 0] + left[:, 1, 1]) / 2
    xx, xy = (left[:, 0, 0] - left[:, 1, 1]) / 2, left[:, 0, 1]
    size = np.maximum(np.hypot(xx, xy), 1e-300)
    factor = np.arctanh(size / mean) / (2 * size)
    return {
        "strain_xx": factor * xx,
        "strain_xy": factor * xy,
        "dilation": np.log(np.linalg.det(f)) / 2,
        "rotation": np.degrees(np.arctan2(f[:, 1, 0] - f[:, 0, 1], f[:, 0, 0] + f[:, 1, 1])),
    }
