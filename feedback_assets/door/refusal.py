"""A request that is turned away before anyone looks at what it asks."""

from feedback_assets.errors import FeedbackAssetsError

Headers = tuple[tuple[bytes, bytes], ...]


class Refused(FeedbackAssetsError):  # noqa: N818
    """The request is answered with a problem document and nothing else.

    Attributes:
        status: The HTTP status, 4xx.
        reason: A short word for the counter of refused requests.
        detail: What the client is told; it never repeats what the client sent.
        headers: What else the answer carries, names in lower case.
    """

    def __init__(self, status: int, reason: str, detail: str, headers: Headers = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.headers = headers
