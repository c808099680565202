"""That every promotion can be explained: each question of an auditor has a recorded answer."""

import dagster as dg

from feedback_assets.assets.space import LoopSpace
from feedback_assets.errors import FeedbackAssetsError

DESCRIPTION = "What serves can be explained from the records; its model card is written."


def explained_check(space: LoopSpace) -> dg.AssetChecksDefinition:
    """The check `explained` of `promoted_model`; it also writes the cards that a decision changed."""

    @dg.asset_check(
        asset=space.key("promoted_model"), name="explained", description=DESCRIPTION, blocking=False
    )
    def _explained() -> dg.AssetCheckResult:
        from feedback_assets.audit.card import write_card
        from feedback_assets.audit.why import unanswered, versions_told, why

        try:
            told = why(space)
            pages = [write_card(space, version)[1] for version in versions_told(space)]
        except FeedbackAssetsError as error:
            return _result(False, str(error), [])
        open_questions = unanswered(told)
        words = (
            f"not recorded of version {told['version']}: {', '.join(open_questions)}"
            if open_questions
            else f"version {told['version']} is explained"
        )
        return _result(not open_questions, words, [space.report_url(page) for page in pages])

    return _explained


def _result(passed: bool, words: str, cards: list[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=words,
        metadata={f"card_{n}": dg.MetadataValue.url(card) for n, card in enumerate(cards, 1)},
    )
