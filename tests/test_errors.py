from __future__ import annotations

from pathlib import Path

import pytest

from autograder.errors import ConfigError, GradeError, InternalError, UsageError


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError("x"), 2), (ConfigError("x"), 2), (GradeError("x"), 2), (InternalError("x"), 3)]
)
def test_exit_codes_by_design_8(error, code):
    assert error.exit_code == code


@pytest.mark.parametrize(
    ("where", "reads"),
    [
        ({}, "is missing"),
        ({"file": Path("a.yml")}, "a.yml: is missing"),
        ({"file": Path("a.yml"), "line": 3}, "a.yml:3: is missing"),
        ({"file": Path("a.yml"), "line": 3, "key": "tasks[0].id"}, "a.yml:3: tasks[0].id: is missing"),
        ({"key": "id"}, "id: is missing"),
        ({"line": 3}, "is missing"),
    ],
)
def test_config_error_says_file_line_and_key_as_far_as_known(where, reads):
    error = ConfigError("is missing", hint="add it", **where)
    assert error.message == str(error) == reads
    assert error.hint == "add it"
    assert (error.file, error.line, error.key) == (where.get("file"), where.get("line"), where.get("key", ""))
