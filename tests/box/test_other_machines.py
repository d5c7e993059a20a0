"""Machines that have less than this one, made for the test: which isolation they get, say so, and that it holds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.box.backends import NAMESPACES, PROCESS, RESTRICTED
from autograder.box.linux import capabilities, landlock, namespaces
from autograder.box.linux.namespaces import Namespace
from autograder.box.probe import lacking
from tests.box.conftest import BACKENDS, sealed_only
from tests.box.linux.conftest import in_fork, own_namespaces
from tests.tiny_course import make_course

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SLOW_S = 280

as_root = pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root, to take from it")
pytestmark = [sealed_only, pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no landlock")]


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder that every user can write to."""
    folder = Path(tempfile.mkdtemp(prefix="container-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def in_container(who: str, scratch: Path, *command: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run Python as in a container."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRADE_")}
    environment |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(scratch), "HOME": str(scratch)}
    return subprocess.run(
        [sys.executable, HERE / "docker_like.py", who, sys.executable, *map(str, command)],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=SLOW_S, check=False,
    )  # fmt: skip


@as_root
@pytest.mark.ci
@pytest.mark.parametrize(
    ("who", "file"),
    [("root", "test_conformance.py"), ("root", "test_attacks_elsewhere.py"), ("user", "test_restricted.py")],
)
def test_what_restricted_promises_holds_in_a_container(who, file, scratch):
    done = in_container(
        who, scratch,
        *("-m", "pytest", HERE / file, "-q", "-p", "no:cacheprovider", "--basetemp", scratch / "pytest"),
        *("-k", "restricted and not [process"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


SHOW = """
import json, os
from autograder.box.client import BoxClient
from autograder.box.spec import BoxSpec
from autograder.box.probe import probe
found = probe()
client = BoxClient(BoxSpec({"answer.py": b"import os\\nprint(os.getuid())"}, "answer.py", (), isolation=found.best))
client.loaded()
user = int(client.take_output())
client.close()
print(json.dumps([found.backends, [one.layer for one in found.missing], user, os.getuid()]))
"""


@as_root
def test_root_of_a_container_gives_each_box_a_user_of_its_own(scratch):
    done = in_container("root", scratch, "-c", SHOW)
    backends, missing, box_user, judge_user = json.loads(done.stdout)
    assert backends == [RESTRICTED, PROCESS]
    assert {"own_user", "restricted"} & set(missing) == set()
    assert judge_user == 0
    assert box_user in namespaces.unused_ids()


@as_root
def test_root_of_a_container_without_dockers_filter_has_sealed_boxes(scratch):
    """It has no right to mount, and builds the box's root as an ordinary user does."""
    backends, _, box_user, judge_user = json.loads(in_container("unconfined", scratch, "-c", SHOW).stdout)
    assert backends[0] == NAMESPACES
    assert (box_user, judge_user) == (namespaces.INSIDE_ID, 0)


OUTSIDE = """
import json, sys
from autograder.box.client import BoxClient
from autograder.box.spec import BoxSpec
client = BoxClient(BoxSpec({"answer.py": b""}, "answer.py", (), isolation=sys.argv[1]))
client.loaded()
print(json.dumps([list(member.uids()) for member in client._running.members()]))
client.close()
"""


@as_root
@pytest.mark.parametrize("isolation", [name for name in BACKENDS if name != PROCESS])
def test_security_no_box_is_roots_to_the_kernel(isolation, scratch):
    """Whatever its namespaces call it: were one of them to leak, root's number would reach everything."""
    done = in_container("unconfined", scratch, "-c", OUTSIDE, isolation)
    users = {user for of_one in json.loads(done.stdout) for user in of_one}
    assert users
    assert users <= namespaces.unused_ids()


@as_root
def test_the_user_of_a_container_is_the_boxs(scratch):
    done = in_container("user", scratch, "-c", SHOW)
    backends, _, box_user, judge_user = json.loads(done.stdout)
    assert backends == [RESTRICTED, PROCESS]
    assert box_user == judge_user


@as_root
def test_a_check_in_a_container_says_restricted_and_why(scratch):
    course = make_course(scratch / "course")
    for path in (course, *course.rglob("*")):
        path.chmod(0o777)
    command = ("-m", "autograder", "check", "hw1", course / "solutions" / "hw1_sums" / "sums.py")
    report = json.loads(in_container("user", scratch, *command, "--json", cwd=course).stdout)
    assert report["isolation"] == "restricted"
    assert "Operation not permitted" in report["isolation_missing"]
    shown = in_container("user", scratch, *command, cwd=course).stdout
    assert "isolation: restricted" in shown
    assert "grade doctor says why" in shown


@pytest.mark.parametrize("limited", [False, True])
def test_where_the_system_allows_no_more_user_namespaces_restricted_is_what_works(limited):
    """As `sysctl user.max_user_namespaces=0` does it, which many servers have."""

    def none_left() -> None:
        own_namespaces(Namespace(0))
        Path("/proc/sys/user/max_user_namespaces").write_text("0" if limited else "100")
        capabilities.drop_all()

    def lacked() -> list[str]:
        lacking.cache_clear()
        found = [lacking("namespaces"), lacking("restricted")]
        return [one.problem if one else "" for one in found]

    said = in_fork(none_left, lacked)
    assert said.error == ""
    refused, restricted = said.value
    assert restricted == ""
    assert ("unshare" in refused) is limited
