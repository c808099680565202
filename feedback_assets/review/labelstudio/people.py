"""Who is who in Label Studio: people are named alike whichever way their answers come."""

import json
from collections.abc import Iterable

from feedback_assets.errors import LabelStudioError
from feedback_assets.review.labelstudio.annotations import number_of, person_name
from feedback_assets.review.labelstudio.client import Client
from feedback_assets.review.store import ReviewStore

PEOPLE = "label_studio.people"


def known_people(store: ReviewStore) -> dict[int, str]:
    """Label Studio's number of a person to the name, as the last sync learned it."""
    said = json.loads(store.recall(PEOPLE) or "{}")
    return {int(number): name for number, name in said.items()}


def learn_people(client: Client, store: ReviewStore) -> dict[int, str]:
    """Ask who is who and remember it; a token that may not ask learns nothing new.

    Raises:
        LabelStudioError: No readable answer.
    """
    known = known_people(store)
    try:
        said = client.ask("GET", "api/users/")
    except LabelStudioError as error:
        if error.status not in (403, 404):
            raise
        return known
    listed = said.get("results") if isinstance(said, dict) else said
    people = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    named = {number_of(one.get("id")): person_name(one) for one in people}
    learned = {number: name for number, name in named.items() if number and name}
    return _kept(store, known, learned)


def name_the_rest(
    store: ReviewStore, known: dict[int, str], seen: Iterable[object]
) -> dict[int, str]:
    """Name by their number those of whom nothing else is known, and keep to it."""
    numbers = {number_of(one) for one in seen} - {None}
    return _kept(store, known, {number: f"user {number}" for number in numbers if number})


def _kept(store: ReviewStore, known: dict[int, str], learned: dict[int, str]) -> dict[int, str]:
    # Whom answers were kept of keeps that name: under a second one he would count twice.
    found = learned | known
    if found != known:
        store.remember(PEOPLE, json.dumps({str(n): name for n, name in sorted(found.items())}))
    return found
