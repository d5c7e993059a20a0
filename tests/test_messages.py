from __future__ import annotations

import ast
import json
import re
import string
from importlib import import_module
from pathlib import Path

import pytest

import autograder
from autograder.box.advice import KINDS
from autograder.box.causes import Cause
from autograder.messages import (
    CATALOGUES,
    Text,
    detect_language,
    en,
    joined,
    language,
    remembering,
    retold,
    set_language,
    speaking,
    text,
    zh,
)
from autograder.messages.parts import PARTS
from autograder.messages.remembered import Remembered, recipe_of
from autograder.results import Status

PACKAGE = Path(autograder.__file__).parent
ENGLISH, CHINESE = CATALOGUES["en"], CATALOGUES["zh"]

# Keys that are made of two parts: the first part in the code, and where the second comes from.
FAMILIES = {
    "status.": {status.value for status in Status},
    "export.column.": {
        *("id", "pseudonym", "name", "email", "section", "score", "days_late", "late_penalty", "final", "max_points"),
        *("status", "problem", "by_hand"),
    },
    "export.status.": {"missing", "too late", "unreadable", "not graded yet"}
    | {status.value for status in Status if status is not Status.INTERNAL},
    "cli.": {
        f"{command}.short"
        for command in (
            *("list", "start", "check", "doctor", "data", "validate", "calibrate", "new", "release"),
            *("pack", "collect", "assign", "run", "override", "extend", "received", "group", "request", "status"),
            *("export", "roster", "ledger", "receipts", "nbgrader"),
        )
    },
    "cli.nbgrader.": {f"{name}.{part}" for name in ("init", "autograde", "push", "pull") for part in ("help", "short")},
    "nbgrader.init.": {"written", "same", "kept", "removed", "due", "other_due"},
    "plain.ended.": {"time", "memory", "disk", "output"},
    "validate.": {"solution", "stub"},
    "validate.column.": {"assignment", "what", "score", "seconds", "verdict"},
    "data.column.": {"name", "where", "download", "licence"},
    "calibrate.column.": {
        *("solution", "device", "trainings", "longest", "attempt", "memory"),
        *("metric", "least", "median", "most", "full", "zero"),
    },
    "doctor.isolation_": {"namespaces", "bwrap", "restricted", "process"},
    "doctor.name.": {"box", "isolation", "disk", "course"},
    "release.": {"fresh", "stale", "written"},
    "report.": {"expected", "came", "try"},
    "list.": {
        f"{when}.{unit}.{number}"
        for when in ("in", "ago")
        for unit in ("minute", "hour", "day")
        for number in ("one", "many")
    },
    "list.column.": {"id", "title", "due", "points", "best", "latest"},
    "start.": {"made", "refreshed", "same", "kept"},
    "roster.kind.": {"added", "changed", "left", "back", "alias", "extension", "group"},
    "roster.column.": {"id", "name", "section", "groups", "email", "pseudonym"},
    "collect.outcome.": {"new", "again", "known", "unmatched", "doubtful", "refused"},
    "mail.came.": {"damaged", "link", "outlook", "pictures", "documents", "pasted", "nothing"},
    "receipt.label.": {"assignment", "student", "received", "called", "hash"},
    "receipt.outcome.": {"sent", "would", "waits", "failed", "no_address"},
    "run.task.": {"run", "score", "known", "unreadable"},
    "run.ended.": {"graded", "scored", "known", "unreadable", "internal"},
    "standing.column.": {"assignment", "due", "handed_in", "late", "graded", "median", "full"},
    "standing.note.": {"faults", "unclaimed", "unreadable", "too_late", "requests", "by_hand"},
    "collect.how.": {"manifest", "alias", "id", "name", "group"},
    "ledger.log.how.": {"manifest", "alias", "id", "name", "group", "hand", "set_aside"},
    "note.": set(KINDS),
    **{key: {"program", "process", "network", "peer", "system"} for key in ("check.forbidden_", "hint.forbidden_")},
    "isolation.": {
        *("namespaces", "root", "closed_python", "seal", "landlock", "cgroup"),
        *("no_bwrap", "bwrap", "restricted", "own_user"),
    },
}
# How a box can end (autograder.box.causes.Cause.kind), apart from exit and signal, which have words of their own.
CAUSES = {"wall", "training", "import_wall", "attempt", "cpu", "memory", "output", "protocol", "broken", "call",
          "disk", "files", "file", "answer", "write", "memory_error", "depth", "gpu_memory"}  # fmt: skip
KEY = re.compile(r"[a-z]+(\.[a-z0-9_]+)+")


