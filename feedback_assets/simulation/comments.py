"""The loop `comments`: what people write below videos, made up; only people can say what is spam.

Days are counted from 2024-03-01 (day 0). Nine in ten comments are about the video. The others are spam
of a few kinds, each from a template with changing words, so that many are near duplicates of each
other. On day 40 a new kind begins (a crypto give-away), a third of all spam from then on, in words that
no model has seen. Comments in another language are spam as seldom as others; models tend to think
otherwise.
"""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

START = dt.date(2024, 3, 1)
"""Day 0."""
SPAM_SHARE, UNCLEAR_SHARE = 0.12, 0.03
"""Share of spam; share of comments whose truth is a matter of opinion (a coin)."""
NEW_KIND_DAY, NEW_KIND_SHARE = 40, 0.35
CHANNELS = ("music", "cooking", "games", "news")
LANGUAGES = ("en", "de", "es")
_DAY = 86_400_000_000
_PEOPLE = (
    "my sister",
    "my dad",
    "everybody here",
    "nobody",
    "the band",
    "our teacher",
    "this cook",
)
_THINGS = {
    "music": ("chorus", "guitar", "second verse", "voice", "drummer", "old version"),
    "cooking": ("dough", "sauce", "oven trick", "soup", "knife", "salt"),
    "games": ("level", "boss", "patch", "controller", "map", "ending"),
    "news": ("interview", "minister", "headline", "numbers", "question", "report"),
}
_FEELINGS = ("love", "never understood", "cannot forget", "laughed at", "want more of", "doubt")
_OTHER = {
    "de": (
        "das ist wirklich {feeling}",
        "kann jemand {thing} erklären",
        "schöner Beitrag über {thing}",
    ),
    "es": ("me encanta {thing}", "alguien sabe algo de {thing}", "gracias por {thing} amigos"),
}
_HAM = (
    "i {feeling} the {thing}",
    "{person} should hear about this {thing}",
    "who else is here for the {thing} in {year}",
    "can someone explain the {thing} at {minute}:{second}",
    "the {thing} was better before, change my mind",
    "thank you, the {thing} helped me through {year}",
)
_SPAM = (
    "check out my channel {name}{number} for more",
    "i make {number}00 dollars a week from home, visit {name}-{number}.example",
    "subscribe to {name} and i subscribe back {number}",
    "free gift cards for the first {number} people, link in my profile",
)
_NEW_SPAM = (
    "a billionaire doubles your coins today, send {number} to {name}wallet",
    "my mentor {name} turned {number} coins into {number}0, whatsapp only",
)
_NAMES = ("lina", "maxx", "profit", "sunny", "queen", "trader", "kiki", "boss")


def comments_history(out: Path, days: int = 90, rows_per_day: int = 600, seed: int = 0) -> Path:
    """Write the labelled history of the loop `comments`.

    A day's rows depend on the seed and the day alone.

    Args:
        out: The Parquet file.
        days: How many days from 2024-03-01.
        rows_per_day: Rows of each day.
        seed: Of everything random.

    Returns:
        `out`. Its columns: `prediction_id`, `event_time`, `comment`, `channel`, `language`,
        `account_days` (age of the account), `links`, `label` (1 spam, 0 not), `label_time`.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    frames = [_day(day, rows_per_day, seed) for day in range(days)]
    table = pa.Table.from_pandas(pd.concat(frames, ignore_index=True), preserve_index=False)
    pq.write_table(table, out, coerce_timestamps="us", allow_truncated_timestamps=True)
    return out


def _day(day: int, rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng([seed, day])
    spam = rng.random(rows) < SPAM_SHARE
    new = spam & (rng.random(rows) < NEW_KIND_SHARE) & (day >= NEW_KIND_DAY)
    channel = rng.choice(CHANNELS, rows)
    language = np.where(spam, "en", rng.choice(LANGUAGES, rows, p=(0.8, 0.12, 0.08)))
    texts = [_text(rng, _kind(spam[i], new[i], language[i]), channel[i]) for i in range(rows)]
    truth = np.where(rng.random(rows) < UNCLEAR_SHARE, rng.integers(0, 2, rows), spam)
    age = np.where(spam, rng.gamma(1.0, 60.0, rows), rng.gamma(2.0, 400.0, rows))
    date = START + dt.timedelta(days=day)
    moment = np.sort(rng.integers(0, _DAY, rows))
    event_time = pd.Timestamp(date, tz="UTC") + pd.to_timedelta(moment, unit="us")
    return pd.DataFrame(
        {
            "prediction_id": [f"{date:%Y%m%d}-{row:05d}" for row in range(rows)],
            "event_time": event_time,
            "comment": texts,
            "channel": channel,
            "language": language,
            "account_days": np.round(age),
            "links": np.where(spam, rng.binomial(1, 0.4, rows), rng.binomial(1, 0.03, rows)) * 1.0,
            "label": truth.astype(np.int64),
            "label_time": event_time + pd.Timedelta(hours=20),
        }
    )


def _kind(spam: bool, new: bool, language: str) -> tuple[str, ...]:
    if new:
        return _NEW_SPAM
    return _SPAM if spam else _OTHER.get(language, _HAM)


def _text(rng: np.random.Generator, templates: tuple[str, ...], channel: str) -> str:
    words = {
        "thing": rng.choice(_THINGS[channel]),
        "person": rng.choice(_PEOPLE),
        "feeling": rng.choice(_FEELINGS),
        "name": rng.choice(_NAMES),
        "number": int(rng.integers(2, 99)),
        "year": int(rng.integers(1999, 2024)),
        "minute": int(rng.integers(0, 9)),
        "second": int(rng.integers(10, 59)),
    }
    return str(rng.choice(templates)).format(**words)
