"""A Gaussian process in a few lines, with the methods of `DeepKernelGP`, and a function to explore with it."""

from types import SimpleNamespace

import numpy as np


class PlainGP:
    """RBF of one fixed length on rows, unit variance after standardising; several targets share it."""

    def __init__(self, length=0.2, noise=1e-3, target="real"):
        self.length, self.noise, self.target, self.fits = length, noise, target, 0
        self.config = SimpleNamespace(length=length, noise=noise)

    def prepare(self, x):
        return np.asarray(x, float)

    def fit(self, x, y, *, warm=False, stop=None):
        targets = np.asarray(y, float).reshape(len(x), -1)
        self.many = np.ndim(y) > 1
        self.middle, self.unit = targets.mean(0), targets.std(0)
        self.fits += 1
        return self.condition(x, y)

    def condition(self, x, y):
        self.x, targets = x, np.asarray(y, float).reshape(len(x), -1)
        factor = np.linalg.cholesky(self.kernel(x, x) + self.noise * np.eye(len(x)))
        self.inverse = np.linalg.inv(factor)
        self.weights = self.inverse.T @ self.inverse @ ((targets - self.middle) / self.unit)
        return self

    def kernel(self, a, b):
        return np.exp(-0.5 * ((a[:, None] - b[None]) ** 2).sum(-1) / self.length**2)

    def covariance(self, x):
        half = self.inverse @ self.kernel(self.x, x)
        return self.kernel(x, x) - half.T @ half

    def predict(self, x, *, noise=True):
        half = self.inverse @ self.kernel(self.x, x)
        variance = np.maximum(1 - (half**2).sum(0), 1e-12)
        mean = self.kernel(x, self.x) @ self.weights * self.unit + self.middle
        sd = np.sqrt(variance + noise * self.noise)[:, None] * self.unit
        return (mean, sd) if self.many else (mean[:, 0], sd[:, 0])

    def sample(self, x, n=1, *, seed=0):
        noise = np.random.default_rng(seed).standard_normal((n, len(x), len(self.unit)))
        root = np.linalg.cholesky(self.covariance(x) + 1e-8 * np.eye(len(x)))
        mean = self.predict(x)[0].reshape(len(x), -1)
        draws = mean + np.tensordot(noise, root, (1, 1)).swapaxes(1, 2) * self.unit
        return draws if self.many else draws[..., 0]

    def embed(self, x):
        return x


def branin(side=25):
    """The function of Branin on a grid over its domain, as rows in the unit square; it has three equal minima."""
    a, b = np.meshgrid(np.linspace(-5, 10, side), np.linspace(0, 15, side), indexing="ij")
    y = (b - 5.1 / (4 * np.pi**2) * a**2 + 5 / np.pi * a - 6) ** 2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10
    return np.stack([(a.ravel() + 5) / 15, b.ravel() / 15], 1), np.log(y.ravel())


X, Y = branin()
QUICK = {"model": PlainGP(0.3), "goal": "min", "start": 5}
