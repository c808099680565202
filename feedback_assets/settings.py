"""Where the project keeps its state and how much of the machine it may use."""

from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Process-wide settings, each read from the environment (`FEEDBACK_ASSETS_HOME=...`)."""

    model_config = SettingsConfigDict(env_prefix="FEEDBACK_ASSETS_", extra="ignore", frozen=True)

    home: Path = Field(default=Path("var"), description="The one folder that holds all state.")
    configs: Path = Field(default=Path("configs"), description="The folder that holds `loops/`.")
    reports_url: str = Field(
        default="http://127.0.0.1:3001",
        description="Where `feedback-assets ui` serves the reports folder; links in metadata.",
    )
    inbox_url: str | None = Field(
        default=None,
        description="postgresql://... for several replicas; SQLite in the home if absent.",
    )
    inbox_queue: int = Field(
        default=10_000, ge=1, description="Rows that may wait to be written; more get 503."
    )
    inbox_free_mb: int = Field(
        default=512, ge=0, description="Free space below which the door refuses to take more."
    )
    inbox_keep_days: float = Field(
        default=7, ge=0, description="How long rows stay in the inbox after the tables took them."
    )
    actor: str | None = Field(
        default=None, description="Who acts, as decisions name it; the system's user if absent."
    )
    keys: Path = Field(
        default=Path("~/.config/feedback_assets/keys"),
        description="Where this person's own signing keys are; never in the home.",
    )
    witness: Path | None = Field(
        default=None,
        description="A file elsewhere to which each signed head of the ledger is appended.",
    )
    witness_git: Path | None = Field(
        default=None, description="A git repository in which each signed head is committed."
    )
    memory_limit: str = Field(default="1000MB", description="DuckDB's memory before it spills.")
    threads: int = Field(default=2, ge=1, description="DuckDB's threads in one process.")

    @cached_property
    def root(self) -> Path:
        """The home as an absolute path."""
        return self.home.expanduser().resolve()

    @property
    def tables(self) -> Path:
        """Delta tables, one folder `<loop>/<table>` each."""
        return self.root / "tables"

    @property
    def models(self) -> Path:
        """What serves and compares: `<loop>/<version>/` with model.onnx and its manifest."""
        return self.root / "models"

    @property
    def ledger(self) -> Path:
        """The decision ledger: `ledger.db`, its signed heads and the key that signs them."""
        return self.root / "ledger"

    @property
    def approvers(self) -> Path:
        """The public keys of the people who may approve."""
        return self.configs / "approvers.yaml"

    @property
    def inbox(self) -> Path:
        """What the service has taken and the tables have not yet."""
        return self.root / "inbox"

    @property
    def landing(self) -> Path:
        """Imported logs in the tables' own columns: `<loop>/predictions` and `<loop>/feedback`."""
        return self.root / "landing"

    @property
    def serving(self) -> Path:
        """Which model answers: `<loop>/manifest.json`."""
        return self.root / "serving"

    @property
    def reports(self) -> Path:
        """HTML and JSON for people."""
        return self.root / "reports"

    @property
    def dagster(self) -> Path:
        """The Dagster instance."""
        return self.root / "dagster"

    @property
    def mlflow(self) -> Path:
        """The MLflow database and artifacts."""
        return self.root / "mlflow"

    @property
    def mlflow_uri(self) -> str:
        """The MLflow tracking and registry address."""
        return f"sqlite:///{self.mlflow / 'mlflow.db'}"

    @property
    def scratch(self) -> Path:
        """Where DuckDB spills."""
        return self.root / "scratch"
