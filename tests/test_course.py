from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from autograder.course import find_course, load_assignment, load_course
from autograder.errors import ConfigError, UsageError
from autograder.late_policy import LatePolicy
from autograder.messages import set_language
from tests.tiny_course import ASSIGNMENT, make_course, write


@pytest.fixture
def folder(tmp_path):
    return make_course(tmp_path)


def _course(folder, content):
    write(folder / "course.yml", content)
    return load_course(folder)


def _assignment(folder, *changes, name="hw1_sums"):
    content = ASSIGNMENT
    for old, new in changes:
        assert old in content, old
        content = content.replace(old, new, 1)
    write(folder / "assignments" / name / "assignment.yml", content)
    return load_assignment(folder / "assignments" / name, load_course(folder))


def _line_of(folder, name, words):
    lines = (folder / name).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if words in line)


# --- course.yml -----------------------------------------------------------------------------------------------------


def test_a_course_and_its_assignment(folder):
    course = load_course(folder)
    assert str(course.spec.title) == "Tiny course"
    assert course.spec.timezone == "UTC"
    loaded = course.assignment("hw1")
    assert (loaded.id, loaded.folder.name, loaded.solutions) == ("hw1", "hw1_sums", folder / "solutions" / "hw1_sums")
    assert (loaded.spec.points, loaded.spec.hidden_points) == (40, 20)
    assert loaded.stub_names == ("sums.py",)
    assert loaded.has_hidden


def test_the_late_policy_of_an_assignment_is_the_courses_but_for_what_it_says_itself(folder):
    late = "late: {per_day: 0.1, slip_days: 3, hard_stop_days: 7}\n"
    own = "assignments:\n  - {id: hw1}\n  - {id: hw2, late: {per_day: 0.2, hard_stop_days: null}}\n"
    course = _course(folder, f"id: a\ntitle: {{en: x}}\n{late}{own}").spec
    assert course.late_policy("hw1") == LatePolicy(per_day=0.1, slip_days=3, hard_stop_days=7)
    assert course.late_policy("hw2") == LatePolicy(per_day=0.2, slip_days=3, hard_stop_days=None)


def test_titles_in_two_languages(folder):
    course = load_course(folder)
    set_language("zh")
    try:
        assert str(course.spec.title) == "小课程"
        assert str(course.assignment("hw1").spec.tasks[0].title) == "加法"
    finally:
        set_language("en")


def test_models_are_frozen(folder):
    course = load_course(folder)
    with pytest.raises(ValidationError):
        course.spec.id = "other"
    with pytest.raises(ValidationError):
        course.assignment("hw1").spec.points = 1


