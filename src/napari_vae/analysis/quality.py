"""How far a result can be trusted: which latents say something, which atoms are unusual, how sure a value is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

ACTIVE = 0.1  # nats per image, below which a latent says next to nothing
UNUSUAL = ("elbo", "reconstruction_error")  # columns of how well the model does, the first that is there
_LOW_IS_BAD = {"elbo"}
_SURE = 0.5  # spread of a value, in its own spread over the atoms, that counts as half sure


def active_latents(history: pd.DataFrame) -> pd.Series:
    """Information that each latent holds about an image, in nats (KL divergence from the prior), after the training.

    A latent below `ACTIVE` was not needed (Burda et al. 2016, "Importance weighted autoencoders", arXiv 1509.00519).

    Parameters
    ----------
    history : DataFrame
        Of a run.

    Examples
    --------
    >>> active_latents(pd.DataFrame({"kl_z1": [0.2, 2.0], "kl_z2": [0.1, 0.0]})).to_dict()
    {'z1': 2.0, 'z2': 0.0}
    """
    last = history.iloc[-1] if len(history) else pd.Series(dtype=float)
    found = {str(name).removeprefix("kl_"): float(value) for name, value in last.items() if str(name)[:4] == "kl_z"}
    return pd.Series(found, dtype=float)


def most_unusual(table: pd.DataFrame, n: int = 50) -> tuple[str, npt.NDArray[np.int64]]:
    """The rows that the model accounts for worst, the worst first, and the column that says so.

    Returns
    -------
    (str, array)
        ``("", [])`` where no column says so.
    """
    name = next((known for known in UNUSUAL if known in table), "")
    if not name:
        return "", np.zeros(0, dtype=np.int64)
    values = table[name].to_numpy(float)
    badness = np.where(np.isfinite(values), -values if name in _LOW_IS_BAD else values, -np.inf)
    order = np.argsort(-badness, kind="stable")[:n]
    return name, order[np.isfinite(badness[order])].astype(np.int64)


def certainty_of(table: pd.DataFrame, column: str) -> npt.NDArray[np.float64] | None:
    """How sure each value of a column is (N,), from 0 to 1; ``None`` where the table does not say.

    Of classes their probability. Of numbers with a standard deviation ``…_sd`` the share ``1 / (1 + (sd / spread)²)``,
    where the spread is half of the values' own over the atoms: 1/2 for a value that is known no better than that.
    """
    if column.startswith("class") and "class_probability" in table:
        return table["class_probability"].to_numpy(float)
    if f"{column}_sd" not in table:
        return None
    spread = _SURE * float(np.nanstd(table[column].to_numpy(float))) or 1.0
    sure: npt.NDArray[np.float64] = 1 / (1 + (table[f"{column}_sd"].to_numpy(float) / spread) ** 2)
    return sure
