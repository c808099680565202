"""Who answers which row: the challenger its share, the champion the rest, the fallbacks what is left."""

from collections.abc import Sequence

from feedback_assets.config.schema import Config
from feedback_assets.errors import ServingError
from feedback_assets.serving.answer import Answer, Arm, Row
from feedback_assets.serving.counts import Counts
from feedback_assets.serving.explore import Explorer
from feedback_assets.serving.fallback import Fallbacks, Given, given
from feedback_assets.serving.lineup import Lineup
from feedback_assets.serving.routing import Router
from feedback_assets.serving.scorer import RowError
from feedback_assets.serving.served import ask

CANARY_FAILED = "the challenger failed: the champion answered"
NO_SCORE = "gave no finite score"
NOT_FINITE = "the model gives no finite score for these features: a number in them lies far out"


class Desk:
    """Answers rows by the line-up it is handed; thread-safe."""

    def __init__(self, config: Config, counts: Counts) -> None:
        self._loop = config.name
        self._counts = counts
        self._explorer = Explorer(config)
        self._router = Router(config.name, config.serve.routing)
        self._fallbacks = Fallbacks(config, counts)

    def can_answer_without_champion(self, lineup: Lineup) -> bool:
        """Whether any row would be answered without the champion."""
        return self._fallbacks.can_answer(lineup)

    def answer(
        self, lineup: Lineup, rows: Sequence[Row], ids: Sequence[str], sticks: Sequence[str]
    ) -> list[Answer]:
        """As `Engine.answer`."""
        arms = self._arms(lineup, sticks)
        found: list[Given | None] = [None] * len(rows)
        if "canary" in arms:
            self._ask_challenger(lineup, rows, arms, found)
        ran = self._ask_champion(lineup, rows, arms, found)
        answers = [
            self._finish(one, arm, prediction_id)
            for one, arm, prediction_id in zip(found, arms, ids, strict=True)
            if one is not None
        ]
        if len(answers) < len(rows):
            self._counts.add("unanswered", len(rows))
            if ran:
                raise RowError(NOT_FINITE, found.index(None))
            what = "its model failed" if lineup.champion else "it has no model"
            raise ServingError(f"{self._loop} cannot answer now: {what}, and no fallback can")
        self._counts.add("answered", len(rows))
        return answers

    def _arms(self, lineup: Lineup, sticks: Sequence[str]) -> list[Arm]:
        if lineup.challenger is None:
            return ["champion"] * len(sticks)
        if lineup.stage == "canary":
            drawn = self._router.in_canary
            return ["canary" if drawn(stick) else "champion" for stick in sticks]
        drawn = self._router.in_shadow
        return ["shadow" if drawn(stick) else "champion" for stick in sticks]

    def _ask_challenger(
        self, lineup: Lineup, rows: Sequence[Row], arms: Sequence[Arm], found: list[Given | None]
    ) -> None:
        """Put the challenger's answers to its share into `found`; a failure leaves it as it is."""
        drawn = [i for i, arm in enumerate(arms) if arm == "canary"]
        model = lineup.challenger
        said = ask(model, [rows[i] for i in drawn]) or [None] * len(drawn)
        for i, one in zip(drawn, said, strict=True):
            if one is not None and model is not None:
                found[i] = given(one, model.version, model.digest, "challenger")
        failed = sum(one is None for one in said)
        self._counts.add("canary", len(drawn) - failed)
        self._counts.add("canary_failed", failed)

    def _ask_champion(
        self, lineup: Lineup, rows: Sequence[Row], arms: Sequence[Arm], found: list[Given | None]
    ) -> bool:
        """Fill what is open in `found` by the champion, then by the fallbacks.

        Returns:
            Whether the champion did its work: what it left open is due to the rows.
        """
        left = [i for i, one in enumerate(found) if one is None]
        model = lineup.champion
        why, ran = "there is no champion", False
        if left and model is not None:
            asked = [rows[i] for i in left]
            answered = ask(model, asked)
            ran = answered is not None
            why = f"version {model.version}, the champion, " + (NO_SCORE if ran else "failed")
            said = answered or [None] * len(asked)
            self._fallbacks.remember(asked, said, model)
            for i, one in zip(left, said, strict=True):
                if one is not None:
                    warning = CANARY_FAILED if arms[i] == "canary" else None
                    found[i] = given(one, model.version, model.digest, "champion", warning)
            left = [i for i in left if found[i] is None]
        if left:
            more = self._fallbacks.answer([rows[i] for i in left], lineup, why)
            for i, other in zip(left, more, strict=True):
                found[i] = other
        return ran

    def _finish(self, one: Given, arm: Arm, prediction_id: str) -> Answer:
        score, prediction, propensity = one.score, one.prediction, 1.0
        shadowed = arm == "shadow"
        explores = self._explorer.epsilon and one.by == "champion" and arm != "canary"
        if explores and prediction is not None:
            choice = self._explorer.choose(prediction_id, prediction)
            prediction, propensity = choice.prediction, choice.propensity
            if choice.explored:
                arm = "explore"
                self._counts.add("explored")
            if one.class_scores is not None:
                score = one.class_scores[str(prediction)]
        return Answer(
            prediction_id=prediction_id,
            score=score,
            class_scores=one.class_scores,
            prediction=prediction,
            model_version=one.version,
            model_digest=one.digest,
            arm=arm,
            answered_by=one.by,
            propensity=propensity,
            warning=one.warning,
            shadowed=shadowed,
        )
