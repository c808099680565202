"""Small configurations for the tests of labels, performance and promotion."""

from typing import Any

from feedback_assets.config.schema import Config


def loop_config(kind: str = "binary", **sections: Any) -> Config:
    """A loop with features x and c and segment c; sections override its parts."""
    body: dict[str, Any] = {
        "name": "toy",
        "title": "Toy",
        "owners": ["team:toy"],
        "kpi": {"name": "Happy toys"},
        "source": {"predictions": {"path": "p"}, "feedback": {"path": "f"}},
        "columns": {"numeric": ["x"], "categorical": ["c"], "segments": ["c"]},
        "label": {"kind": kind, "max_delay_days": 10},
        "partitions": {"start": "2024-01-01"},
    }
    if kind == "multiclass":
        body["label"]["classes"] = ["a", "b", "c"]
    for name, section in sections.items():
        body[name] = {**body.get(name, {}), **section} if isinstance(section, dict) else section
    return Config.model_validate(body)
