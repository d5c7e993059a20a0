from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, Field

from autograder import yaml_file
from autograder.errors import ConfigError
from autograder.messages import Text, set_language


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Inner(_Closed):
    points: float = Field(ge=0)
    title: Text | None = None


class Model(_Closed):
    id: str
    tasks: tuple[Inner, ...] = ()
    named: dict[str, Inner] = {}
    one: Inner | None = None


@pytest.fixture
def make(tmp_path):
    def make(content: str | bytes):
        path = tmp_path / "some.yml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


def _refused(path):
    with pytest.raises(ConfigError) as caught:
        yaml_file.validate(yaml_file.read(path), Model)
    assert caught.value.file == path
    return caught.value


def test_reads_content_and_the_line_of_every_key(make):
    file = yaml_file.read(make("id: a\ntasks:\n  - points: 1\n    title: {en: x}\n  - {points: 2}\n"))
    assert file.content == {"id": "a", "tasks": [{"points": 1, "title": {"en": "x"}}, {"points": 2}]}
    assert file.line(("id",)) == 1
    assert file.line(("tasks",)) == 2
    assert file.line(("tasks", 0, "title")) == 4
    assert file.line(("tasks", 0, "title", "en")) == 4
    assert file.line(("tasks", 1)) == 5


def test_the_line_of_a_key_that_is_not_there_is_that_around_it(make):
    file = yaml_file.read(make("id: a\ntasks:\n  - points: 1\n"))
    assert file.line(("tasks", 0, "title", "en")) == 3
    assert file.line(("nothing",)) == 1


@pytest.mark.parametrize(
    ("key", "reads"),
    [((), ""), (("id",), "id"), (("tasks", 1, "points"), "tasks[1].points"), (("named", "a"), "named.a")],
)
def test_dotted(key, reads):
    assert yaml_file.dotted(key) == reads


@pytest.mark.parametrize("begins", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_byte_order_mark_and_line_ends_of_windows(make, begins, ends):
    path = make(begins + "id: 感知机".encode() + ends + b"tasks: []" + ends)
    assert yaml_file.validate(yaml_file.read(path), Model).id == "感知机"


@pytest.mark.parametrize(
    ("content", "line", "key", "says"),
    [
        (b"id: \xb8\xd0\xd6\xaa\n", None, "", "not UTF-8"),
        (b"\xff\xfei\x00d\x00", None, "", "not UTF-8"),
        ("id: [1, 2\n", 2, "", "not YAML"),
        ("id: a\n\tb: c\n", 2, "", "not YAML"),
        ("id: 'a\n", 2, "", "not YAML"),
        ("id: a\x07\n", None, "", "not YAML"),
        ("id: a\n---\nid: b\n", 2, "", "not YAML"),
        ("id: !!python/object:os.system x\n", 1, "", "not YAML"),
        ("id: *nothing\n", 1, "", "not YAML"),
        ("", 1, "", "expected keys and values"),
        ("# nothing yet\n", 1, "", "expected keys and values"),
        ("- id\n", 1, "", "expected keys and values"),
        ("just words\n", 1, "", "expected keys and values"),
        ("id: a\ntasks: []\nid: b\n", 3, "id", "a second time"),
        ("id: a\none:\n  points: 1\n  points: 1\n", 4, "one.points", "a second time"),
        ("id: a\ntasks: [{points: 1,\n  points: 2}]\n", 3, "tasks[0].points", "a second time"),
        ("tasks: []\n", 1, "id", "missing"),
        ("id: a\ntasks:\n  - points: 1\n  - title: {en: x}\n", 4, "tasks[1].points", "missing"),
        ("id: a\nnamed:\n  x: {}\n", 3, "named.x.points", "missing"),
        ("id: 5\n", 1, "id", "came 5"),
        ("id: a\none:\n  points: many\n", 3, "one.points", "came 'many'"),
        ("id: a\none:\n  points: -1\n", 3, "one.points", "came -1"),
        ("id: a\ntasks: none\n", 2, "tasks", "came 'none'"),
    ],
)
def test_errors_say_file_line_and_key(make, content, line, key, says):
    path = make(content)
    error = _refused(path)
    assert (error.line, error.key) == (line, key)
    assert says in error.message
    assert error.message.startswith(f"{path}:{line}: " if line else f"{path}: ")


@pytest.mark.parametrize(
    ("content", "line", "key", "hint"),
    [
        ("id: a\ntask: []\n", 2, "task", "Did you mean tasks?"),
        ("ID: a\ntasks: []\n", 1, "ID", "Did you mean id?"),
        ("ids: a\n", 1, "ids", "Did you mean id?"),
        ("id: a\nzzz: 1\n", 2, "zzz", "Known keys: id, tasks, named, one."),
        ("id: a\ntasks:\n  - {points: 1, titel: x}\n", 3, "tasks[0].titel", "Did you mean title?"),
        ("id: a\nnamed:\n  x:\n    point: 1\n", 4, "named.x.point", "Did you mean points?"),
        ("id: a\none: {point: 1}\n", 2, "one.point", "Did you mean points?"),
    ],
)
def test_a_wrong_key_is_told_with_the_nearest_right_one(make, content, line, key, hint):
    error = _refused(make(content))
    assert (error.line, error.key, error.hint) == (line, key, hint)
    assert "no such key" in error.message


def test_a_misspelt_language_is_told_like_any_other_key(make):
    error = _refused(make("id: a\ntasks:\n  - points: 1\n    title: {en: x, cn: 一}\n"))
    assert (error.line, error.key) == (4, "tasks[0].title.cn")
    assert "no such key" in error.message
    assert error.hint == "Known keys: en, zh."


def test_a_misspelt_key_is_named_rather_than_the_right_one_that_is_missing(make):
    assert _refused(make("iD: a\n")).key == "iD"


def test_a_file_that_is_not_there_or_a_folder(tmp_path):
    for path in (tmp_path / "none.yml", tmp_path):
        with pytest.raises(ConfigError) as caught:
            yaml_file.read(path)
        assert caught.value.message.startswith(str(path))
        assert "Errno" not in caught.value.message


def test_errors_come_in_chinese_too(make):
    set_language("zh")
    try:
        error = _refused(make("id: a\ntask: []\n"))
    finally:
        set_language("en")
    assert error.message.endswith("some.yml:2: task: 没有这个键")
    assert error.hint == "是不是想写 tasks？"


def test_a_yaml_file_that_contains_itself_is_refused(make):
    error = _refused(make("id: a\ntasks: &tasks [*tasks]\n"))
    assert error.line is not None
