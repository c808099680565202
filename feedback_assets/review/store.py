"""The questions of one loop on their way to people, and their answers, in SQLite."""

import datetime as dt
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from feedback_assets.review import answering, asking, past, placing, progress
from feedback_assets.review.answering import Outcome, Undone
from feedback_assets.review.asking import Leased
from feedback_assets.review.past import Batch, Earlier
from feedback_assets.review.progress import Person, Progress
from feedback_assets.review.records import Answer, Route, Stored, Task
from feedback_assets.review.rows import task_of, task_row
from feedback_assets.review.schema import connected, writing


def store_path(home: Path, loop: str) -> Path:
    """The database of a loop's questions."""
    return home / "review" / f"{loop}.db"


class ReviewStore:
    """One loop's questions and answers; any number of processes and threads may use them.

    What a method returns of having changed is on the disk. Moments are aware. Every method raises
    `ReviewError` where the file is damaged, foreign or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, tasks: Iterable[Task], audited: Iterable[Task] = ()) -> int:
        """Put questions, all or none; those put before are left as they are.

        Returns how many are new. `audited` are earlier questions that this batch's audit drew, with
        `batch`, `asked_at`, `reason`, `probability` and `priority` of its draw: nobody is asked again.
        """
        with writing(self.path) as con:
            for task in audited:
                past.audit(con, task)
            return sum(_put(con, task) for task in tasks)

    def task(self, task_id: str) -> Task | None:
        """One question, whatever became of it."""
        return next(iter(self.tasks([task_id])), None)

    def tasks(self, task_ids: Iterable[str] | None = None) -> list[Task]:
        """Some questions, or all that were ever put, in the order of their ids."""
        with connected(self.path) as con:
            if task_ids is None:
                found = con.execute("SELECT * FROM tasks ORDER BY task_id").fetchall()
            else:
                asked = ((task_id,) for task_id in sorted(set(task_ids)))
                rows = (con.execute("SELECT * FROM tasks WHERE task_id = ?", one) for one in asked)
                found = [row for each in rows for row in each]
            return [task_of(row) for row in found]

    def batch(self, batch: str) -> list[Task]:
        """The questions of one batch, in the order of their ids."""
        with connected(self.path) as con:
            return past.of_batch(con, batch)

    def audited(self, batch: str) -> list[Task]:
        """Questions of earlier batches that this one's audit drew, in the order of their ids."""
        with connected(self.path) as con:
            return past.audited(con, batch)

    def batches(self, newest: int = 30) -> list[Batch]:
        """How far the newest batches are, oldest of them first."""
        with connected(self.path) as con:
            return past.batches(con, newest)

    def asked(self, but: str = "") -> dict[str, int]:
        """Row to how often it was asked about, leaving out one batch."""
        with connected(self.path) as con:
            return past.asked(con, but)

    def earlier(self, but: str, since: dt.datetime) -> Earlier:
        """What batches but one asked about rows whose event came after a moment."""
        with connected(self.path) as con:
            return past.earlier(con, but, since)

    def needless(self) -> list[Task]:
        """Open questions of strategies that need not be asked once the row's label has come."""
        with connected(self.path) as con:
            return past.needless(con)

    def withdraw(self, task_ids: Iterable[str], now: dt.datetime) -> int:
        """Ask nobody any more; answers under way are still taken.

        Returns:
            How many were open.
        """
        with writing(self.path) as con:
            return past.withdraw(con, task_ids, now)

    def ask_more(self, task_ids: Iterable[str]) -> int:
        """Ask one more person each of questions that have all their answers, who disagree.

        Returns:
            Of how many somebody else is asked now.
        """
        with writing(self.path) as con:
            asked = (
                con.execute(
                    """UPDATE tasks SET answers = answers + 1
                       WHERE task_id = ? AND labels >= answers AND withdrawn_us IS NULL""",
                    (task_id,),
                )
                for task_id in task_ids
            )
            return sum(one.rowcount for one in asked)

    def expire(self, now: dt.datetime, keep: dt.timedelta) -> int:
        """Withdraw questions that were put longer ago, or whose answer would come too late.

        Returns:
            How many.
        """
        with writing(self.path) as con:
            return past.expire(con, now, keep)

    def next(self, annotator: str, now: dt.datetime, lease: dt.timedelta) -> Leased | None:
        """The question that the annotator holds already, else the most pressing one he may get.

        It is his for the length of the lease: as many people have a question in hands as it still
        wants answers. Nobody is asked of a row of which he has said something.
        """
        with writing(self.path) as con:
            return asking.next_for(con, annotator, now, lease)

    def release(self, annotator: str, task_id: str) -> bool:
        """Take a question out of somebody's hands; whether he had it."""
        with writing(self.path) as con:
            return bool(
                con.execute(
                    "DELETE FROM leases WHERE task_id = ? AND annotator = ?", (task_id, annotator)
                ).rowcount
            )

    def answer(self, answer: Answer, received_at: dt.datetime) -> Outcome:
        """Keep what somebody said, also after his lease or the question's time."""
        return self.take([answer], received_at)[0]

    def take(self, answers: Iterable[Answer], received_at: dt.datetime) -> list[Outcome]:
        """Keep what people said, in this order, with one commit."""
        with writing(self.path) as con:
            return [answering.keep(con, one, received_at) for one in answers]

    def undo(
        self,
        annotator: str,
        now: dt.datetime,
        within: dt.timedelta,
        annotation_id: str | None = None,
    ) -> Undone | None:
        """Take back the annotator's last answer on the page and put its question into his hands.

        Args:
            annotator: Whose.
            now: The present.
            within: Older answers stand; also how long the question is in his hands.
            annotation_id: Only if this is the last one; asked again, the same is told again.

        Returns:
            None if there is none, it is too old, it was read already (`answers`), or it was a skip
            and somebody else has the question now.
        """
        with writing(self.path) as con:
            return answering.take_back(con, annotator, now, within, annotation_id)

    def answers(self, after: int = 0) -> Iterator[Stored]:
        """Every answer after one, in the order of their commits, without those undone.

        What this yields is final: it can be undone no longer.
        """
        with writing(self.path) as con:
            return iter(answering.collect(con, after))

    def last_answer(self) -> int:
        """The highest number of any answer; 0 where there is none, or no database."""
        if not self.path.exists():
            return 0
        with connected(self.path) as con:
            return int(con.execute("SELECT coalesce(max(seq), 0) FROM answers").fetchone()[0])

    def progress(self, now: dt.datetime, annotator: str | None = None) -> Progress:
        """How far the questions are, for one person or all."""
        with connected(self.path) as con:
            return progress.progress(con, now, annotator)

    def people(self) -> list[Person]:
        """Everybody who has said something, by name."""
        with connected(self.path) as con:
            return progress.people(con)

    def pending(self, now: dt.datetime, limit: int = 1000) -> list[Task]:
        """Open questions in nobody's hands and on no route, most pressing first."""
        with connected(self.path) as con:
            return asking.wanting(con, now, limit)

    def reserve(self, route: Route, task_ids: Iterable[str], now: dt.datetime) -> list[str]:
        """Keep questions for a route before they are sent there.

        Returns:
            Those that were open, in nobody's hands and on no route.
        """
        with writing(self.path) as con:
            return placing.reserve(con, route, list(task_ids), now)

    def place(self, route: Route, external: Mapping[str, str], now: dt.datetime) -> None:
        """Note under which external ids questions (by task id) stand on a route."""
        with writing(self.path) as con:
            placing.place(con, route, external, now)

    def placed(self, route: Route) -> dict[str, str | None]:
        """Task id to external id of what stands on a route; None where it is not known to be there."""
        with connected(self.path) as con:
            return placing.placed(con, route)

    def closed(self, route: Route) -> list[str]:
        """What stands on a route and wants no more answers: done, withdrawn or expired."""
        with connected(self.path) as con:
            return placing.closed(con, route)

    def unplace(self, route: Route, task_ids: Iterable[str]) -> int:
        """Give questions back to all; how many stood on the route."""
        with writing(self.path) as con:
            return placing.unplace(con, route, task_ids)

    def remember(self, name: str, value: str) -> None:
        """Keep a small fact of a route, such as a project's number."""
        with writing(self.path) as con:
            placing.remember(con, name, value)

    def recall(self, name: str) -> str | None:
        """A fact that was kept."""
        with connected(self.path) as con:
            return placing.recall(con, name)


def _put(con: sqlite3.Connection, task: Task) -> int:
    row = task_row(task)
    return con.execute(
        f"""INSERT INTO tasks ({", ".join(row)}) VALUES (:{", :".join(row)})
            ON CONFLICT (task_id) DO NOTHING""",
        row,
    ).rowcount
