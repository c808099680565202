import pickle
from pathlib import Path

import pytest

from feedback_assets.config.load import config_digest, load_loop, load_loops, loop_from_text
from feedback_assets.config.problems import InvalidLoopError
from feedback_assets.config.schema import Config
from feedback_assets.errors import ConfigError
from feedback_assets.settings import Settings

GOOD = """\
name: small
title: Small
owners: ["team:x"]
kpi: {name: k}
source:
  predictions: {path: p}
  feedback: {path: f}
columns:
  numeric: [a, b]
  categorical: [c]
label: {kind: binary}
partitions: {start: 2024-01-01}
drift:
  alpha: 0.02
"""


def load(text, environ=None, loop="small"):
    return loop_from_text(text, "loops/small.yaml", loop, environ or {})


def problems(text, environ=None, loop="small"):
    with pytest.raises(InvalidLoopError) as caught:
        load(text, environ, loop)
    return list(map(str, caught.value.problems))


def test_a_good_file_loads():
    config = load(GOOD)
    assert config.drift.alpha == 0.02
    assert config.partitions.start.isoformat() == "2024-01-01"


def test_a_typo_names_file_line_field_what_is_allowed_and_the_nearest_name():
    (told,) = problems(GOOD.replace("alpha", "alhpa"))
    assert told.startswith("loops/small.yaml:14:3: drift.alhpa: unknown field; did you mean alpha?")
    assert "Allowed: alpha, margin_sd, learn_margin" in told


def test_a_typo_in_the_case_of_a_name_is_found():
    assert "did you mean alpha?" in problems(GOOD.replace("alpha", "Alpha"))[0]


def test_every_problem_is_listed():
    text = GOOD.replace("0.02", "2").replace("kind: binary", "kind: binry")
    text = text.replace('"team:x"', "bob").replace("kpi: {name: k}", "kpi: {}")
    told = "\n".join(problems(text + "gate: {resamples: many}\n"))
    assert "drift.alpha: must be less than 1, but is 2" in told
    assert "must be one of binary, multiclass, regression, but is 'binry'; did you mean" in told
    assert "owners[0]: must be an e-mail address, or team:name, but is 'bob'" in told
    assert "kpi.name: is missing (What the business calls it)" in told
    assert "gate.resamples: must be a valid integer" in told
    assert all(line.startswith("loops/small.yaml:") for line in told.splitlines())


def test_a_number_for_a_text_says_to_quote_it():
    (told,) = problems(GOOD.replace("binary}", "binary, positive: 1}"))
    assert told.endswith('but is 1; write it in quotes: "1"')


def test_a_text_for_a_list_says_to_write_a_list():
    (told,) = problems(GOOD.replace("[c]", "c"))
    assert told.endswith("write a list: [c]")


def test_a_rule_of_the_whole_section_points_at_the_section():
    (told,) = problems(GOOD.replace("[c]", "[a]"))
    assert told == "loops/small.yaml:8:1: columns: listed as a feature twice: a"


def test_the_name_must_be_the_files():
    (told,) = problems(GOOD, loop="other")
    assert told == (
        "loops/small.yaml:1:1: name: is small, but the file is named other: make them equal"
    )


def test_a_key_given_twice_is_a_problem():
    (told,) = problems(GOOD + "drift: {alpha: 0.02}\n")
    assert told == "loops/small.yaml:15:1: drift: is given twice; keep one"


def test_ignoring_a_column_that_is_not_there_is_a_problem():
    (told,) = problems(GOOD + "  ignore: [aa]\n")
    assert (
        told == "loops/small.yaml:15:12: drift.ignore.0: no column aa is declared; did you mean a?"
    )


@pytest.mark.parametrize("text", ["", "# nothing", "- a\n", "just text"])
def test_a_file_without_fields_is_a_problem(text):
    assert problems(text) == ["loops/small.yaml:1:1: must hold fields such as `name:`"]


def test_problems_travel_between_processes():
    with pytest.raises(InvalidLoopError) as caught:
        load(GOOD.replace("alpha", "alhpa"))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_one_broken_loop_never_stops_the_others(tmp_path: Path):
    folder = tmp_path / "loops"
    folder.mkdir()
    (folder / "small.yaml").write_text(GOOD)
    (folder / "typo.yaml").write_text(GOOD.replace("name: small", "name: typo\nx: 1"))
    (folder / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (folder / "syntax.yml").write_text("a: [")
    (folder / "typo.yml").write_text(GOOD)
    (folder / ".hidden.yaml").write_text("a: [")
    loops = load_loops(Settings(configs=tmp_path), {})
    assert list(loops) == ["binary", "small", "syntax", "typo"]
    assert isinstance(loops.pop("small"), Config)
    assert all(isinstance(loop, ConfigError) for loop in loops.values())
    assert "a second file for the loop" in str(loops["typo"])


def test_a_missing_file_is_a_config_error(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_loop(tmp_path / "none.yaml", {})


def test_the_digest_is_of_the_meaning_not_the_text():
    same = GOOD.replace("alpha: 0.02", "alpha: 2e-2  # a comment")
    other = GOOD.replace("0.02", "0.03")
    assert config_digest(load(GOOD)) == config_digest(load(same))
    assert config_digest(load(GOOD)) != config_digest(load(other))
    assert len(config_digest(load(GOOD))) == 64
