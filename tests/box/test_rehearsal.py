"""A rehearsal goes through a load and a call, and leaves nothing of it behind."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import psutil
import pytest

from autograder.box import worker
from autograder.box.protocol import Returned
from autograder.box.rehearsal import rehearse


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_module_is_loaded_and_called(temporary):
    assert rehearse([]) == Returned(id=2, value=1)


def test_it_leaves_nothing_behind(temporary, monkeypatch):
    def state() -> object:
        gc.collect()
        modules = {name: id(module) for name, module in sys.modules.items() if name in {"submission", "rehearsal"}}
        return (
            [*sys.path], [*sys.meta_path], modules, warnings.showwarning, dict(os.environ), Path.cwd(),
            [*temporary.iterdir()], psutil.Process().num_fds(), psutil.Process().num_threads(),
        )  # fmt: skip

    for name in ("limit_self", "set_up"):
        monkeypatch.setattr(worker, name, lambda _: pytest.fail("that can't be taken back"))
    rehearse([])
    before = state()
    rehearse([])
    assert state() == before
    assert not {"submission", "rehearsal"} & set(sys.modules)


def test_the_generators_start_anew_at_the_next_seed(temporary):
    drawn = []
    for _ in range(2):
        worker.frameworks.seed_all(5)
        drawn.append(np.random.rand())  # noqa: NPY002
        rehearse([])
    assert drawn[0] == drawn[1]