@pytest.mark.parametrize(
    ("content", "line", "key", "says", "hint"),
    [
        ("id: Tiny Course\ntitle: {en: x}\n", 1, "id", "came 'Tiny Course'", None),
        ("id: a\n", 1, "title", "missing", None),
        ("id: a\ntitle: {zh: 课}\n", 2, "title.en", None, None),
        ("id: a\ntitle: {en: x}\ntimezone: China\n", 3, "timezone", "Asia/Shanghai; came 'China'", None),
        ("id: a\ntitle: {en: x}\ntimezone: ../../etc/passwd\n", 3, "timezone", "came '../../etc/passwd'", None),
        ("id: a\ntitle: {en: x}\ntimezone: 8\n", 3, "timezone", "came 8", None),
        ("id: a\ntitle: {en: x}\nlate: {per_day: 10}\n", 3, "late.per_day", "came 10", None),
        ("id: a\ntitle: {en: x}\nlate: {per_days: 0.1}\n", 3, "late.per_days", "no such key", "Did you mean per_day?"),
        (
            "id: a\ntitle: {en: x}\nassignments:\n  - {id: b, late: {slip_days: 2}}\n",
            4,
            "assignments[0].late.slip_days",
            "no such key",
            "Did you mean per_day?",
        ),
        ("id: a\ntitle: {en: x}\nlimits: {call: 3}\n", 3, "limits.call", "no such key", "Did you mean call_s?"),
        ("id: a\ntitle: {en: x}\nlimits: {call_s: 0}\n", 3, "limits.call_s", "came 0", None),
        ("id: a\ntitle: {en: x}\nassignment: []\n", 3, "assignment", "no such key", "Did you mean assignments?"),
        ("id: a\ntitle: {en: x}\nassignments:\n  - {id: HW1}\n", 4, "assignments[0].id", "came 'HW1'", None),
        (
            "id: a\ntitle: {en: x}\nassignments:\n  - id: hw1\n    due: 2026-10-12\n",
            5, "assignments[0].due", "such as 2026-10-12T23:59; came 2026-10-12", None,
        ),
        (
            "id: a\ntitle: {en: x}\nassignments:\n  - {id: hw1, due: 12.10.2026}\n",
            4, "assignments[0].due", "came 12.10.2026", None,
        ),
        (
            "id: a\ntitle: {en: x}\nassignments:\n  - {id: hw1, weigth: 2}\n",
            4, "assignments[0].weigth", "no such key", "Did you mean weight?",
        ),
        ("id: a\ntitle: {en: x}\nassignments:\n  - {id: hw1, weight: -1}\n", 4, "assignments[0].weight", "-1", None),
    ],
)  # fmt: skip
def test_errors_in_course_yml(folder, content, *, line, key, says, hint):
    with pytest.raises(ConfigError) as caught:
        _course(folder, content)
    error = caught.value
    assert (error.file, error.line, error.key, error.hint) == (folder / "course.yml", line, key, hint)
    assert says is None or says in error.message


def test_the_course_is_found_from_any_folder_inside_it(folder):
    inside = folder / "assignments" / "hw1_sums" / "tests"
    assert find_course(inside).folder == find_course(folder).folder == folder


def test_without_a_course_yml_the_error_names_the_folder(tmp_path):
    with pytest.raises(UsageError, match=r"No course\.yml in .*") as caught:
        find_course(tmp_path)
    assert str(tmp_path) in caught.value.message
    assert caught.value.hint


# --- due dates ------------------------------------------------------------------------------------------------------


def _due(folder, zone, due):
    course = _course(folder, f"id: a\ntitle: {{en: x}}\ntimezone: {zone}\nassignments:\n  - {{id: hw1, due: {due}}}\n")
    moment = course.spec.due("hw1")
    assert moment is not None
    assert moment.tzinfo is not None
    return moment.astimezone(UTC)


@pytest.mark.parametrize(
    ("zone", "due", "in_utc"),
    [
        ("Asia/Shanghai", "2026-10-12T23:59", "2026-10-12T15:59"),
        ("Asia/Shanghai", "2026-10-12 23:59:00", "2026-10-12T15:59"),
        ("UTC", "2026-10-12T23:59", "2026-10-12T23:59"),
        # Daylight saving ends in Europe on 2026-10-25, in New York on 2026-11-01.
        ("Europe/Berlin", "2026-10-24T23:59", "2026-10-24T21:59"),
        ("Europe/Berlin", "2026-10-25T23:59", "2026-10-25T22:59"),
        ("America/New_York", "2026-10-31T23:59", "2026-11-01T03:59"),
        ("America/New_York", "2026-11-01T23:59", "2026-11-02T04:59"),
        ("Europe/Berlin", "2026-03-28T23:59", "2026-03-28T22:59"),
        ("Europe/Berlin", "2026-03-29T23:59", "2026-03-29T21:59"),
        # 02:30 happens twice: the first of them; and an hour that is left out is still a moment.
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:30"),
        # An offset of its own outranks the course's zone.
        ("Europe/Berlin", "2026-10-25T23:59+08:00", "2026-10-25T15:59"),
        ("Europe/Berlin", "2026-10-25T23:59:00+08:00", "2026-10-25T15:59"),
        ("Asia/Shanghai", "2026-10-12T23:59:00Z", "2026-10-12T23:59"),
    ],
)
def test_due_dates(folder, zone, due, in_utc):
    assert _due(folder, zone, due) == datetime.fromisoformat(in_utc).replace(tzinfo=UTC)


