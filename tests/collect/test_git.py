from __future__ import annotations

import base64
import os
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest

from autograder.collect import git_command, git_remote
from autograder.collect.found import Found, Refused
from autograder.collect.git import _said, open_git
from autograder.collect.git_command import Git, GitFailedError, GitTimeoutError, is_allowed, is_local
from autograder.collect.git_remote import GitRemote
from autograder.collect.matching import Student
from autograder.errors import UsageError
from tests.collect.git_server import asking_for_a_password
from tests.collect.repositories import CODE, IN_TIME, LATE, commit, git
from tests.collect.wanted import DUE, STUDENTS, found_by, short, wanted_in

ONE = STUDENTS[:1]


@pytest.fixture
def remotes(tmp_path):
    return tmp_path / "remotes"


@pytest.fixture
def address(remotes):
    return f"git:{remotes}/{{id}}"


# --- what is taken ----------------------------------------------------------------------------------------------------


def test_every_student_s_newest_commit_is_taken_and_a_missing_remote_is_one_line(tmp_path, remotes, address):
    commit(remotes / "2026001", {"sums.py": "x = 1\n"}, at=IN_TIME - timedelta(days=2))
    commit(remotes / "2026001", {"sums.py": CODE})
    git(tmp_path, "init", "--quiet", str(remotes / "2026003"))
    first, second, third = found_by(address, wanted_in(tmp_path))
    assert short(first) == (("2026001",), "09-26 15:59", ["sums.py"])
    assert first.files["sums.py"] == CODE.encode()
    assert short(second) == ("2026002", "there is no such repository, or you may not read it")
    assert short(third) == ("2026003", "the repository is empty, or has no such branch")
    assert (second.is_nothing, third.is_nothing) == (True, True)  # who has not begun is not missed in `grade status`


@pytest.mark.parametrize(
    ("times", "taken"),
    [
        ([IN_TIME], ["09-26 15:59"]),
        ([IN_TIME, LATE], ["09-26 15:59", "09-28 15:59"]),
        ([LATE], ["09-28 15:59"]),
        ([DUE], ["09-27 15:59"]),  # to the minute
        ([DUE, DUE + timedelta(seconds=1)], ["09-27 15:59", "09-27 15:59"]),
    ],
)
def test_late_work_is_taken_and_before_it_the_last_that_came_in_time(tmp_path, remotes, address, times, taken):
    for number, at in enumerate(times):
        commit(remotes / "2026001", {"sums.py": f"version = {number}\n"}, at)
    found = found_by(address, wanted_in(tmp_path, ONE))
    assert [short(one)[1] for one in found] == taken
    assert found[-1].files["sums.py"] == f"version = {len(times) - 1}\n".encode()


def test_each_student_s_own_deadline_counts(tmp_path, remotes, address):
    commit(remotes / "2026001", {"sums.py": "version = 0\n"}, IN_TIME)
    commit(remotes / "2026001", {"sums.py": CODE}, LATE)
    assert len(found_by(address, wanted_in(tmp_path, ONE, deadlines={"2026001": LATE}))) == 1


def test_received_takes_the_last_commit_up_to_a_moment(tmp_path, remotes, address):
    commit(remotes / "2026001", {"sums.py": "version = 0\n"}, IN_TIME)
    commit(remotes / "2026001", {"sums.py": CODE}, LATE)
    (found,) = found_by(address, wanted_in(tmp_path, ONE, received=DUE))
    assert found.files["sums.py"] == b"version = 0\n"
    (refused,) = found_by(address, wanted_in(tmp_path, ONE, received=IN_TIME - timedelta(days=1)))
    assert refused.problem.startswith("nothing was committed up to 2026-09-25 23:59")


@pytest.mark.parametrize("folder", ["hw1", "HW1", "hw1_sums"])
def test_of_a_repository_for_all_homework_the_assignment_s_folder_is_taken(tmp_path, remotes, address, folder):
    commit(remotes / "2026001", {f"{folder}/sums.py": CODE, "hw2/mlp.py": "x = 1\n"}, IN_TIME)
    commit(remotes / "2026001", {"hw2/mlp.py": "x = 2\n"}, LATE)
    (found,) = found_by(address, wanted_in(tmp_path, ONE))  # work on hw2 went on, hw1 was done in time
    assert short(found) == (("2026001",), "09-26 15:59", ["sums.py"])


