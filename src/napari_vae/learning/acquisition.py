"""Acquisitions: how promising each candidate is, from what the model predicts of it."""

from __future__ import annotations

#: Every acquisition by name, in words.
ACQUISITIONS = {
    "ei": "expected improvement on the best value so far",
    "ucb": "mean and uncertainty together",
    "pi": "probability of a better value than the best so far",
    "variance": "where the model is least sure",
    "thompson": "the best of one draw of the model",
    "information": "what tells most about all other candidates",
}
