"""Who answers when the champion cannot, in the order that the loop's file declares."""

from collections.abc import Sequence
from typing import NamedTuple

from feedback_assets.config.schema import Config
from feedback_assets.serving.answer import AnsweredBy, Row
from feedback_assets.serving.cache import AnswerCache, Remembered
from feedback_assets.serving.counts import Counts
from feedback_assets.serving.lineup import Lineup
from feedback_assets.serving.scorer import Scored
from feedback_assets.serving.served import ServedModel, ask

DEFAULT_VERSION = "default"


class Given(NamedTuple):
    """What a row is answered with, and by whom."""

    score: float | None
    prediction: int | float | str | None
    class_scores: dict[str, float] | None
    version: str
    digest: str | None
    by: AnsweredBy
    warning: str | None = None


def given(
    said: Scored, version: str, digest: str, by: AnsweredBy, warning: str | None = None
) -> Given:
    """A model's words as an answer."""
    return Given(said.score, said.prediction, said.class_scores, version, digest, by, warning)


class Fallbacks:
    """The declared order of one loop."""

    def __init__(self, config: Config, counts: Counts) -> None:
        serve = config.serve
        self._order = serve.fallback
        self._counts = counts
        self._default = _default(config)
        remembers = "cache" in serve.fallback and serve.cache_rows > 0
        self._cache = AnswerCache(config.columns.features, serve.cache_rows) if remembers else None

    def remember(
        self, rows: Sequence[Row], said: Sequence[Scored | None], model: ServedModel
    ) -> None:
        """Keep what the champion said, for the day when it cannot."""
        if self._cache is None:
            return
        for row, one in zip(rows, said, strict=True):
            if one is not None:
                self._cache.put(row, Remembered(one, model.version, model.digest))

    def can_answer(self, lineup: Lineup) -> bool:
        """Whether any row would be answered without the champion."""
        previous = lineup.previous
        alive = previous is not None and previous.breaker.state != "open"
        return ("previous" in self._order and alive) or (
            "default" in self._order and self._default is not None
        )

    def answer(self, rows: Sequence[Row], lineup: Lineup, why: str) -> list[Given | None]:
        """Answer rows that the champion did not; None where nothing can.

        Args:
            rows: The rows.
            lineup: Who is there.
            why: What was the matter with the champion.

        Raises:
            RowError: A numeric feature of a row holds something else.
        """
        found: list[Given | None] = [None] * len(rows)
        for kind in self._order:
            missing = [i for i, one in enumerate(found) if one is None]
            if not missing:
                break
            asked = [rows[i] for i in missing]
            match kind:
                case "previous":
                    more = _ask_previous(asked, lineup.previous, why)
                case "cache":
                    more = [self._look_up(row, why) for row in asked]
                case "default":
                    more = [self._configured(why)] * len(asked)
            for i, one in zip(missing, more, strict=True):
                found[i] = one
            self._counts.add(f"fallback_{kind}", sum(one is not None for one in more))
        return found

    def _configured(self, why: str) -> Given | None:
        warning = f"{why}: this is the configured default, no model's answer"
        return self._default and self._default._replace(warning=warning)

    def _look_up(self, row: Row, why: str) -> Given | None:
        kept = self._cache.get(row) if self._cache else None
        if kept is None:
            return None
        warning = f"{why}: version {kept.version} gave this answer to the same features before"
        return given(kept.said, kept.version, kept.digest, "cache", warning)


def _ask_previous(
    rows: Sequence[Row], previous: ServedModel | None, why: str
) -> list[Given | None]:
    if previous is None:
        return [None] * len(rows)
    warning = f"{why}: version {previous.version}, the champion before it, answered"
    return [
        one and given(one, previous.version, previous.digest, "previous", warning)
        for one in ask(previous, rows) or [None] * len(rows)
    ]


def _default(config: Config) -> Given | None:
    """The configured answer, in the label's own type."""
    stated = config.serve.default
    if stated is None:
        return None
    prediction: int | float | str | None = stated.prediction
    if config.label.kind == "binary":
        if prediction is None and stated.score is not None:
            prediction = int(stated.score >= config.label.threshold)
        elif prediction is not None:
            prediction = int(float(prediction))
    elif config.label.kind == "regression":
        stood = stated.score if prediction is None else prediction
        prediction = None if stood is None else float(stood)
    elif prediction is not None:
        prediction = str(prediction)
    return Given(stated.score, prediction, None, DEFAULT_VERSION, None, "default")