def test_a_branch_may_be_named(tmp_path, remotes, address):
    commit(remotes / "2026001", {"sums.py": "x = 1\n"})
    git(remotes / "2026001", "checkout", "--quiet", "-b", "hand-in/hw1")
    commit(remotes / "2026001", {"sums.py": CODE})
    git(remotes / "2026001", "checkout", "--quiet", "main")
    assert found_by(address, wanted_in(tmp_path, ONE))[0].files["sums.py"] == b"x = 1\n"
    assert found_by(f"{address}#hand-in/hw1", wanted_in(tmp_path, ONE))[0].files["sums.py"] == CODE.encode()
    assert "no such branch" in found_by(f"{address}#other", wanted_in(tmp_path, ONE))[0].problem
    with pytest.raises(UsageError, match="--upload-pack"):
        open_git(f"{address}#--upload-pack=touch x", wanted_in(tmp_path, ONE))


@pytest.mark.parametrize("at_once", [1, 3, 64])
def test_as_many_commits_are_fetched_as_are_needed(tmp_path, remotes, monkeypatch, at_once):
    """By file:// and http the history is cut short; it is completed where the work in time lies further back."""
    monkeypatch.setattr(git_remote, "_SHALLOW", at_once)
    commit(remotes / "2026001", {"sums.py": "version = 0\n"}, IN_TIME)
    for number in range(1, 8):
        commit(remotes / "2026001", {"sums.py": f"version = {number}\n"}, LATE)
    found = found_by(f"git:file://{remotes}/{{id}}", wanted_in(tmp_path, ONE))
    assert [one.files["sums.py"] for one in found] == [b"version = 0\n", b"version = 7\n"]


def test_a_moment_before_what_was_fetched_is_reached(tmp_path, remotes, monkeypatch):
    monkeypatch.setattr(git_remote, "_SHALLOW", 2)
    for number in range(8):
        commit(remotes / "2026001", {"sums.py": f"version = {number}\n"}, IN_TIME + timedelta(minutes=number))
    said, moment = f"git:file://{remotes}/{{id}}", IN_TIME + timedelta(minutes=1)
    (found,) = found_by(said, wanted_in(tmp_path, ONE, received=moment))
    assert found.files["sums.py"] == b"version = 1\n"


def test_a_history_is_not_fetched_as_a_whole(tmp_path, remotes, monkeypatch):
    monkeypatch.setattr(git_remote, "_SHALLOW", 3)
    for number in range(20):
        commit(remotes / "2026001", {"sums.py": f"version = {number}\n"})
    found_by(f"git:file://{remotes}/{{id}}", wanted_in(tmp_path, ONE))
    (kept,) = (one for one in (tmp_path / "ledger" / "git").iterdir() if one.is_dir())
    assert git(kept, "rev-list", "--count", "refs/heads/tip") == "3"