def _sources():
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.parent.name not in {"en", "zh"}:
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def _literals():
    """Every string in the package that has the form of a key of the catalogue and a group of its own."""
    groups = {key.split(".")[0] for key in ENGLISH}
    for _, tree in _sources():
        for node in ast.walk(tree):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and KEY.fullmatch(value) and value.split(".")[0] in groups:
                yield value


def _asked_for(tree):
    """The first argument of every call of `text`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "text" and node.args:
            yield node.args[0]


def _prefixes():
    """The beginnings of keys that are f-strings."""
    for _, tree in _sources():
        for argument in _asked_for(tree):
            if isinstance(argument, ast.JoinedStr):
                first = argument.values[0]
                assert isinstance(first, ast.Constant), ast.unparse(argument)
                yield first.value


def _used():
    families = {prefix + end for prefix, ends in FAMILIES.items() for end in ends}
    return set(_literals()) & set(ENGLISH) | families | {f"died.{kind}" for kind in CAUSES}


def _placeholders(message):
    return sorted(
        (name, conversion or "", spec or "")
        for _, name, spec, conversion in string.Formatter().parse(message)
        if name is not None
    )


def test_both_languages_have_the_same_keys():
    assert list(ENGLISH) == list(CHINESE)


@pytest.mark.parametrize("catalogue", [en, zh])
def test_a_key_is_in_one_file_only_and_every_file_is_read(catalogue):
    parts = [import_module(f"{catalogue.__name__}.{part}") for part in PARTS]
    assert len(catalogue.MESSAGES) == sum(len(part.MESSAGES) for part in parts)
    written = {path.stem for path in Path(catalogue.__file__).parent.glob("[a-z]*.py")}
    assert written == set(PARTS)


def test_both_languages_have_the_same_placeholders():
    different = [key for key in ENGLISH if _placeholders(ENGLISH[key]) != _placeholders(CHINESE[key])]
    assert different == []


def test_every_key_asked_for_is_in_the_catalogue():
    asked = {
        (path.name, argument.value)
        for path, tree in _sources()
        for argument in _asked_for(tree)
        if isinstance(argument, ast.Constant)
    }
    assert len(asked) > 100
    assert {(file, key) for file, key in asked if key not in ENGLISH} == set()


def test_every_family_of_keys_is_known_here_and_complete():
    assert set(_prefixes()) == {*FAMILIES, "died."}
    made = {prefix + end for prefix, ends in FAMILIES.items() for end in ends}
    assert made - set(ENGLISH) == set()


def test_every_way_in_which_a_box_ends_has_words():
    kinds = set()
    for path in (PACKAGE / "box").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == Cause.__name__:
                kinds |= {node.args[1].value} if isinstance(node.args[1], ast.Constant) else set()
    assert kinds - {"exit", "signal", "closed", "seal"} <= CAUSES
    assert {f"died.{kind}" for kind in CAUSES} <= set(ENGLISH)


def test_every_key_of_the_catalogue_is_used():
    assert set(ENGLISH) - _used() == set()


def test_every_placeholder_is_given_a_value():
    """text("x", name=…) gives each name that the message has."""
    lacking = []
    for path, tree in _sources():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "text"):
                continue
            if isinstance(node.args[0], ast.Constant) and not any(keyword.arg is None for keyword in node.keywords):
                given = {keyword.arg for keyword in node.keywords}
                wanted = {name for name, _, _ in _placeholders(ENGLISH[node.args[0].value])}
                if given != wanted:
                    lacking.append((path.name, node.lineno, node.args[0].value, wanted ^ given))
    assert lacking == []


# Texts that are the same in both languages: nothing but placeholders, names and punctuation.
SAME = {
    "died.by_key",
    "cli.heading",
    "validate.internal",
    "progress.check",
    "progress.calling",
    "progress.training",
    "validate.wrong",
    "validate.failed",
    "new.file",
    "receipt.noted",
    "run.because",
    "nbgrader.repair.line",
}


def test_chinese_texts_are_chinese():
    left = [key for key in CHINESE if key not in SAME and not re.search(r"[\u4e00-\u9fff]", CHINESE[key])]
    assert left == []


def test_english_texts_have_no_chinese():
    left = [key for key in ENGLISH if re.search(r"[\u3000-\u9fff\uff00-\uffef]", ENGLISH[key])]
    assert left == []


def test_every_command_has_help_in_the_catalogue():
    from autograder.cli import app

    assert FAMILIES["cli."] == {f"{command}.short" for command in app._COMMANDS}
    assert {f"cli.{command}.help" for command in app._COMMANDS} <= set(ENGLISH)


@pytest.fixture
def in_chinese():
    set_language("zh")
    yield
    set_language("en")


def test_text_answers_in_the_language_in_force(in_chinese):
    assert language() == "zh"
    assert text("died.wall", limit=3) == "你的代码在 3 秒内没有返回"
    set_language("en")
    assert text("died.wall", limit=3) == "your code did not come back within 3 s"


def test_an_unknown_key_is_an_error():
    with pytest.raises(KeyError):
        text("no.such_key")


def test_an_authors_text_falls_back_to_english(in_chinese):
    assert str(Text("one", "一")) == "一"
    assert str(Text("one")) == "one"
    set_language("en")
    assert str(Text("one", "一")) == "one"


@pytest.mark.parametrize(
    ("argv", "environ", "expected"),
    [
        ([], {}, "en"),
        (["check", "hw1", "--lang", "zh"], {}, "zh"),
        (["check", "hw1", "--lang=zh"], {}, "zh"),
        (["--lang", "en"], {"LANG": "zh_CN.UTF-8"}, "en"),
        (["--lang", "en"], {"GRADE_LANG": "zh"}, "en"),
        (["--lang", "fr"], {"LANG": "zh_CN.UTF-8"}, "zh"),
        (["--lang"], {"LANG": "zh_CN.UTF-8"}, "zh"),
        ([], {"GRADE_LANG": "zh", "LANG": "en_US.UTF-8"}, "zh"),
        ([], {"GRADE_LANG": "en", "LANG": "zh_CN.UTF-8"}, "en"),
        ([], {"GRADE_LANG": "klingon", "LANG": "zh_CN.UTF-8"}, "zh"),
        ([], {"GRADE_LANG": ""}, "en"),
        ([], {"LANG": "zh_CN.UTF-8"}, "zh"),
        ([], {"LANG": "ZH_TW"}, "zh"),
        ([], {"LANG": "C.UTF-8"}, "en"),
        ([], {"LANG": "de_DE.UTF-8"}, "en"),
        ([], {"LC_ALL": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
        ([], {"LC_ALL": "en_US.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ([], {"LC_MESSAGES": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
        ([], {"LC_ALL": "", "LANG": "zh_CN.UTF-8"}, "zh"),
    ],
)
def test_detect_language(monkeypatch, argv, environ, expected):
    monkeypatch.setattr("autograder.messages._windows_speaks_chinese", lambda: False)
    assert detect_language(argv, environ) == expected


def test_without_a_locale_windows_is_asked(monkeypatch):
    monkeypatch.setattr("autograder.messages._windows_speaks_chinese", lambda: True)
    assert detect_language([], {}) == "zh"
    assert detect_language([], {"LANG": "en_US.UTF-8"}) == "en"


@pytest.mark.parametrize(
    ("sentences", "line"),
    [
        (("a.rar is damaged.", "Ask for a .zip."), "a.rar is damaged. Ask for a .zip."),
        (("a.rar 已损坏。", "请改交 .zip。"), "a.rar 已损坏。请改交 .zip。"),
        (("a.rar 已损坏。", None, ""), "a.rar 已损坏。"),
        (("a.rar 里什么都没有", "请重新提交。"), "a.rar 里什么都没有 请重新提交。"),
    ],
)
def test_sentences_are_joined_as_their_language_does(sentences, line):
    assert joined(*sentences) == line


def test_a_recorded_text_is_retold_in_the_language_in_force():
    with remembering():
        inner = text("pack.not_written", file="a.zip", problem="no space")
        said = joined(text("roster.line", line=3, problem=inner), None, "As it came.")
    recorded = json.loads(json.dumps(recipe_of(said)))
    assert retold(recorded, "") == said
    with speaking("zh"):
        chinese = text("roster.line", line=3, problem=text("pack.not_written", file="a.zip", problem="no space"))
        assert retold(recorded, "") == joined(chinese, "As it came.")


@pytest.mark.parametrize(
    "recorded",
    [
        None,
        "as it was said",
        {"key": "no.such.key", "values": {}},
        {"key": "roster.line", "values": {}},
        {"key": "roster.line", "values": 3},
        {"joined": [3]},
    ],
)
def test_what_cannot_be_retold_is_shown_as_it_was_said(recorded):
    assert retold(recorded, "as it was said") == "as it was said"


def test_texts_remember_only_where_they_are_recorded():
    with remembering():
        assert isinstance(text("cli.interrupted"), Remembered)
    assert type(text("cli.interrupted")) is str
    assert type(joined("a", "b")) is str
