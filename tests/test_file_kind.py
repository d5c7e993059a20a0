from __future__ import annotations

import io
import py_compile
import zipfile

import pytest

from autograder.file_kind import is_notebook, other_kind


def _zip(*names):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (b"{\\rtf1\\ansi", "RTF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Microsoft Office"),
        (_zip("[Content_Types].xml", "word/document.xml"), "Word"),
        (_zip("[Content_Types].xml", "xl/workbook.xml"), "Excel"),
        (_zip("model/data.pkl"), "PyTorch"),
        (_zip("perceptron.py"), "ZIP"),
        (b"Rar!\x1a\x07\x00", "RAR"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"", ""),
        (b"import numpy as np\n", ""),
        (b"x\n\r\n\r\ny", ""),
        ("x = '感知机'\n".encode("gbk"), ""),
        ("x = 1\n".encode("utf-16"), ""),
    ],
)
def test_the_first_bytes_tell(content, kind):
    assert other_kind(content) == kind


def test_what_python_has_compiled(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    py_compile.compile(str(tmp_path / "a.py"), str(tmp_path / "a.pyc"))
    assert other_kind((tmp_path / "a.pyc").read_bytes()) == "compiled Python (.pyc)"


@pytest.mark.parametrize(
    ("content", "whether"),
    [
        (b'{"cells": [], "nbformat": 4}', True),
        (b'\xef\xbb\xbf\n {\n "nbformat": 4, "cells": []}', True),
        (b'{"cells": []}', False),
        (b'x = {"cells": [], "nbformat": 4}', False),
        (b"", False),
    ],
)
def test_a_notebook_by_any_name(content, whether):
    assert is_notebook(content) is whether
