"""Taking a loop out of the inbox altogether: only for replays, which begin anew."""

from feedback_assets.capture.inbox.lock import WriterLock
from feedback_assets.capture.inbox.receipts import TAKEN
from feedback_assets.capture.inbox.schema import DATABASE, connect
from feedback_assets.capture.inbox.transaction import transaction
from feedback_assets.errors import InboxError
from feedback_assets.settings import Settings

_CHANNELS = "(SELECT id FROM channels WHERE loop = ?)"


def forget_loop(settings: Settings, loop: str) -> None:
    """Delete every row of a loop, whatever the tables hold.

    Raises:
        InboxError: A service writes the inbox, or it is a PostgreSQL database.
    """
    if settings.inbox_url:
        raise InboxError(
            "a replay needs an inbox of its own: unset FEEDBACK_ASSETS_INBOX_URL, and set "
            "FEEDBACK_ASSETS_HOME to another folder if this one serves"
        )
    if not (settings.inbox / DATABASE).exists():
        return
    with WriterLock(settings.inbox, "pruning"):
        connection = connect(settings.inbox / DATABASE)
        try:
            with transaction(connection):
                for table in ("entries", "segments"):
                    connection.execute(f"DELETE FROM {table} WHERE channel IN {_CHANNELS}", (loop,))
                connection.execute("UPDATE channels SET pruned_through = 0 WHERE loop = ?", (loop,))
        finally:
            connection.close()
    for receipt in (settings.inbox / TAKEN).glob(f"{loop}.*"):
        receipt.unlink(missing_ok=True)
