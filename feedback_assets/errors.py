"""Everything that can go wrong in words a person can act on, as one hierarchy."""


class FeedbackAssetsError(Exception):
    """Any failure the project foresees; the message names the field, file or value and the fix."""


class ConfigError(FeedbackAssetsError):
    """A loop's YAML file or an override of it in the environment is wrong."""


class SourceError(FeedbackAssetsError):
    """A source of predictions or of feedback cannot be read at all."""


class TableError(FeedbackAssetsError):
    """A table is missing, damaged, or was asked for something it cannot do."""


class StaleInputsError(TableError):
    """The stored partition was made from newer inputs than the ones offered to replace it."""


class ContractError(FeedbackAssetsError):
    """Rows break the contract that the loop's YAML file states."""


class TrainingError(FeedbackAssetsError):
    """A model cannot be trained or exported."""


class ParityError(TrainingError):
    """The exported model and the estimator disagree beyond the tolerance."""


class GateError(FeedbackAssetsError):
    """Champion and candidate cannot be compared fairly."""


class InboxError(FeedbackAssetsError):
    """The inbox cannot take or give rows."""


class InboxFullError(InboxError):
    """Too much waits to be written, or the disk is nearly full; trying later may help."""


class InboxClosedError(InboxError):
    """The inbox was closed, or stopped at an error of its disk; nothing more is taken."""


class ServingError(FeedbackAssetsError):
    """No model, or nothing that the configuration names, can answer."""


class DoorError(FeedbackAssetsError):
    """The service cannot start: a port, a certificate, a token or a loop is wrong."""


class LedgerError(FeedbackAssetsError):
    """The decision ledger, one of its signed heads or a signing key is missing or not what it says."""


class AuditError(FeedbackAssetsError):
    """What was asked cannot be answered from the records: no such version, prediction or file."""


class ApprovalError(FeedbackAssetsError):
    """An approval, a rejection or an override does not count."""


class ReviewError(FeedbackAssetsError):
    """Questions or answers of people cannot be kept, read or understood."""


class LabelStudioError(ReviewError):
    """Label Studio refused, did not answer, or answered what cannot be read.

    Attributes:
        status: HTTP status of its answer; None where none came that could be read, so that it is
            unknown whether it did what was asked.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
