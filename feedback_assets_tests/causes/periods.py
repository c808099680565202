"""Periods of labelled rows whose change is known by construction."""

import numpy as np

from feedback_assets.causes import Rows


def logistic(z):
    return 1 / (1 + np.exp(-z))


def binary(seed, n, *changes, days=14):
    """Rows of a model that is worse in segment B, where x0 is large, and where x0 is missing.

    changes: any of mix, missing, covariate, label, concept, odds.
    """
    rng = np.random.default_rng(seed)
    drawn = 6 * n if "label" in changes else n
    segment = np.where(rng.random(drawn) < (0.8 if "mix" in changes else 0.3), "B", "A")
    x = rng.normal(size=(drawn, 4))
    x[:, 0] += 1.0 if "covariate" in changes else 0.0
    missing = rng.random(drawn) < (0.35 if "missing" in changes else 0.03)
    # Where x0 is missing the label does not depend on it: else a move of x0 is a change of the
    # label given what is known.
    known = np.where(missing, 0.0, x[:, 0])
    z = 1.2 * known - 0.8 * x[:, 1] + 0.5 * known * x[:, 1] - 0.3
    z = np.where(x[:, 1] > 0, -z, z) if "concept" in changes else z
    z = z + (1.5 if "odds" in changes else 0.0)
    y = (rng.random(drawn) < logistic(z)).astype(float)
    if "label" in changes:
        kept = prior_shifted(rng, y, n)
        segment, x, y, missing = segment[kept], x[kept], y[kept], missing[kept]
    said = 1.2 * np.minimum(x[:, 0], 0.2) - 0.8 * x[:, 1] - 0.7
    p = np.clip(logistic(np.where(missing, -0.8 * x[:, 1] + 2, said)), 0.02, 0.98)
    loss = -np.where(y == 1, np.log(p), np.log1p(-p)) + 0.3 * (segment == "B")
    x[missing, 0] = np.nan
    features = {f"x{i}": x[:, i] for i in range(4)} | {"segment": segment.astype(object)}
    return Rows(features, loss, y, segment.astype(object), day_of(rng, n, days), "log_loss")


def prior_shifted(rng, y, n):
    """Rows drawn so that positives are 0.3 more frequent and the features given the label as before."""
    share = y.mean()
    target = min(share + 0.3, 0.85)
    weight = np.where(y == 1, target / share, (1 - target) / (1 - share))
    return rng.choice(y.size, n, replace=False, p=weight / weight.sum())


def numeric(seed, n, change=None, days=14):
    """Rows of a regression; its absolute error grows with x0.

    change: none, covariate, label or concept.
    """
    rng = np.random.default_rng(seed)
    drawn = 8 * n if change == "label" else n
    x = rng.normal(size=(drawn, 5))
    x[:, 0] += 1.2 if change == "covariate" else 0.0
    said = 2 * x[:, 0] + 1.5 * np.sin(2 * x[:, 1])
    y = said + x[:, 2] * x[:, 3] + rng.normal(size=drawn) * np.exp(0.4 * x[:, 0])
    y += np.where(x[:, 4] > 0, 1.5, 0.0) if change == "concept" else 0.0
    if change == "label":
        weight = np.minimum(np.exp(0.35 * y), 3.0)
        kept = rng.choice(drawn, n, replace=False, p=weight / weight.sum())
        x, y, said = x[kept], y[kept], said[kept]
    features = {f"x{i}": x[:, i] for i in range(5)}
    segment = np.full(n, "", dtype=object)
    return Rows(features, np.abs(y - said), y, segment, day_of(rng, n, days), "mae", True)


def classes(seed, n, change=None):
    """Rows of three classes; label moves the classes, concept swaps two where x1 is large."""
    rng = np.random.default_rng(seed)
    prior = [0.2, 0.2, 0.6] if change == "label" else [0.5, 0.3, 0.2]
    y = rng.choice(3, n, p=prior)
    centres = np.array([[0.0, 0.0], [1.5, 0.0], [0.0, 1.5]])
    x = centres[y] + rng.normal(size=(n, 2))
    logs = -0.5 * ((x[:, None, :] - centres) ** 2).sum(axis=2) + np.log([0.5, 0.3, 0.2])
    p = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    if change == "concept":
        y = np.where((x[:, 1] > 0.5) & (y != 1), 2 - y, y)
    loss = -np.log(p[np.arange(n), y])
    segment = np.full(n, "", dtype=object)
    features = {"x0": x[:, 0], "x1": x[:, 1]}
    return Rows(features, loss, y.astype(float), segment, day_of(rng, n, 10), "log_loss")


def day_of(rng, n, days):
    return np.array([f"2024-01-{d + 1:02d}" for d in rng.integers(0, days, n)], dtype=object)
