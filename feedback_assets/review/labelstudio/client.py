"""Requests to Label Studio: with the token, again where that may help, and read strictly."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

from feedback_assets.config.review import LabelStudio
from feedback_assets.errors import LabelStudioError
from feedback_assets.review.labelstudio.address import checked_url, token_of
from feedback_assets.review.labelstudio.refusals import scrubbed, words_of

if TYPE_CHECKING:
    import httpx
    import tenacity

TRIES = 5
LONGEST_SECONDS = 60.0
"""After so long a request is not tried again: whoever waits for it has more to do."""
PATIENCE_SECONDS = 120.0
"""A server that asks for a longer pause than this is not waited for."""
REFRESH = "api/token/refresh/"


class _PassingError(LabelStudioError):
    """The same request may do better later."""

    def __init__(self, message: str, status: int | None, pause: float | None) -> None:
        super().__init__(message, status)
        self.pause = pause


class Client:
    """A Label Studio server, asked over HTTP; its token goes nowhere else.

    A legacy token is sent as it is. A personal one is a refresh token: it is exchanged for an access
    token that lives for minutes, and again as soon as that has expired.
    """

    def __init__(
        self,
        url: str,
        token: str,
        timeout_seconds: float = 30,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            url: Address of the server, possibly with a path before `api/`.
            token: Legacy token or personal access token.
            timeout_seconds: Longest wait for each step of one answer.
            sleep: Waits so many seconds.

        Raises:
            LabelStudioError: The address is no plain one.
        """
        import httpx

        self.url = checked_url(url)
        self.sleep = sleep
        self._token = token
        self._personal = token.startswith("ey") and token.count(".") == 2
        self._access: str | None = None
        # A redirect is never followed: it would carry the token to wherever it points.
        self._http = httpx.Client(timeout=timeout_seconds, follow_redirects=False)

    @classmethod
    def of(cls, settings: LabelStudio) -> Self:
        """A client of what the loop's file names.

        Raises:
            LabelStudioError: The address or the token is missing or wrong.
        """
        return cls(settings.url, token_of(settings), settings.timeout_seconds)

    def close(self) -> None:
        """End its connections."""
        self._http.close()

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: object = None,
        again: bool = True,
    ) -> Any:
        """Send a request until it is answered for good.

        Args:
            method: HTTP method.
            path: Below the server's address, as in `api/projects/`.
            params: The query.
            body: Sent as JSON if not None.
            again: Whether it may be sent again when it is unknown what became of it. False for what
                would then be done twice; a request that was surely not taken is sent again all the
                same.

        Returns:
            The answer's JSON; None of an empty one.

        Raises:
            LabelStudioError: Refused, or no readable answer after every try.
        """
        return self._trying()(self._once, method, path, params, body, again)

    def _trying(self) -> "tenacity.Retrying":
        import tenacity

        own = tenacity.wait_random_exponential(multiplier=0.5, max=20)

        def pause(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.pause if isinstance(error, _PassingError) else None
            return own(state) + (asked or 0.0)

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_PassingError),
            stop=tenacity.stop_after_attempt(TRIES) | tenacity.stop_after_delay(LONGEST_SECONDS),
            wait=pause,
            sleep=self.sleep,
            reraise=True,
        )

    def _once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        body: object,
        again: bool,
    ) -> Any:
        fresh = self._access is None
        response = self._send(method, path, params, body, self._authorization(), again)
        if response.status_code == 401 and self._personal and not fresh:
            # The access token expired meanwhile: the request was refused, so it may be repeated.
            self._access = None
            response = self._send(method, path, params, body, self._authorization(), again)
        return self._read(response, again)

    def _authorization(self) -> str:
        if not self._personal:
            return f"Token {self._token}"
        if self._access is None:
            response = self._send("POST", REFRESH, None, {"refresh": self._token}, None, True)
            said = self._read(response, True)
            access = said.get("access") if isinstance(said, dict) else None
            if not isinstance(access, str) or not access.isascii() or not access.isprintable():
                raise LabelStudioError(f"{self.url} gave no access token for the personal one")
            self._access = access
        return f"Bearer {self._access}"

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        body: object,
        authorization: str | None,
        again: bool,
    ) -> "httpx.Response":
        import httpx

        from feedback_assets.client.retries import passing

        headers = {"Accept": "application/json"}
        if authorization:
            headers["Authorization"] = authorization
        try:
            return self._http.request(
                method, f"{self.url}/{path}", params=params, json=body, headers=headers
            )
        except httpx.TransportError as error:
            # Without the cause: an httpx error holds the request, and with it the token.
            message = self._scrubbed(f"{self.url} gave no answer: {type(error).__name__}: {error}")
            unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            if passing(error) and (again or unsent):
                raise _PassingError(message, None, None) from None
            raise LabelStudioError(message) from None

    def _read(self, response: "httpx.Response", again: bool) -> Any:
        if response.is_success:
            return self._json(response, again)
        status = response.status_code
        message = f"{self.url} answered {status} to {response.request.method} {response.url.path}"
        if response.is_redirect:
            place = self._scrubbed(response.headers.get("Location", "nowhere"))
            raise LabelStudioError(
                f"{message}: it sends on to {place}, which is not followed with the token; if that "
                "is where Label Studio is, write it into review.label_studio.url",
                status,
            )
        message = f"{message}{words_of(response, (self._token, self._access))}"
        if status == 401:
            raise LabelStudioError(f"{message}; the token has expired or was revoked", status)
        if status == 429 or (status >= 500 and again):
            raise self._later(response, message)
        raise LabelStudioError(message, status)

    def _later(self, response: "httpx.Response", message: str) -> LabelStudioError:
        from feedback_assets.client.retries import retry_after

        pause = retry_after(response)
        if pause is not None and pause > PATIENCE_SECONDS:
            return LabelStudioError(
                f"{message}; it asks for {pause:.0f} seconds of patience: run the sync again then",
                response.status_code,
            )
        return _PassingError(message, response.status_code, pause)

    def _json(self, response: "httpx.Response", again: bool) -> Any:
        if not response.content:
            return None
        if "html" in response.headers.get("Content-Type", ""):
            raise LabelStudioError(
                f"{self.url} answered {response.request.method} {response.url.path} with a page for "
                "people: is review.label_studio.url the address of Label Studio itself?"
            )
        try:
            return response.json()
        except (ValueError, RecursionError):
            message = f"{self.url} answered {response.url.path} with broken JSON"
            raise (
                _PassingError(message, None, None) if again else LabelStudioError(message)
            ) from None

    def _scrubbed(self, text: str) -> str:
        return scrubbed(text, (self._token, self._access))
