"""Where Label Studio is and what it is asked with, as the environment and the loop's file say."""

import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from feedback_assets.config.review import LabelStudio
from feedback_assets.config.schema import Config
from feedback_assets.errors import LabelStudioError

_TOKEN = re.compile(r"[\x21-\x7e]+")


def settings_of(config: Config) -> LabelStudio:
    """The section `review.label_studio` of a loop.

    Raises:
        LabelStudioError: The loop has none.
    """
    if config.review.label_studio is None:
        raise LabelStudioError(
            f"loop {config.name} has no section review.label_studio: name its `url` there"
        )
    return config.review.label_studio


def token_of(settings: LabelStudio, environ: Mapping[str, str] | None = None) -> str:
    """The access token from the environment.

    Raises:
        LabelStudioError: There is none, or it cannot be one; the message never shows it.
    """
    token = (os.environ if environ is None else environ).get(settings.token, "").strip()
    if not token:
        raise LabelStudioError(
            f"the environment variable {settings.token} is not set: put an access token of Label "
            "Studio into it (Account & Settings there), or name another one in "
            "review.label_studio.token"
        )
    if not _TOKEN.fullmatch(token):
        raise LabelStudioError(f"what {settings.token} holds is no access token: copy it again")
    return token


def checked_url(url: str) -> str:
    """An address without the slash at its end.

    Raises:
        LabelStudioError: It is no plain http or https address.
    """
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        plain = False
    if not plain or "@" in parts.netloc or parts.query or parts.fragment:
        raise LabelStudioError(
            "review.label_studio.url is not a plain address: write it as https://labels.example.com, "
            "without a name, a password, a query or a fragment"
        )
    return url.rstrip("/")
