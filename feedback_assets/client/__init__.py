"""A client of the service: answers for rows, and the truth about them when it is known.

>>> from feedback_assets.client import Client
>>> with Client("http://127.0.0.1:8000", token="flights-caller", loop="flights") as door:
...     answer = door.predict({"carrier": "UA", "distance": 733})
...     stored = door.feedback(answer.prediction_id, 1)
>>> answer.model_version, stored.state
('3', 'stored')

What fails for a moment is tried again, always with the same `Idempotency-Key`, so nothing is
counted twice. What is wrong with a request is a `DoorProblem` that names the fields:

>>> with Client("http://127.0.0.1:8000", token="flights-caller", loop="flights") as door:
...     door.predict({"carrier": "UA", "distance": -1})
Traceback (most recent call last):
feedback_assets.client.problems.DoorProblem: 422 Invalid request: /distance is below 0

`AsyncClient` has the same methods, to be awaited. Needs only httpx.
"""

from feedback_assets.client.answers import Prediction, Stored
from feedback_assets.client.awaited import AsyncClient
from feedback_assets.client.blocking import Client
from feedback_assets.client.problems import ClientError, DoorProblem, FieldProblem, Unreachable

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "DoorProblem",
    "FieldProblem",
    "Prediction",
    "Stored",
    "Unreachable",
]