def test_a_quoted_date_needs_an_hour_too(folder):
    with pytest.raises(ConfigError, match="2026-10-12T23:59"):
        _due(folder, "UTC", '"2026-10-12"')


def test_an_assignment_without_a_due_date_has_none(folder):
    course = load_course(folder).spec
    assert course.due("hw1") is None
    assert course.due("hw9") is None


# --- assignment.yml -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "key", "says", "hint"),
    [
        ("points: 40", "points: 50", "", "add up to 40 points, but the assignment has 50", None),
        ("points: 40", "points: 40.001", "", "add up to 40 points, but the assignment has 40.001", None),
        ("points: 40", "points: 0", "points", "came 0", None),
        ("hidden: 10}}", "hiden: 10}}", "tasks[0].points.hiden", "no such key", "Did you mean hidden?"),
        ('id: "2"', 'id: "1.1"', "", "a task id stands twice among 1.1, 1.1", None),
        ("full: 0.5, zero: 2.5", "full: 2.5, zero: 0.5", "metrics.error", "the wrong way round (full 2.5", None),
        ("lower, full", "higher, full", "metrics.error", "with better: higher", None),
        ("full: 0.5, zero: 2.5", "full: 0.5, zero: 0.5", "metrics.error", "the wrong way round", None),
        ("zero: 2.5", "zero: 2.5, on_full_data: {full: 3, zero: 2}", "metrics.error", "wrong way round", None),
        ("seeds: [0, 1, 2]", "dataset: {name: mnst}", "dataset.name", "no dataset 'mnst'; known: fashion-mnist", None),
        ("seeds: [0, 1, 2]", "dataset: {name: mnist, embedded: ../up}", "dataset.embedded", "came '../up'", None),
        ("full: 0.5", "scale: log, full: 0", "metrics.error", "thresholds above zero", None),
        ("better: lower", "beter: lower", "metrics.error.beter", "no such key", "Did you mean better?"),
        ("better: lower", "better: small", "metrics.error.better", "came 'small'", None),
        ("file: sums.py", "file: src/sums.py", "entry.file", "came 'src/sums.py'", None),
        ("file: sums.py", "file: sums.ipynb", "entry.file", "came 'sums.ipynb'", None),
        ("names: [add, slope]", "names: []", "entry.names", "came []", None),
        ("seeds: [0, 1, 2]", "seeds: []", "seeds", "came []", None),
        ("seeds: [0, 1, 2]", "seeds: [a]", "seeds[0]", "came 'a'", None),
        ("seeds: [0, 1, 2]", "frameworks: [pytorch]", "frameworks[0]", "came 'pytorch'", None),
        ("seeds: [0, 1, 2]", "limits: {calls: 3}", "limits.calls", "no such key", "Did you mean call_s?"),
        ("seeds: [0, 1, 2]", "limits: {memory_mb: 1}", "limits.memory_mb", "came 1", None),
        ("seeds: [0, 1, 2]", "limits: {threads: 1.5}", "limits.threads", "came 1.5", None),
        ("test_add: {zh:", "test_add: {en:", "checks.test_add.en", "no such key", "Known keys: zh, hint."),
        ("id: hw1", "id: hw2", "id", "the id is 'hw2', but the folder hw1_sums is that of 'hw1'", None),
        ("id: hw1", "id: HW1", "id", "came 'HW1'", None),
        ("entry:", "entri:", "entri", "no such key", "Did you mean entry?"),
    ],
)  # fmt: skip
def test_errors_in_assignment_yml(folder, old, new, *, key, says, hint):
    with pytest.raises(ConfigError) as caught:
        _assignment(folder, (old, new))
    error = caught.value
    name = "assignments/hw1_sums/assignment.yml"
    assert error.file == folder / name
    assert error.key == key
    assert says in error.message
    assert error.line == (_line_of(folder, name, new) if key else 1)
    assert error.hint == hint


