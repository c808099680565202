"""Every counter and histogram of the service, by name."""

from feedback_assets.door.tallies import Counts, Spreads

REQUEST_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10)
SCORING_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1)
PONDERING_BOUNDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)


class Families:
    """What is counted; `model` is a loop's name everywhere, `_total` is added to counters."""

    def __init__(self) -> None:
        self.latencies = Spreads(
            "request_latency_seconds", "Time to answer a request.", REQUEST_BOUNDS,
            "route", "method", "status",
        )  # fmt: skip
        self.scoring = Spreads(
            "model_prediction_latency_seconds", "Time to score the rows of a request.",
            SCORING_BOUNDS, "model",
        )  # fmt: skip
        self.writing = Spreads(
            "feedback_write_latency_seconds", "From a feedback request in to its commit.",
            REQUEST_BOUNDS, "model",
        )  # fmt: skip
        self.success = Counts(
            "prediction_success", "Predictions that a model gave, now or for the same row before.",
            "model",
        )  # fmt: skip
        self.answers = Counts(
            "model_predictions", "Predictions by who gave them.",
            "model", "version", "arm", "answered_by",
        )  # fmt: skip
        self.samples = Counts(
            "feedback_samples", "Feedback events by what became of them.",
            "model", "outcome", "kind",
        )  # fmt: skip
        self.quarantined = Counts(
            "quarantined", "Refused payloads, kept with their reason or only counted.", "model"
        )
        self.asked = Counts("review_questions", "Questions put to people.", "model")
        self.reviewed = Counts(
            "review_answers", "What people said to questions, by what became of it.",
            "model", "route", "outcome",
        )  # fmt: skip
        self.pondering = Spreads(
            "review_answer_seconds", "Time a person took for an answer.", PONDERING_BOUNDS, "model"
        )
        self.limited = Counts("rate_limited", "Requests beyond the rate of a principal.", "model")
        self.refusals = Counts(
            "door_requests_refused", "Requests turned away at the door.", "reason"
        )
        self.of_engines = {
            counts.name: counts
            for counts in (
                Counts("shadow_scored", "Predictions scored in shadow.", "model"),
                Counts("shadow_dropped", "Shadow scorings left out: too many waited.", "model"),
                Counts("shadow_failed", "Shadow scorings that failed.", "model"),
                Counts("model_swaps", "Models taken into service.", "model"),
                Counts("model_swap_failures", "Models refused; the old one went on.", "model"),
                Counts("fallback_answers", "Answers not given by the model in charge.",
                       "model", "kind"),
            )
        }  # fmt: skip

    def all(self) -> list[Counts | Spreads]:
        """Every one."""
        return [
            self.latencies, self.scoring, self.writing, self.success, self.answers, self.samples,
            self.quarantined, self.asked, self.reviewed, self.pondering, self.limited, self.refusals, *self.of_engines.values(),
        ]  # fmt: skip