def test_of_files_only_those_that_are_taken_are_fetched_where_the_remote_can_do_so(tmp_path, remotes):
    commit(remotes / "2026001", {"sums.py": "x = 1\n", "hw2/weights.bin": b"\1" * 1000})
    git(remotes / "2026001", "config", "uploadpack.allowFilter", "true")
    git(remotes / "2026001", "config", "uploadpack.allowAnySHA1InWant", "true")
    commit(remotes / "2026001", {"sums.py": CODE, "hw2/weights.bin": b"\2" * 1000, "hw1/sums.py": CODE})
    git(remotes / "2026001", "rm", "-q", "sums.py")
    commit(remotes / "2026001", {})
    (found,) = found_by(f"git:file://{remotes}/{{id}}", wanted_in(tmp_path, ONE))
    assert found.files == {"sums.py": CODE.encode()}
    (kept,) = (one for one in (tmp_path / "ledger" / "git").iterdir() if one.is_dir())
    kinds = git(kept, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").split()
    assert kinds.count("blob") == 1


def test_the_next_collection_fetches_what_is_new(tmp_path, remotes, address):
    commit(remotes / "2026001", {"sums.py": "x = 1\n"})
    found_by(address, wanted_in(tmp_path, ONE))
    commit(remotes / "2026001", {"sums.py": CODE})
    assert found_by(address, wanted_in(tmp_path, ONE))[-1].files["sums.py"] == CODE.encode()
    assert len([one for one in (tmp_path / "ledger" / "git").iterdir() if one.is_dir()]) == 1


def test_names_in_gbk_are_read(tmp_path, remotes, address):
    commit(remotes / "2026001", {"sums.py": CODE})
    (remotes / "2026001" / os.fsdecode("说明.txt".encode("gbk"))).write_bytes(b"x")
    commit(remotes / "2026001", {})
    (found,) = found_by(address, wanted_in(tmp_path, ONE))
    assert sorted(found.files) == ["sums.py", "说明.txt"]


# --- whose it is ------------------------------------------------------------------------------------------------------


def table(tmp_path, content, name="remotes.csv"):
    (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path / name


def asked(said, wanted):
    """Return the remotes that would be asked, and why others are not."""
    made = open_git(said, wanted)._asked
    return [one.problem if isinstance(one, Refused) else (one.student, one.remote) for one in made]


def test_a_table_names_the_remotes(tmp_path):
    path = table(tmp_path, "学号,仓库地址\n2026001,https://git.example.edu/a.git\n2026002,\n9,git@h:x.git\n")
    assert asked(f"git:{path}", wanted_in(tmp_path)) == [
        ("2026001", "https://git.example.edu/a.git"),
        "the table has no remote",
        (None, "git@h:x.git"),  # nobody's: it is taken, and waits for somebody to say whose it is
    ]
    with pytest.raises(UsageError, match="no column"):
        open_git(f"git:{table(tmp_path, 'id,mark')}", wanted_in(tmp_path))
    with pytest.raises(UsageError, match="the same for every student"):
        open_git(f"git:{path} https://git.example.edu/hw1.git", wanted_in(tmp_path))
    with pytest.raises(UsageError, match=r"nowhere\.csv"):
        open_git("git:nowhere.csv", wanted_in(tmp_path))


def test_the_roster_of_github_classroom_and_a_template(tmp_path):
    roster = (
        "identifier,github_username,github_id,name\n2026001,Li-Hua,1,\nwang@example.edu,fang,3,Fang\n"
        "张三,,,\nsomebody,some-body,9,Some Body\n"
    )
    path = table(tmp_path, roster, "classroom_roster.csv")
    assert asked(f"git:{path} git@github.com:org/{{assignment}}-{{github}}.git", wanted_in(tmp_path)) == [
        ("2026001", "git@github.com:org/hw1-Li-Hua.git"),
        ("2026003", "git@github.com:org/hw1-fang.git"),
        "nothing is known for {github}",
        (None, "git@github.com:org/hw1-some-body.git"),
    ]


def test_gaps_are_filled_from_the_roster(tmp_path):
    wanted = wanted_in(tmp_path)
    url = "git:https://git.example.edu/{assignment}/{email_user}-{name}.git"
    assert asked(url, wanted)[0] == ("2026001", "https://git.example.edu/hw1/li-%E6%9D%8E%E5%8D%8E.git")
    assert asked("git:git@h:{alias:github}.git", wanted)[:2] == [
        ("2026001", "git@h:LiHua.git"), "nothing is known for {github}",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="the same for every student"):
        open_git("git:https://git.example.edu/hw1.git", wanted)


def test_a_gap_that_nobody_in_the_roster_fills_is_one_error_and_not_one_for_each(tmp_path):
    with pytest.raises(UsageError, match=r"has a value for \{nummer\}") as caught:
        open_git("git:https://git.example.edu/{nummer}.git", wanted_in(tmp_path))
    assert "{id}" in caught.value.hint


def test_two_students_with_one_remote_both_get_it_and_it_is_said(tmp_path, remotes):
    commit(remotes / "pair", {"sums.py": CODE})
    path = table(tmp_path, "id,repo\n2026001,pair\n2026002,pair\n")
    found = found_by(f"git:{path} {remotes}/{{repo}}", wanted_in(tmp_path))
    assert [one.texts[0] for one in found] == ["2026001", "2026002"]
    assert len({one.key for one in found}) == 2
    assert all("several students" in one.notes[0] for one in found)


# --- dates are the student's word -------------------------------------------------------------------------------------


@pytest.fixture
def at_moment(monkeypatch):
    """Make this moment another one."""

    def say(moment):
        class Clock(datetime):
            @classmethod
            def now(cls, zone=None):
                return moment.astimezone(zone)

        monkeypatch.setattr("autograder.collect.git.datetime", Clock)

    return say


def test_security_a_commit_that_an_earlier_collection_did_not_find_came_after_it(tmp_path, remotes, address, at_moment):
    commit(remotes / "2026001", {"sums.py": "version = 0\n"}, IN_TIME)
    at_moment(DUE + timedelta(minutes=1))
    found_by(address, wanted_in(tmp_path, ONE))
    commit(remotes / "2026001", {"sums.py": CODE}, IN_TIME + timedelta(hours=1))  # made a day after the deadline
    at_moment(LATE)
    in_time, late = found_by(address, wanted_in(tmp_path, ONE))
    assert (in_time.files["sums.py"], in_time.notes) == (b"version = 0\n", ())
    assert late.received == DUE + timedelta(minutes=1)
    assert "it was not there yet when collected 2026-09-28 00:00 CST" in late.notes[0]


def test_without_an_earlier_collection_the_date_is_believed(tmp_path, remotes, address, at_moment):
    """The same hand-in as above: what the earlier collection is good for."""
    commit(remotes / "2026001", {"sums.py": "version = 0\n"}, IN_TIME)
    commit(remotes / "2026001", {"sums.py": CODE}, IN_TIME + timedelta(hours=1))
    at_moment(LATE)
    (found,) = found_by(address, wanted_in(tmp_path, ONE))
    assert (found.received, found.notes) == (IN_TIME + timedelta(hours=1), ())


def test_what_was_seen_once_was_there_from_then_on(tmp_path, remotes, address, at_moment):
    commit(remotes / "2026001", {"sums.py": CODE}, IN_TIME)
    for hours in (0, 1, 2):
        at_moment(IN_TIME + timedelta(hours=hours))
        (found,) = found_by(address, wanted_in(tmp_path, ONE))
        assert (found.received, found.notes) == (IN_TIME, ())


def test_a_history_that_was_rewritten_is_said(tmp_path, remotes, address, at_moment):
    commit(remotes / "2026001", {"sums.py": "version = 0\n"}, IN_TIME)
    at_moment(IN_TIME)
    found_by(address, wanted_in(tmp_path, ONE))
    git(remotes / "2026001", "commit", "--quiet", "--amend", "--message", "x", at=IN_TIME - timedelta(days=1))
    at_moment(LATE)
    (found,) = found_by(address, wanted_in(tmp_path, ONE))
    assert found.received == IN_TIME  # when it was not there yet
    assert "what was collected 2026-09-26 23:59 CST is no longer in its history" in found.notes


def test_dates_that_go_backwards_or_are_to_come_are_said(tmp_path, remotes, address, at_moment):
    commit(remotes / "2026001", {"sums.py": "version = 0\n"}, LATE)
    forged = commit(remotes / "2026001", {"sums.py": CODE}, IN_TIME)
    at_moment(LATE)
    (found,) = found_by(address, wanted_in(tmp_path, ONE))
    assert found.notes == (f"the dates of its commits go backwards: {forged[:10]} says 2026-09-26 23:59 CST",)
    commit(remotes / "2026001", {"sums.py": "x = 3\n"}, LATE + timedelta(days=300))
    *_, found = found_by(address, wanted_in(tmp_path, ONE))
    assert found.received == LATE
    assert "which is still to come" in found.notes[0]


# --- hostile repositories ---------------------------------------------------------------------------------------------


def tree_of(folder, *lines):
    """Commit a tree as no honest git would write it: lines of `git mktree`."""
    tree = git(folder, "mktree", "--missing", said="".join(f"{line}\n" for line in lines).encode())
    git(folder, "update-ref", "HEAD", git(folder, "commit-tree", tree, "-m", "x"))


def blob(folder, content):
    return git(folder, "hash-object", "-w", "--stdin", said=content)


def test_security_links_and_submodules_are_left_out_and_said(tmp_path, remotes, address):
    folder = remotes / "2026001"
    commit(folder, {"sums.py": CODE, "model.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"})
    (folder / "answer.py").symlink_to("/etc/passwd")
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},stolen")
    git(folder, "add", "answer.py")
    git(folder, "commit", "--quiet", "-m", "x")
    (found,) = found_by(address, wanted_in(tmp_path, ONE))
    assert sorted(found.files) == ["model.bin", "sums.py"]
    assert found.notes == (
        "links are left out: answer.py",
        "submodules are not fetched: stolen",
        "kept in Git LFS, and not here: model.bin",
    )  # fmt: skip


def test_security_filters_and_attributes_of_a_repository_do_nothing(tmp_path, remotes, address, monkeypatch):
    """A user's own filter would be run on a student's file by a checkout; here it is neither read nor run."""
    home = tmp_path / "home"
    home.mkdir()
    mark = tmp_path / "ran"
    (home / ".gitconfig").write_text(f'[filter "evil"]\n\tsmudge = "touch {mark}; cat"\n\trequired = true\n')
    commit(remotes / "2026001", {"sums.py": CODE, ".gitattributes": "* filter=evil export-ignore\n"})
    git(remotes / "2026001", "config", "core.fsmonitor", f"touch {mark}")
    hook = remotes / "2026001" / ".git" / "hooks" / "post-upload-pack"
    hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
    hook.chmod(0o755)
    monkeypatch.setenv("HOME", str(home))
    (found,) = found_by(address, wanted_in(tmp_path, ONE))
    assert found.files == {"sums.py": CODE.encode()}
    assert not mark.exists()
    # The same repository, checked out as usual.
    environment = os.environ | {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
    clone = ["git", "clone", "--quiet", str(remotes / "2026001"), str(tmp_path / "clone")]
    subprocess.run(clone, env=environment, check=True, capture_output=True)
    assert mark.exists()


@pytest.mark.parametrize("name", ["../../escaped.py", ".git"])
def test_security_trees_with_names_that_lead_elsewhere_are_refused(tmp_path, remotes, address, name):
    commit(remotes / "2026001", {"sums.py": CODE})
    content = blob(remotes / "2026001", b"x = 1\n")
    raw = b"100644 " + name.encode() + b"\0" + bytes.fromhex(content)
    tree = git(remotes / "2026001", "hash-object", "-t", "tree", "--literally", "-w", "--stdin", said=raw)
    made = git(remotes / "2026001", "commit-tree", tree, "-m", "x")
    git(remotes / "2026001", "update-ref", "HEAD", made)
    (refused,) = found_by(address, wanted_in(tmp_path, ONE))
    assert isinstance(refused, Refused)
    assert not (tmp_path / "escaped.py").exists()


def test_security_without_fsck_such_a_tree_gets_as_far_as_the_names(tmp_path, remotes, address, monkeypatch):
    """The names are looked at, too: each of the two layers refuses by itself."""
    monkeypatch.setitem(git_command._SETTINGS, "transfer.fsckObjects", "false")
    commit(remotes / "2026001", {"sums.py": CODE})
    content = blob(remotes / "2026001", b"x = 1\n")
    raw = b"100644 ../escaped.py\0" + bytes.fromhex(content)
    tree = git(remotes / "2026001", "hash-object", "-t", "tree", "--literally", "-w", "--stdin", said=raw)
    git(remotes / "2026001", "update-ref", "HEAD", git(remotes / "2026001", "commit-tree", tree, "-m", "x"))
    (refused,) = found_by(address, wanted_in(tmp_path, ONE))
    assert "../escaped.py" in refused.problem


@pytest.mark.parametrize(
    ("remote", "local", "allowed"),
    [
        ("https://git.example.edu/a.git", False, True),
        ("ssh://git@git.example.edu/a.git", False, True),
        ("git@git.example.edu:hw/a.git", False, True),
        ("/srv/git/a.git", True, True),
        ("file:///srv/git/a.git", True, True),
        ("/srv/git/a.git", False, False),
        ("file:///srv/git/a.git", False, False),
        ("../a.git", False, False),
        ("ext::sh -c touch% /tmp/x", True, False),
        ("fd::17", True, False),
        ("::x", True, False),
        ("ftp://example.edu/a.git", True, False),
        ("--upload-pack=touch /tmp/x", True, False),
        ("-oProxyCommand=x:a", True, False),
        ("ssh://-oProxyCommand=x/a", True, False),
        ("ssh://git@-oProxyCommand=x/a", True, False),
        ("git@-oProxyCommand=x:a", True, False),
        ("https://e.edu/a\n.git", True, False),
        ("", True, False),
    ],
)
def test_security_only_remotes_of_known_kinds_are_asked(remote, local, allowed):
    assert is_allowed(remote, local=local) is allowed


def test_security_git_itself_refuses_other_protocols_too(tmp_path):
    mark = tmp_path / "ran"
    command = ("ls-remote", f"ext::sh -c touch% {mark}")
    with pytest.raises(GitFailedError, match="not allowed"):
        Git(local=True).run(tmp_path, *command)
    with pytest.raises(GitFailedError, match="'file' not allowed"):
        Git(local=False).run(tmp_path, "ls-remote", str(tmp_path))
    assert not mark.exists()
    subprocess.run(["git", "-c", "protocol.ext.allow=always", *command], capture_output=True, check=False)
    assert mark.exists()


def test_security_what_a_student_wrote_into_a_table_reads_no_path_of_this_machine(tmp_path, remotes):
    commit(remotes / "secret", {"sums.py": CODE})
    path = table(tmp_path, f"id,remote\n2026001,{remotes}/secret\n2026002,file://{remotes}/secret\n")
    found = found_by(f"git:{path}", wanted_in(tmp_path))
    assert [isinstance(one, Refused) and "is not asked" in one.problem for one in found] == [True, True]


@pytest.mark.parametrize("name", ["../secret", "..", "-x", "a/b", "~root", ".git"])
def test_security_a_value_is_one_part_of_an_address(tmp_path, remotes, name):
    commit(remotes / "secret", {"sums.py": CODE})
    student = Student("2026001", "李华", frozenset({("github", name)}))
    (refused,) = found_by(f"git:{remotes}/x/{{github}}", wanted_in(tmp_path, (student,)))
    assert "can't stand for {github}" in refused.problem


def test_a_full_disk_and_an_old_git_are_said(tmp_path, remotes, address, monkeypatch):
    commit(remotes / "2026001", {"sums.py": CODE})
    monkeypatch.setattr(git_remote, "_LEAST_FREE_BYTES", 1 << 80)
    assert "nearly full" in found_by(address, wanted_in(tmp_path, ONE))[0].problem
    monkeypatch.setattr(git_command, "_OLDEST", (99, 0))
    with pytest.raises(UsageError, match=r"99\.0 or newer"):
        open_git(address, wanted_in(tmp_path, ONE))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="not installed"):
        open_git(address, wanted_in(tmp_path, ONE))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ERROR: Repository not found.\nfatal: Could not read from remote repository.", "no such repository"),
        ("git@h: Permission denied (publickey).\nfatal: Could not read", "no such repository"),
        ("fatal: could not read Username for 'https://h': terminal prompts disabled", "no such repository"),
        ("fatal: unable to access 'https://h/': The requested URL returned error: 403", "no such repository"),
        ("fatal: detected dubious ownership in repository at '/srv/a'", "safe.directory"),
        ("warning: x\nHost key verification failed.\nfatal: Could not read", ": Host key verification failed."),
        ("fatal: unable to access 'https://me:t0ken@h/4014/': Could not resolve host: h", "'https://h/4014/': Could"),
        ("", ": ?"),
    ],
)
def test_what_git_says_in_words(said, told):
    assert told in _said(GitFailedError(said))[0]


