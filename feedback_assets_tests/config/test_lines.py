import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_assets.config.inference.draft import yaml_text
from feedback_assets.config.lines import Place, parse, parse_scalar
from feedback_assets.errors import ConfigError


def test_places_point_at_keys_and_list_items():
    document = parse("a: 1\nb:\n  c: [x,\n      y]\n", "f.yaml")
    assert document.data == {"a": 1, "b": {"c": ["x", "y"]}}
    assert document.place(("b", "c")) == Place(3, 3)
    assert document.place(("b", "c", 1)) == Place(4, 7)


def test_a_field_that_is_not_there_has_the_place_of_its_section():
    assert parse("a:\n  b: 1\n", "f.yaml").place(("a", "missing", "deep")) == Place(1, 1)
    assert parse("x: 1\na:\n  b: 1\n", "f.yaml").place(("a", "missing")) == Place(2, 1)


def test_keys_given_twice_are_found():
    assert parse("a: {b: 1, b: 2}\n", "f.yaml").repeated == (("a", "b"),)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("true", True), ("1e-4", 1e-4), ("1e3", 1000.0),
        ("010", 10), ("12:30:45", "12:30:45"), ("2013-02-01", "2013-02-01"), ("0x10", "0x10"),
        ("~", None), ("-7", -7), ("1_000", "1_000"), (".5", 0.5), ("[a, b]", ["a", "b"]),
    ],
)  # fmt: skip
def test_scalars_mean_what_people_mean(text, value):
    read = parse_scalar(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "where"), [("a: [1\nb: 2\n", ":2:2"), ("a:\n\tb: 1\n", ":2:1"), ("a: b: c", ":1:5")]
)
def test_broken_yaml_names_line_and_column(text, where):
    with pytest.raises(ConfigError, match=f"^f.yaml{where}: not YAML: "):
        parse(text, "f.yaml")


def test_a_tag_cannot_build_python_objects():
    with pytest.raises(ConfigError, match=r"^f\.yaml"):
        parse("a: !!python/object/apply:os.getcwd []", "f.yaml")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_text_survives_being_written_and_read(text):
    assert parse(f"a: {yaml_text(text)}\n", "f.yaml").data == {"a": text}
    assert parse(f"a: [{yaml_text(text)}, x]\n", "f.yaml").data == {"a": [text, "x"]}
    assert parse(f"{yaml_text(text)}: 1\n", "f.yaml").data == {text: 1}