def test_points_may_be_fractions_that_add_up_in_decimal_only(folder):
    loaded = _assignment(folder, ("points: 40", "points: 0.3"), ("public: 10, hidden: 10", "public: 0.1"),
                         ("public: 10, hidden: 10", "public: 0.2"))  # fmt: skip
    assert loaded.spec.points == 0.3
    assert loaded.spec.points != 0.1 + 0.2


def test_an_assignments_limits_lie_over_the_courses(folder):
    loaded = _assignment(folder, ("seeds: [0, 1, 2]", "limits: {memory_mb: 512, threads: 1}"))
    limits = loaded.limits
    assert (limits.memory_mb, limits.threads, limits.call_s, limits.attempt_s) == (512, 1, 30, 900)


def test_stub_names_by_framework(folder):
    loaded = _assignment(folder, ("seeds: [0, 1, 2]", "frameworks: [torch, tensorflow]"))
    assert loaded.stub_names == ("sums_torch.py", "sums_tensorflow.py")


@pytest.mark.parametrize(
    ("asked", "says"), [("hw22", "Did you mean hw2? There are: hw1, hw2."), ("Homework1", "Did you mean hw1?"),
                        ("hw9", "There are: hw1, hw2."),
                        ("quiz", "There are: hw1, hw2.")]
)  # fmt: skip
def test_an_unknown_assignment_offers_the_nearest(folder, asked, says):
    _assignment(folder, ("id: hw1", "id: hw2"), name="hw2_more")
    with pytest.raises(UsageError) as caught:
        load_course(folder).assignment(asked)
    assert repr(asked) in caught.value.message
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(says)


def test_capitals_make_no_other_assignment(folder):
    assert load_course(folder).assignment("HW1").id == "hw1"


def test_an_assignment_that_stands_twice_in_course_yml(folder):
    with pytest.raises(ConfigError, match="hw1"):
        _course(folder, "id: a\ntitle: {en: x}\nassignments: [{id: hw1, weight: 1}, {id: hw1, weight: 2}]\n")


def test_two_folders_of_one_id(folder):
    _assignment(folder, name="hw1_zzz")
    with pytest.raises((ConfigError, UsageError), match="hw1_zzz"):
        load_course(folder).assignment("hw1")


def test_an_id_with_an_underscore_is_refused_for_a_folders_name_is_cut_there(folder):
    write(folder / "assignments" / "hw_9_more" / "assignment.yml", ASSIGNMENT.replace("id: hw1", "id: hw_9"))
    with pytest.raises(ConfigError, match="letters, digits and -; came 'hw_9'"):
        load_course(folder).assignment("hw")


def test_an_assignment_by_itself_has_its_solutions_two_folders_up(folder):
    loaded = load_assignment(folder / "assignments" / "hw1_sums", None)
    assert loaded.solutions == folder / "solutions" / "hw1_sums"
    assert loaded.limits.call_s == 60


# --- what a score was measured with ---------------------------------------------------------------------------------


def _sha(folder):
    return load_course(folder).assignment("hw1").checks_sha256


@pytest.mark.parametrize(
    "name", ["assignment.yml", "tests/test_sums_public.py", "hidden/test_sums_hidden.py", "tests/more/oracle.py"]
)
def test_checks_sha256_changes_with_every_file_that_decides(folder, name):
    before = _sha(folder)
    path = folder / "assignments" / "hw1_sums" / name
    write(path, (path.read_text(encoding="utf-8") if path.exists() else "") + "\n# another word\n")
    assert _sha(folder) != before


def test_checks_sha256_knows_nothing_of_line_ends_stubs_and_handouts(folder):
    before = _sha(folder)
    assignment = folder / "assignments" / "hw1_sums"
    check = assignment / "tests" / "test_sums_public.py"
    check.write_bytes(check.read_bytes().replace(b"\n", b"\r\n"))
    write(assignment / "sums.py", "")
    write(assignment / "README.md", "changed")
    assert _sha(folder) == before


def test_checks_sha256_tells_a_renamed_file(folder):
    before = _sha(folder)
    tests = folder / "assignments" / "hw1_sums" / "tests"
    (tests / "test_sums_public.py").rename(tests / "test_other.py")
    assert _sha(folder) != before