def test_security_the_environment_of_a_hook_leads_nowhere(tmp_path, remotes, address, monkeypatch):
    commit(remotes / "2026001", {"sums.py": CODE})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "elsewhere"))
    (found,) = found_by(address, wanted_in(tmp_path, ONE))
    assert isinstance(found, Found)


def test_security_the_course_s_own_repository_is_never_taken_for_a_student_s(tmp_path):
    commit(tmp_path, {"secret.py": CODE})
    (tmp_path / "ledger").mkdir()
    with pytest.raises(GitFailedError, match="not a git repository"):
        Git(local=True).run(tmp_path / "ledger", "log")
    assert git(tmp_path / "ledger", "log")  # as git does otherwise


def test_credentials_and_proxies_of_the_user_are_taken_over_and_nothing_else(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    settings = (
        "[credential]\n\thelper = store\n[http]\n\tproxy = http://p\n\textraHeader = t0ken\n"
        "[core]\n\tsshCommand = evil\n[alias]\n\tx = y\n"
    )
    (home / ".gitconfig").write_text(settings)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    listed = Git(local=True).run(tmp_path, "config", "--list").decode()
    assert {"credential.helper=store", "http.proxy=http://p"} <= set(listed.split())
    assert "evil" not in listed
    assert "t0ken" not in listed  # it would go to every host, those of students, too
    assert "alias" not in listed


@pytest.mark.parametrize(
    ("remote", "is_told"), [("{host}/1.git", False), ("git:{host}/{{id}}.git", True)], ids=["a student's", "ours"]
)
def test_security_a_password_for_every_host_does_not_go_to_those_that_students_name(
    tmp_path, monkeypatch, remote, is_told
):
    """A helper of one's own, as people write them for a machine that asks nobody: it does not look who asks."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text('[credential]\n\thelper = "!f() { echo username=me; echo password=t0ken; }; f"\n')
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with asking_for_a_password() as (port, came):
        said = remote.format(host=f"http://127.0.0.1:{port}")
        if not said.startswith("git:"):
            filled = table(tmp_path, f"id,remote\n2026001,{said}\n")
            said = f"git:{filled}"
        (refused,) = found_by(said, wanted_in(tmp_path, ONE))
    assert isinstance(refused, Refused)
    assert (f"Basic {base64.b64encode(b'me:t0ken').decode()}" in came) is is_told


def test_secrets_of_an_address_are_not_shown(tmp_path):
    source = open_git("git:ftp://me:t0ken@git.example.edu/{id}.git", wanted_in(tmp_path, ONE))
    (refused,) = source
    assert "t0ken" not in source.label + refused.key + refused.problem


def test_security_a_repository_that_is_too_large_is_one_line(tmp_path, remotes, address, monkeypatch):
    commit(remotes / "2026001", {"sums.py": CODE, "weights.bin": os.urandom(1 << 20)})
    commit(remotes / "2026002", {"sums.py": CODE})
    monkeypatch.setattr(git_command, "MOST_PACK_BYTES", 1 << 19)
    first, second = found_by(address, wanted_in(tmp_path, STUDENTS[:2]))
    assert short(first) == ("2026001", "there is more in it than may be handed in")
    assert (first.texts, first.is_nothing) == (("2026001",), False)
    assert isinstance(second, Found)
    left = [one for one in (tmp_path / "ledger" / "git").rglob("*") if one.is_file() and one.stat().st_size > 1 << 18]
    assert left == []


def test_security_a_large_or_numerous_commit_is_one_line(tmp_path, remotes, address, monkeypatch):
    commit(remotes / "2026001", {"sums.py": CODE, "weights.bin": bytes(21 << 20)})
    commit(remotes / "2026002", {f"{number}.py": CODE for number in range(501)})
    for refused in found_by(address, wanted_in(tmp_path, STUDENTS[:2])):
        assert "more than 500 files or 100 MB" in refused.problem or "500" in refused.problem


def comes_true(condition):
    """Wait for what another process does; a minute is a ceiling for what takes milliseconds on a quiet machine."""
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def has_ended(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    return False


def test_what_is_wrong_with_a_late_commit_costs_nobody_the_work_in_time(tmp_path, remotes, address):
    commit(remotes / "2026001", {"sums.py": CODE}, IN_TIME)
    late = commit(remotes / "2026001", {"weights.bin": bytes(21 << 20)}, LATE)
    (found,) = found_by(address, wanted_in(tmp_path, ONE))
    assert short(found) == (("2026001",), "09-26 15:59", ["sums.py"])
    assert found.notes[0].startswith(f"the newest commit, {late[:10]}, was not taken: ")


def test_security_a_remote_that_never_answers_is_given_up(tmp_path, monkeypatch):
    """As a host that takes the connection and says nothing; what git has started ends with it."""
    slow, started, told = Git(local=True, timeout_s=0.5), subprocess.Popen, tmp_path / "pid"

    def start(*command, **how):
        process = started(*command, **how)
        assert comes_true(lambda: told.is_file() and told.read_text().endswith("\n"))
        return process

    monkeypatch.setattr(git_command.subprocess, "Popen", start)  # its time begins when it has started something
    with pytest.raises(GitTimeoutError):
        slow.run(tmp_path, "-c", f"alias.wait=!sleep 600 & echo $! >{told}; wait", "wait")
    number = int(told.read_text())
    assert comes_true(lambda: has_ended(number))


def test_an_interrupted_collection_leaves_nothing_running(tmp_path, remotes, address):
    for student in STUDENTS:
        commit(remotes / student.id, {"sums.py": CODE})
    source = open_git(address, wanted_in(tmp_path))
    walk = iter(source)
    next(walk)
    walk.close()
    assert source._git._running == set()


def test_windows_paths_and_gaps_with_colons():
    assert is_local(r"C:\git\a")
    assert is_local("/srv/git/a:b")
    assert not is_local("h:a")


LAST_SECOND = 253_402_300_799  # of the year 9999, and none any more in Shanghai
NOT_A_COMMIT = "tree {tree}\nparent {parent}\nauthor x\n\nx\n"


def write_commit(folder, content):
    """Commit what git itself would not write, beside the work that is there."""
    tree, parent = git(folder, "rev-parse", "HEAD^{tree}", "HEAD").split()
    said = content.format(tree=tree, parent=parent).encode()
    made = git(folder, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", said=said)
    git(folder, "update-ref", "HEAD", made)


def test_security_a_date_that_no_clock_shows_ends_nobody_elses_collection(tmp_path, remotes, address):
    commit(remotes / "2026001", {"sums.py": CODE})
    who = f"a <a@example.edu> {LAST_SECOND} +0000"
    write_commit(remotes / "2026001", f"tree {{tree}}\nauthor {who}\ncommitter {who}\n\nx\n")
    commit(remotes / "2026002", {"sums.py": CODE})
    first, second = found_by(address, wanted_in(tmp_path, STUDENTS[:2]))
    assert first.notes == ("dated 9998-01-01 08:00 CST, which is still to come",)
    assert isinstance(second, Found)


def test_security_what_git_has_not_looked_at_is_one_line(tmp_path, remotes, address, monkeypatch):
    commit(remotes / "2026001", {"sums.py": CODE})
    write_commit(remotes / "2026001", NOT_A_COMMIT)
    commit(remotes / "2026002", {"sums.py": CODE})
    monkeypatch.setitem(git_command._SETTINGS, "transfer.fsckObjects", "false")
    first, second = found_by(address, wanted_in(tmp_path, STUDENTS[:2]))
    assert "unexpected answer of git" in first.problem
    assert isinstance(second, Found)


@pytest.mark.parametrize("is_refused", [True, False])
def test_security_objects_are_not_taken_one_by_one_where_nobody_looks_at_them(
    tmp_path, remotes, monkeypatch, is_refused
):
    """A server of plain files, from the second collection on: then all commits are asked for."""
    from tests.collect.git_server import serving

    fetch = GitRemote._fetch_commits
    if not is_refused:
        monkeypatch.setattr(GitRemote, "_fetch_commits", lambda self, _: fetch(self, "--quiet"))
    folder = remotes / "2026001"
    commit(folder, {"sums.py": CODE})
    wanted = wanted_in(tmp_path, ONE)
    with serving(remotes) as port:
        address = f"git:http://127.0.0.1:{port}/{{id}}/.git"
        assert isinstance(found_by(address, wanted)[0], Found)
        write_commit(folder, NOT_A_COMMIT)
        (looked_at,) = found_by(address, wanted)
        git(folder, "update-server-info")
        monkeypatch.setattr("tests.collect.git_server.PLAIN", True)
        (plain,) = found_by(address, wanted)
    assert "fsck error" in looked_at.problem or "missingEmail" in looked_at.problem
    assert ("dumb http" in plain.problem) is is_refused
    assert ("unexpected answer of git" in plain.problem) is not is_refused


# --- as it is used ----------------------------------------------------------------------------------------------------


def test_over_http(tmp_path, remotes):
    """By a real server: git's own http-backend behind Python's, which knows CGI."""
    from tests.collect.git_server import serving

    commit(remotes / "2026001", {"sums.py": "version = 0\n"}, IN_TIME)
    commit(remotes / "2026001", {"sums.py": CODE}, LATE)
    git(remotes / "2026001", "config", "uploadpack.allowFilter", "true")
    with serving(remotes) as port:
        found = found_by(f"git:http://127.0.0.1:{port}/{{id}}/.git", wanted_in(tmp_path, STUDENTS[:2]))
    assert [short(one) for one in found] == [
        (("2026001",), "09-26 15:59", ["sums.py"]),
        (("2026001",), "09-28 15:59", ["sums.py"]),
        ("2026002", "there is no such repository, or you may not read it"),
    ]
    assert datetime.now(UTC) > found[1].received
