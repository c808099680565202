"""Models replaced while they answer: a thread watches the manifest and swaps one pointer."""

import logging
import threading
import time

from feedback_assets.config.schema import Config
from feedback_assets.errors import ServingError
from feedback_assets.serving.acks import Acknowledger
from feedback_assets.serving.counts import Counts
from feedback_assets.serving.lineup import Lineup
from feedback_assets.serving.manifest import Manifest, Published, manifest_path, parse_manifest
from feedback_assets.serving.served import ServedModel
from feedback_assets.serving.store import Store
from feedback_assets.settings import Settings

POLL = 0.25
"""Seconds between looks at the manifest."""
RETRY, RETRY_MOST = 2.0, 60.0
"""Seconds until what could not be loaded is tried again; doubles each time."""
Signature = tuple[int, int, int] | None
logger = logging.getLogger(__name__)


class Hot:
    """The line-up of a loop, kept in step with its manifest."""

    def __init__(self, config: Config, settings: Settings, store: Store, counts: Counts) -> None:
        self.lineup = Lineup()
        self.problem = "no model was loaded yet"
        self._config = config
        self._path = manifest_path(settings, config.name)
        self._store = store
        self._counts = counts
        self._acks = Acknowledger(settings, config.name, counts)
        self._seen: Signature = None
        self._pause = RETRY
        self._retry_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name=f"{config.name} watcher", daemon=True
        )

    def start(self) -> None:
        """Load what the disk has, then watch; MLflow is asked in the background only."""
        self._load(self._signature(), remote=False)
        self._retry_at = 0.0
        self._thread.start()

    def close(self) -> None:
        """Stop watching; a load that hangs is left behind."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self._acks.withdraw()

    def _watch(self) -> None:
        while not self._stop.wait(POLL):
            self._acks.beat()
            signature = self._signature()
            if signature != self._seen:
                self._pause = RETRY
            elif not self.problem or time.monotonic() < self._retry_at:
                continue
            try:
                self._load(signature, remote=True)
            except Exception as error:  # noqa: BLE001  a dead watcher would never swap again
                self._settle(f"loading failed: {type(error).__name__}: {error}", failed=True)

    def _signature(self) -> Signature:
        """What changes whenever the file is replaced."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _load(self, signature: Signature, remote: bool) -> None:
        """Follow the manifest; on failure the line-up stays as it is and `problem` says why."""
        self._seen = signature
        told: list[str] = []
        manifest = None
        try:
            manifest, content = self._read()
            failed = self._follow(manifest, remote, told)
            told.append(self._store.remember(manifest, content))
        except ServingError as error:
            failed = True
            told.append(str(error))
            self._hold(manifest, told)
        self._settle("; ".join(filter(None, told)), failed)

    def _read(self) -> tuple[Manifest, bytes]:
        try:
            content = self._path.read_bytes()
        except OSError as error:
            raise ServingError(
                f"{self._path} cannot be read ({error.strerror}): publish a model "
                "(materialize promoted_model)"
            ) from None
        return parse_manifest(content, self._config.name, str(self._path)), content

    def _follow(
        self, manifest: Manifest, remote: bool, told: list[str], headless: bool = False
    ) -> bool:
        """Load what a manifest names and swap.

        Args:
            manifest: Who shall answer.
            remote: Whether MLflow may be asked.
            told: Gets what went wrong.
            headless: Leave the champion out.

        Returns:
            Whether a model other than the champion could not be loaded.

        Raises:
            ServingError: The champion cannot be loaded; nothing was swapped.
        """
        champion = None
        if manifest.champion and not headless:
            champion = self._open(manifest.champion, remote, told)
        others: dict[str, ServedModel | None] = {}
        failed = False
        for role, about in (("previous", manifest.previous), ("challenger", manifest.challenger)):
            try:
                others[role] = self._open(about, remote, told) if about else None
            except ServingError as error:
                others[role] = None
                failed = True
                told.append(f"{role}: {error}")
        stage = manifest.challenger.stage if manifest.challenger else None
        swapped = Lineup(
            manifest.generation, champion, others["previous"], others["challenger"], stage
        )
        if swapped != self.lineup:
            self.lineup = swapped
            self._counts.add("swaps")
            logger.info("%s: generation %d answers", self._config.name, manifest.generation)
        return failed

    def _hold(self, manifest: Manifest | None, told: list[str]) -> None:
        """Nothing new can answer: whoever does stays, or who did before the process began."""
        if self.lineup.champion is not None:
            told.append(f"generation {self.lineup.generation} answers meanwhile")
            return
        for last, headless in ((self._store.remembered(), False), (manifest, True)):
            if last is None:
                continue
            try:
                self._follow(last, False, told, headless)
            except ServingError:
                continue
            told.append(f"generation {last.generation} answers meanwhile")
            return

    def _open(self, about: Published, remote: bool, told: list[str]) -> ServedModel:
        same = (str(about.version), about.digest)
        held = next((m for _, m in self.lineup.models() if (m.version, m.digest) == same), None)
        if held is not None and held.checked:
            return held
        fetched = self._store.fetch(about, remote)
        if held is not None and fetched.golden is None:  # still nothing to check it by
            told.append(fetched.note)
            return held
        model = ServedModel.load(about, fetched.content, fetched.golden, self._config)
        told += [fetched.note, self._store.keep(about.digest, fetched)]
        return model

    def _settle(self, problem: str, failed: bool) -> None:
        self._counts.add("swap_failures", int(failed))
        if problem and problem != self.problem:
            logger.warning("%s: %s", self._config.name, problem)
        self.problem = problem
        self._retry_at = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, RETRY_MOST)
        self._acks.tell(self.lineup, problem)
