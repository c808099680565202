"""The tables of the PostgreSQL inbox and how it is reached."""

from types import ModuleType
from typing import TYPE_CHECKING

from feedback_assets.errors import InboxError

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 5
LOCK = "'inbox_entries'::regclass::oid::bigint"
"""Advisory lock of those who append: rows become visible in the order of their numbers."""
PRUNE_LOCK = "-('inbox_entries'::regclass::oid::bigint)"
_CREATE = """
CREATE TABLE IF NOT EXISTS inbox_channels (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream text NOT NULL, loop text NOT NULL,
  pruned_through bigint NOT NULL DEFAULT 0, taken bigint NOT NULL DEFAULT 0,
  UNIQUE (stream, loop));
CREATE TABLE IF NOT EXISTS inbox_entries (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, channel integer NOT NULL,
  key text COLLATE "C" NOT NULL, time_us bigint NOT NULL,
  kept_at timestamptz NOT NULL DEFAULT statement_timestamp(), digest bytea NOT NULL,
  body text NOT NULL, UNIQUE (channel, key));
CREATE INDEX IF NOT EXISTS inbox_entries_time ON inbox_entries (channel, time_us);
CREATE TABLE IF NOT EXISTS inbox_replays (
  principal text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, request bytea NOT NULL,
  status integer NOT NULL, content bytea NOT NULL,
  kept_at timestamptz NOT NULL DEFAULT statement_timestamp(), PRIMARY KEY (principal, key));
CREATE INDEX IF NOT EXISTS inbox_replays_age ON inbox_replays (kept_at);
CREATE TABLE IF NOT EXISTS inbox_counters (
  replica text NOT NULL, name text NOT NULL, value double precision NOT NULL,
  PRIMARY KEY (replica, name));
"""


def driver() -> ModuleType:
    """The package psycopg.

    Raises:
        InboxError: It is not installed.
    """
    try:
        import psycopg
    except ImportError as error:
        raise InboxError(
            "FEEDBACK_ASSETS_INBOX_URL needs PostgreSQL's driver: install feedback-assets[postgres]"
        ) from error
    return psycopg


def connect(url: str) -> "psycopg.Connection":
    """Connect to the server; every statement is a transaction unless one is begun.

    Raises:
        InboxError: psycopg is missing, or the address is no address.
        psycopg.OperationalError: The server does not answer or refuses.
    """
    psycopg = driver()
    try:
        psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise InboxError("FEEDBACK_ASSETS_INBOX_URL must look like postgresql://...") from None
    return psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        fallback_application_name="feedback-assets inbox",
    )


def connect_writer(url: str) -> "psycopg.Connection":
    """Connect and make commits durable.

    Raises:
        InboxError: The server runs with fsync=off.
    """
    connection = connect(url)
    row = connection.execute(
        "SELECT current_setting('fsync'), current_setting('synchronous_commit')"
    ).fetchone()
    fsync, commit = row or ("on", "on")
    if fsync != "on":
        connection.close()
        raise InboxError("The inbox's PostgreSQL runs with fsync=off; turn it on")
    if commit == "off":
        connection.execute("SET synchronous_commit = on")
    return connection


def create_tables(connection: "psycopg.Connection") -> None:
    """Create missing tables; several replicas may start at once."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('feedback-assets inbox'))")
        connection.execute(_CREATE)


def has_tables(connection: "psycopg.Connection") -> bool:
    """Whether an inbox was opened there ever."""
    row = connection.execute("SELECT to_regclass('inbox_counters')").fetchone()
    return row is not None and row[0] is not None


def channel_of(connection: "psycopg.Connection", stream: str, loop: str) -> int:
    """The number that rows hold for a stream of a loop; given when there is none yet."""
    row = connection.execute(
        "INSERT INTO inbox_channels (stream, loop) VALUES (%s, %s)"
        " ON CONFLICT (stream, loop) DO UPDATE SET loop = excluded.loop RETURNING id",
        (stream, loop),
    ).fetchone()
    return 0 if row is None else int(row[0])
