"""Answers of one loop: champion, canary, fallbacks, exploration, and the challenger's shadow."""

import time
from collections.abc import Callable, Sequence

from feedback_assets.capture.inbox.records import Entry
from feedback_assets.config.schema import Config
from feedback_assets.serving.answer import Answer, Row
from feedback_assets.serving.counts import Counts
from feedback_assets.serving.desk import Desk
from feedback_assets.serving.hot import Hot
from feedback_assets.serving.remote import Registry
from feedback_assets.serving.shadow import Shadow, Task
from feedback_assets.serving.state import EngineState, held
from feedback_assets.serving.store import Store
from feedback_assets.settings import Settings


def _now_us() -> int:
    return time.time_ns() // 1000


class Engine:
    """One loop's models at work; `answer` and `shadow` may be called from any thread."""

    def __init__(
        self,
        config: Config,
        settings: Settings,
        submit: Callable[[Sequence[Entry]], bool],
        now: Callable[[], int] = _now_us,
    ) -> None:
        """Prepare; nothing is loaded before `start`.

        Args:
            config: The loop.
            settings: Where its models and its manifest are.
            submit: Takes shadow scores; False when it has no room.
            now: Microseconds since 1970, UTC.
        """
        self._config = config
        self._counts = Counts()
        self._registry = Registry(settings)
        store = Store(settings, config.name, self._registry)
        self._hot = Hot(config, settings, store, self._counts)
        self._desk = Desk(config, self._counts)
        room = config.serve.routing.shadow_queue
        self._shadow = Shadow(config.name, room, submit, now, self._counts)

    def start(self) -> None:
        """Load the manifest's models and watch it; a missing model is no error but a `problem`."""
        self._hot.start()
        self._shadow.start()

    def close(self) -> None:
        """End both threads; shadow scores that wait are submitted first."""
        self._hot.close()
        self._shadow.close()

    def state(self) -> EngineState:
        """How the engine is now."""
        lineup = self._hot.lineup
        breakers = {role: model.breaker.state for role, model in lineup.models()}
        champion = lineup.champion is not None and breakers["champion"] != "open"
        return EngineState(
            loop=self._config.name,
            generation=lineup.generation,
            champion=held(lineup.champion),
            previous=held(lineup.previous),
            challenger=held(lineup.challenger, lineup.stage),
            problem=self._hot.problem,
            ready=champion or self._desk.can_answer_without_champion(lineup),
            breakers={**breakers, "mlflow": self._registry.breaker.state},
            counts=self._counts.all(),
        )

    def answer(
        self, rows: Sequence[Row], ids: Sequence[str], sticks: Sequence[str]
    ) -> list[Answer]:
        """Answer rows, in their order, all by the same generation of models.

        Args:
            rows: Features (and whatever else) of each row [n].
            ids: Prediction ids [n].
            sticks: What sticks to an arm: the value of `serve.routing.key` [n].

        Raises:
            RowError: A row is the asker's fault: a numeric feature holds something else, or its
                values lie so far out that the model gives no finite score.
            ServingError: Some row cannot be answered by anyone.
        """
        return self._desk.answer(self._hot.lineup, rows, ids, sticks)

    def shadow(
        self, rows: Sequence[Row], answers: Sequence[Answer], event_us: Sequence[int]
    ) -> None:
        """Have the challenger score the rows drawn for it; called after the response was sent.

        Args:
            rows: What was answered [n].
            answers: The answers [n].
            event_us: Event times, microseconds since 1970, UTC [n].
        """
        lineup = self._hot.lineup
        if lineup.challenger is None or lineup.stage != "shadow":
            return
        drawn = [i for i, answer in enumerate(answers) if answer.shadowed]
        if drawn:
            self._shadow.put(
                Task(
                    lineup.challenger,
                    [rows[i] for i in drawn],
                    [answers[i].prediction_id for i in drawn],
                    [event_us[i] for i in drawn],
                )
            )
