"""The file of bearer tokens: digests, what each one may do, and until when."""

import contextlib
import datetime as dt
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec

from feedback_assets.errors import DoorError
from feedback_assets.settings import Settings

Scope = Literal["predict", "feedback", "metrics", "review"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]
EVERY_LOOP = "*"
PREFIX = "fa_"
SECRET_BYTES = 32
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
SHOWN_CHARACTERS = 4
MOST_DAYS = 3_650


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One token as the file keeps it; the token itself is nowhere."""

    name: str
    """Who holds it; predictions and feedback are logged under this name."""
    digest: str
    """sha256 of the whole token, hex."""
    last4: str
    """Its last characters, to tell tokens apart."""
    grants: list[tuple[str, Scope]]
    """Pairs of a loop (or `*`) and a scope."""
    created: Moment
    expires: Moment
    revoked: Moment | None = None

    def usable(self, moment: dt.datetime) -> bool:
        """Whether it still opens the door."""
        return self.revoked is None and moment < self.expires


class Stored(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file."""

    tokens: list[Token]
    schema: Literal[1] = 1


class TokenFile:
    """`<home>/door/tokens.json`, readable by its owner only."""

    def __init__(self, settings: Settings) -> None:
        self.path = settings.root / "door" / "tokens.json"

    def all(self) -> list[Token]:
        """Every token ever made, the oldest first; empty when there is no file.

        Raises:
            DoorError: The file cannot be read or is damaged.
        """
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Stored).tokens
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise DoorError(
                f"{self.path}: cannot be read as the file of tokens ({type(error).__name__}); "
                "restore it, or remove it and create the tokens anew"
            ) from None

    def create(self, name: str, scopes: Sequence[Scope], loops: Sequence[str], days: int) -> str:
        """Make a token and return it; this is the only time that it can be seen.

        Args:
            name: Letters, digits, dot, dash and underscore; its principal's name from now on.
            scopes: What it is for. `metrics` is not about a loop.
            loops: Where it may do the rest; `*` is every loop.
            days: After how many days it ends.

        Raises:
            DoorError: The name is bad or taken, no loop is named where one is needed, or the days
                are fewer than 1 or more than 3,650.
        """
        if not NAME.fullmatch(name):
            raise DoorError(
                "token name: use 1 to 63 letters, digits, dots, dashes and underscores, "
                "beginning with a letter or digit"
            )
        if not scopes:
            raise DoorError(f"--scope: name at least one of {', '.join(SCOPES)}")
        if set(scopes) != {"metrics"} and not loops:
            raise DoorError("--loop: name the loops the token is for, or '*' for all of them")
        if not 1 <= days <= MOST_DAYS:
            raise DoorError(f"--days: 1 to {MOST_DAYS}")
        moment = dt.datetime.now(dt.UTC).replace(microsecond=0)
        token = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        with self._locked():
            tokens = self.all()
            if any(known.name == name and known.usable(moment) for known in tokens):
                raise DoorError(f"token {name}: there is one of this name; revoke it first")
            tokens.append(
                Token(
                    name=name,
                    digest=digest_of(token.encode()),
                    last4=token[-SHOWN_CHARACTERS:],
                    grants=grants_of(scopes, loops),
                    created=moment,
                    expires=moment + dt.timedelta(days=days),
                )
            )
            self._write(tokens)
        return token

    def revoke(self, name: str) -> Token:
        """End a token; a running service refuses it within two seconds.

        Raises:
            DoorError: There is no usable token of that name.
        """
        moment = dt.datetime.now(dt.UTC).replace(microsecond=0)
        with self._locked():
            tokens = self.all()
            for place, known in enumerate(tokens):
                if known.name == name and known.usable(moment):
                    tokens[place] = msgspec.structs.replace(known, revoked=moment)
                    self._write(tokens)
                    return tokens[place]
        raise DoorError(
            f"token {name}: there is no usable one of this name; see `feedback-assets token list`"
        )

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _write(self, tokens: list[Token]) -> None:
        hidden = self.path.with_suffix(".tmp")
        hidden.unlink(missing_ok=True)  # one left by a crash could have other permissions
        content = msgspec.json.format(msgspec.json.encode(Stored(tokens)), indent=1)
        handle = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        hidden.replace(self.path)
        sync_folder(self.path.parent)


def grants_of(scopes: Sequence[Scope], loops: Sequence[str]) -> list[tuple[str, Scope]]:
    """Every scope for every loop; metrics are the whole service's and belong to no loop."""
    return sorted(
        {
            (EVERY_LOOP if scope == "metrics" else loop, scope)
            for scope in scopes
            for loop in (loops or [EVERY_LOOP])
        }
    )


def digest_of(token: bytes) -> str:
    """What the file keeps of a token: with 256 random bits a plain digest cannot be reversed."""
    return hashlib.sha256(token).hexdigest()


def sync_folder(folder: Path) -> None:
    """Put a rename on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
