"""The project in which a loop's questions stand, set up where there is none."""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from feedback_assets.config.schema import Config
from feedback_assets.errors import LabelStudioError
from feedback_assets.review.labelstudio.client import Client
from feedback_assets.review.labelstudio.interface import interface
from feedback_assets.review.records import Route
from feedback_assets.review.store import ReviewStore

ROUTE: Route = "label_studio"
PROJECT = "label_studio.project"
INTERFACE = "label_studio.interface"
HOME = "label_studio.home"
TITLE_LENGTH = 50
PAGE = 100


def project_of(
    config: Config,
    configured: int | None,
    store: ReviewStore,
    client: Client,
    tell: Callable[[str], None],
) -> int:
    """The number of the project, which exists.

    One that the loop's file names is taken as it is. Else it is the one remembered; else one that
    says in its description that it is this home's (an answer may have been lost); else a new one.
    Questions that stood in another project than this wait again.

    Raises:
        LabelStudioError: The named project is not there, or nothing can be asked or set up.
    """
    if configured is not None:
        _named_exists(client, configured)
        _settle(configured, store, client)
        return configured
    number = _remembered(store, client, tell)
    if number is None:
        mark = _mark(config, store)
        number = _found(mark, client)
        if number is None:
            number = _new(wanted(config, mark), mark, client)
            tell(f"set up project {number} in {client.url}")
        _settle(number, store, client)
        store.remember(INTERFACE, _digest(config))
    elif store.recall(INTERFACE) != _digest(config):
        _renew(config, number, store, client, tell)
    return number


def wanted(config: Config, mark: str) -> dict[str, Any]:
    """The project as it is set up; `mark` tells in its description whose it is."""
    return {
        "title": config.title[:TITLE_LENGTH].strip().ljust(3, "."),
        "description": f"{mark} {config.description}".strip(),
        "label_config": interface(config),
        "maximum_annotations": config.review.answers,
        "sampling": "Sequential sampling",
        "show_skip_button": True,
        "enable_empty_annotation": False,
        "show_collab_predictions": not config.review.hide_opinion,
    }


def _named_exists(client: Client, number: int) -> None:
    try:
        client.ask("GET", f"api/projects/{number}/")
    except LabelStudioError as error:
        if error.status != 404:
            raise
        raise LabelStudioError(
            f"review.label_studio.project is {number}, which {client.url} does not have (or does not "
            "show to this token): correct the number, or remove it to have a project set up",
            404,
        ) from None


def _remembered(store: ReviewStore, client: Client, tell: Callable[[str], None]) -> int | None:
    """The project of before, if it is still there."""
    url, _, number = (store.recall(PROJECT) or "").rpartition(" ")
    if not number or url != client.url:
        return None
    try:
        client.ask("GET", f"api/projects/{number}/")
    except LabelStudioError as error:
        if error.status != 404:
            raise
        tell(f"project {number} was deleted in {url}: its open questions are put again")
        return None
    return int(number)


def _settle(number: int, store: ReviewStore, client: Client) -> None:
    """Remember the project; what stood in another one stands nowhere now."""
    own = f"{client.url} {number}"
    if store.recall(PROJECT) != own:
        store.unplace(ROUTE, list(store.placed(ROUTE)))
        store.remember(PROJECT, own)


def _found(mark: str, client: Client) -> int | None:
    """The oldest project that says it is this home's."""
    page = 1
    own: list[int] = []
    while True:
        said = client.ask("GET", "api/projects/", params={"page": page, "page_size": PAGE})
        results = said.get("results") if isinstance(said, dict) else said
        if not isinstance(results, list):
            raise LabelStudioError(
                f"{client.url} answered api/projects/ without a list of projects"
            )
        own += [
            one["id"]
            for one in results
            if isinstance(one, dict)
            and isinstance(one.get("id"), int)
            and str(one.get("description") or "").startswith(mark)
        ]
        if not isinstance(said, dict) or not said.get("next"):
            return min(own, default=None)
        page += 1


def _new(project: Mapping[str, Any], mark: str, client: Client) -> int:
    try:
        said = client.ask("POST", "api/projects/", body=project, again=False)
    except LabelStudioError as error:
        if error.status is not None and error.status < 500:
            raise
        # It may have been set up all the same.
        number = _found(mark, client)
        if number is None:
            raise
        return number
    number = said.get("id") if isinstance(said, Mapping) else None
    if not isinstance(number, int):
        raise LabelStudioError(f"{client.url} set up a project but did not say its number")
    return number


def _renew(
    config: Config, number: int, store: ReviewStore, client: Client, tell: Callable[[str], None]
) -> None:
    """Show the answers that the loop's file names now."""
    own = wanted(config, _mark(config, store))
    try:
        client.ask("PATCH", f"api/projects/{number}/", body=own)
    except LabelStudioError as error:
        if error.status != 400:
            raise
        tell(
            f"project {number} keeps its old answers, Label Studio refused the new ones ({error}): "
            "change its labeling interface there, or delete the project to have a new one set up"
        )
    store.remember(INTERFACE, _digest(config))


def _mark(config: Config, store: ReviewStore) -> str:
    """Words by which the project of this loop in this home is known; a second home has others."""
    home = store.recall(HOME)
    if home is None:
        home = uuid.uuid4().hex[:12]
        store.remember(HOME, home)
    return f"[feedback-assets {config.name} {home}]"


def _digest(config: Config) -> str:
    return hashlib.sha256(repr(sorted(wanted(config, "").items())).encode()).hexdigest()
