"""Why a row is asked about, in words that a person reads."""

from collections.abc import Callable, Mapping

import numpy as np

from feedback_assets.querying.candidates import Candidates, Floats, Ints
from feedback_assets.querying.strategies import Layout, strata

AUDIT = "drawn evenly from all rows, to see how good model and labels are"
RANDOM = "drawn evenly"


def in_words(pool: Candidates, layout: Layout, at: Ints, strategy: np.ndarray) -> np.ndarray:
    """The reason of each chosen row [m].

    Args:
        pool: n candidates.
        layout: how they lie in space.
        at: positions of the chosen rows [m].
        strategy: what each was chosen for [m].
    """
    found = np.full(at.size, AUDIT, dtype=object)
    for name, words in _WORDS.items():
        mine = strategy == name
        if mine.any():
            found[mine] = words(pool, layout, at[mine])
    return found


def _unsure(pool: Candidates, _layout: Layout, at: Ints) -> np.ndarray:
    """The model is unsure: its answer has 53%, the next 44%."""
    if pool.probabilities is None or pool.probabilities.shape[1] < 2:
        return _all(at, "the model is unsure")
    p = np.sort(pool.probabilities[at], axis=1)
    return _texts(
        f"the model is unsure: its likeliest answer has {first:.0%}, the next {second:.0%}"
        if np.isfinite(first + second)
        else "the model gave no probability"
        for first, second in zip(p[:, -1], p[:, -2], strict=True)
    )


def _divided(pool: Candidates, _layout: Layout, at: Ints) -> np.ndarray:
    text = "models that learned from different parts of the labels disagree"
    if pool.disagreement is None:
        return _all(at, text)
    return _texts(
        f"{text}, more than on {share:.0%} of the rows"
        for share in _share_below(pool.disagreement, at)
    )


def _usual(pool: Candidates, layout: Layout, at: Ints) -> np.ndarray:
    if pool.probabilities is None:
        return _all(at, "many rows are like this one")
    return _texts(f"{why}; many rows are like it" for why in _unsure(pool, layout, at))


def _different(_pool: Candidates, layout: Layout, at: Ints) -> np.ndarray:
    sizes = np.bincount(layout.cluster[layout.open])
    return _texts(f"stands for {sizes[c]:,} rows unlike the others" for c in layout.cluster[at])


def _strange(pool: Candidates, _layout: Layout, at: Ints) -> np.ndarray:
    text = np.full(at.size, "lies outside what the model was trained on", dtype=object)
    if pool.drifted is not None:
        there = np.asarray(pool.drifted, dtype=bool)[at]
        text[there] = "lies where the data has drifted"
        if pool.drifted_why is not None:
            text[there] = [str(why) for why in np.asarray(pool.drifted_why)[at][there]]
    return text


def _segment(pool: Candidates, _layout: Layout, at: Ints) -> np.ndarray:
    if pool.segments is None:
        return _all(at, RANDOM)
    values, rare = [], []
    for name in pool.segments.columns:
        code, words = strata(pool.segments[name])
        values.append([f"{name} = {word}" for word in words[code[at]]])
        rare.append(np.bincount(code)[code[at]])
    rarest = np.argmin(rare, axis=0)
    return _texts(
        f"so that every segment is asked about: {values[which][row]}"
        for row, which in enumerate(rarest)
    )


def _random(_pool: Candidates, _layout: Layout, at: Ints) -> np.ndarray:
    return _all(at, RANDOM)


def _share_below(values: Floats, at: Ints) -> Floats:
    known = np.sort(values[np.isfinite(values)])
    if not known.size:
        return np.zeros(at.size)
    return np.searchsorted(known, np.nan_to_num(values[at])) / known.size


def _all(at: Ints, text: str) -> np.ndarray:
    return np.full(at.size, text, dtype=object)


def _texts(texts: object) -> np.ndarray:
    found = list(texts)  # type: ignore[call-overload]
    return np.array(found, dtype=object)


_WORDS: Mapping[str, Callable[[Candidates, Layout, Ints], np.ndarray]] = {
    "entropy": _unsure,
    "margin": _unsure,
    "least_confidence": _unsure,
    "committee": _divided,
    "density": _usual,
    "diversity": _different,
    "stratified": _segment,
    "drifted": _strange,
    "random": _random,
}
