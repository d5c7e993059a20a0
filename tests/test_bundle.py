"""The students' bundle: complete, the same bytes every time, and nothing in it that must stay hidden."""

from __future__ import annotations

import ast
import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from autograder import withheld
from autograder.assignment import Assignment
from autograder.bundle import RELEASED_ASSIGNMENT, RELEASED_COURSE, describe, make_bundle, write_bundle, zipped
from autograder.course import Course, find_course, load_course
from autograder.errors import ConfigError, UsageError
from autograder.release import stubs
from autograder.stub import regions
from tests.tiny_course import (
    ASSIGNMENT,
    COURSE,
    HIDDEN,
    PUBLIC,
    ROOT,
    SOLUTION,
    environment,
    grade,
    make_course,
    write,
    wrong_answer,
)

SUMS = "assignments/hw1_sums/"
OURS = tuple(find_course(ROOT).assignment_folders())
HIDDEN_METRIC = ASSIGNMENT.replace("metrics:\n", "metrics:\n  error_hidden: {better: lower, full: 1, zero: 2}\n")


@pytest.fixture
def course(tmp_path):
    folder = make_course(tmp_path / "course", wrong=True)
    for name in ("README.md", "README.zh.md"):
        write(folder / SUMS / name, "# Sums\n\nAdd two numbers.\n")
    return folder


def bundle(course, *ids):
    return make_bundle(load_course(course.resolve()), ids)


def assignment_yml(made):
    return yaml.safe_load(made.files[f"{SUMS}assignment.yml"])


def unzipped(course, folder, *ids):
    folder.mkdir(parents=True)
    out = folder.parent / "bundle.zip"
    write_bundle(bundle(course, *ids), out, force=False)
    with zipfile.ZipFile(out) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def released(repository):
    """The bundle of this repository's assignments, and the course it is made from."""
    found = find_course(repository)
    return make_bundle(found, ()), found


# --- what is in it --------------------------------------------------------------------------------------------------


def test_the_files_of_a_bundle(course):
    assert list(bundle(course).files) == [
        "START.md", "START.zh.md", f"{SUMS}README.md", f"{SUMS}README.zh.md", f"{SUMS}assignment.yml",
        f"{SUMS}sums.py", f"{SUMS}tests/test_sums_public.py", "course.yml",
    ]  # fmt: skip


def test_only_what_is_listed_is_taken(course):
    listed_as_left_out = {
        "notes.txt", "sums.py~", "sums.py.orig", "tests/answers.json", "tests/Thumbs.db", "mlp.ipynb", "hidden.py"
    }  # fmt: skip
    private = {
        ".env", ".idea/x.xml", "tests/.x.py.swp", "tests/__pycache__/a.pyc", "__pycache__/a.pyc", ".git/config",
        ".grade/attempts/hw1/x.json",
    }  # fmt: skip
    for path in listed_as_left_out | private:
        write(course / SUMS / path, "this must not get out\n")
    made = bundle(course)
    assert len(made.files) == 8
    assert not [name for name, content in made.files.items() if b"must not" in content]
    assert set(made.left_out) == {SUMS + name for name in listed_as_left_out}
    assert any("notes.txt" in line for line in describe(made, Path("x.zip")))


def test_course_yml_has_this_courses_part_and_only_the_assignments_in_the_bundle(course):
    write(course / "assignments/hw2_more/assignment.yml", ASSIGNMENT.replace("id: hw1", "id: hw2"))
    write(course / "course.yml", COURSE.replace(
        "[{id: hw1}]", "[{id: hw1, due: 2026-12-06T23:59, weight: 2}, {id: hw2}]  # hw2 is a secret"
    ) + "timezone: Asia/Shanghai\n")  # fmt: skip
    said = bundle(course, "hw1").files["course.yml"].decode()
    assert "secret" not in said
    assert yaml.safe_load(said) == {
        "id": "tiny",
        "title": {"en": "Tiny course", "zh": "小课程"},
        "timezone": "Asia/Shanghai",
        "limits": {"import_s": 30, "call_s": 30},
        "assignments": [{"id": "hw1", "due": "2026-12-06T23:59:00", "weight": 2}],
    }


def test_every_key_is_released_or_withheld_on_purpose():
    assert set(Course.model_fields) - set(RELEASED_COURSE) == {"mail"}  # the mailbox is the instructor's
    assert set(Assignment.model_fields) <= set(RELEASED_ASSIGNMENT)


def test_assignment_yml_says_nothing_of_hidden_checks(course):
    write(course / SUMS / "assignment.yml", ASSIGNMENT.replace(
        "test_slope: {zh: slope 拟合直线}",
        "test_slope: {zh: slope 拟合直线}  # below zero comes later\n  test_add_negative: {zh: 负数也能加}",
    ).replace("metrics:\n", "metrics:\n  error_hidden: {better: lower, full: 1, zero: 2}\n"))  # fmt: skip
    made = bundle(course)
    said = assignment_yml(made)
    assert list(said["checks"]) == ["test_add", "test_slope"]
    assert list(said["metrics"]) == ["error"]
    assert said["tasks"][0] == {
        "id": "1.1", "title": {"en": "Adding", "zh": "加法"}, "points": {"public": 10, "hidden": 10},
    }  # fmt: skip
    assert made.metrics == ("error_hidden",)
    assert made.hidden_points == 20
    assert "later" not in made.files[f"{SUMS}assignment.yml"].decode()


def test_a_metric_that_public_checks_do_not_name_stays_hidden(course):
    write(course / SUMS / "tests/test_sums_public.py", PUBLIC.replace('"error"', '"err" "or"'))
    assert list(assignment_yml(bundle(course))["metrics"]) == ["error"]  # Python joins them: it is the name
    write(course / SUMS / "tests/test_sums_public.py", PUBLIC.replace('"error"', '"err" + "or"'))
    assert "metrics" not in assignment_yml(bundle(course))


@pytest.mark.parametrize("assignment_id", OURS)
def test_what_is_written_reads_as_what_was_read(released, assignment_id):
    made, course = released
    assignment = course.assignment(assignment_id)
    read = Assignment.model_validate(yaml.safe_load(made.files[f"assignments/{assignment.folder.name}/assignment.yml"]))
    public = withheld.public(assignment)
    assert read == assignment.spec.model_copy(update={
        "checks": {name: said for name, said in assignment.spec.checks.items() if name in public.checks},
        "metrics": {name: said for name, said in assignment.spec.metrics.items() if name in public.texts},
    })  # fmt: skip
    assert read.hidden_points == assignment.spec.hidden_points > 0


def test_due_dates_and_limits_stay_what_they_are(released):
    made, course = released
    read = Course.model_validate(yaml.safe_load(made.files["course.yml"]))
    assert read.limits == course.spec.limits
    assert [read.due(one) for one in OURS] == [course.spec.due(one) for one in OURS]


def test_start_says_what_to_type(course):
    made = bundle(course)
    for name in ("START.md", "START.zh.md"):
        said = made.files[name].decode()
        assert "$" not in said
        for command in ("grade list", "grade start hw1", "grade check hw1", "python -m pip install"):
            assert f"    {command}" in said
    assert "| hw1 | Sums | sums.py | – |" in made.files["START.md"].decode()
    assert "| hw1 | 求和 | sums.py | – |" in made.files["START.zh.md"].decode()


def test_a_title_cannot_break_the_table_of_start(course):
    write(course / SUMS / "assignment.yml", ASSIGNMENT.replace("en: Sums", 'en: "a | b $x"'))
    assert r"| hw1 | a \| b $x | sums.py | – |" in bundle(course).files["START.md"].decode()


# --- the data of an assignment --------------------------------------------------------------------------------------


WITH_DATA = ASSIGNMENT.replace("metrics:", "dataset: {name: fashion-mnist, embedded: points}\nmetrics:")


def test_embedded_data_goes_byte_for_byte_with_its_licence(course):
    write(course / SUMS / "assignment.yml", WITH_DATA)
    folder = course / SUMS / "points"
    for name in ("train-ubyte", "a/b.npz", ".DS_Store", "LICENSE"):
        write(folder / name, "")
        (folder / name).write_bytes(b"MIT\r\n" if name == "LICENSE" else b"\r\n\x00\xff")
    made = bundle(course)
    data = {name.removeprefix(f"{SUMS}points/"): said for name, said in made.files.items() if "points/" in name}
    assert data == {"train-ubyte": b"\r\n\x00\xff", "a/b.npz": b"\r\n\x00\xff", "LICENSE": b"MIT\n"}
    assert assignment_yml(made)["dataset"] == {"name": "fashion-mnist", "embedded": "points"}
    assert made.left_out == ()


@pytest.mark.parametrize("there", [True, False])
def test_embedded_data_without_a_licence_is_refused(course, there):
    write(course / SUMS / "assignment.yml", WITH_DATA)
    if there:
        write(course / SUMS / "points/train.npz", "x")
    with pytest.raises(ConfigError, match="licence"):
        bundle(course)


@pytest.mark.parametrize("name", ["hidden", "wrong"])
def test_security_a_hidden_folder_can_not_go_out_as_data(course, name):
    write(course / SUMS / "assignment.yml", WITH_DATA.replace("points}", f"{name}}}"))
    write(course / SUMS / name / "LICENSE", "MIT")
    with pytest.raises(ConfigError, match="never released"):
        bundle(course)


# --- the same bytes -------------------------------------------------------------------------------------------------


def test_the_same_course_elsewhere_gives_the_same_bytes(course, tmp_path):
    first = zipped(bundle(course).files)
    copy = tmp_path / "elsewhere" / "another name"
    shutil.copytree(course, copy)
    for path in copy.rglob("*"):
        os.utime(path, (0, 0))
        path.chmod(0o700)
    for path in copy.glob(f"{SUMS}**/*.*"):
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert zipped(bundle(copy).files) == first


def test_another_process_umask_language_and_zone_give_the_same_bytes(course, tmp_path):
    outs = []
    for number, (umask, env) in enumerate(
        [(0o022, {}), (0o077, {"LANG": "zh_CN.UTF-8", "TZ": "Asia/Shanghai", "PYTHONHASHSEED": "7", "PYTHONUTF8": "0"})]
    ):
        out = tmp_path / f"{number}.zip"
        subprocess.run(
            [sys.executable, "-m", "autograder", "release", "hw1", "--out", str(out)],
            cwd=[course, course / "assignments"][number], env=environment(**env), umask=umask, check=True,
            capture_output=True, timeout=60,
        )  # fmt: skip
        outs.append(out.read_bytes())
    assert outs[0] == outs[1]


def test_names_are_sorted_times_and_modes_fixed_nothing_compressed(course):
    with zipfile.ZipFile(io.BytesIO(zipped(dict(reversed(bundle(course).files.items()))))) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {(entry.date_time, entry.external_attr, entry.create_system, entry.compress_type) for entry in entries} == {
        ((1980, 1, 1, 0, 0, 0), 0o100644 << 16, 3, zipfile.ZIP_STORED)
    }


def test_no_text_has_the_line_ends_of_windows(released):
    assert not [name for name, content in released[0].files.items() if b"\r" in content and b"\0" not in content]


# --- nothing gets out -----------------------------------------------------------------------------------------------


def secret_files(course, assignment_id):
    assignment = course.assignment(assignment_id)
    found = [*assignment.hidden.rglob("*"), *assignment.solutions.rglob("*")]
    return [path for path in found if path.is_file() and path.suffix != ".pyc"]


@pytest.mark.parametrize("assignment_id", OURS)
def test_security_no_hidden_file_solution_or_wrong_answer_is_in_this_repositorys_bundle(released, assignment_id):
    """Read here independently of withheld.py: by bytes, and in the zip file itself."""
    made, course = released
    archive = zipped(made.files)
    secrets = secret_files(course, assignment_id)
    assert len(secrets) > 10
    assert [path for path in secrets if path.read_bytes().strip() in archive] == []
    names = {Path(name).name for name in made.files if name.endswith(".py")}
    assert {path.name for path in secrets} & names == set(course.assignment(assignment_id).stub_names)


@pytest.mark.parametrize("assignment_id", OURS)
def test_security_no_hidden_check_or_metric_is_named_in_it(released, assignment_id):
    made, course = released
    archive = zipped(made.files).decode(errors="replace")
    assignment = course.assignment(assignment_id)
    source = "\n".join(path.read_text(encoding="utf-8") for path in assignment.hidden.glob("*.py"))
    public = "\n".join(path.read_text(encoding="utf-8") for path in assignment.tests.glob("*.py"))
    names = [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    checks = [name for name in names if name.startswith("test_")]
    assert checks
    assert [name for name in checks if name in archive] == []
    metrics = [name for name in assignment.spec.metrics if f'"{name}"' not in public]
    assert [name for name in metrics if name in archive] == []


@pytest.mark.parametrize("assignment_id", OURS)
def test_security_no_line_of_a_hidden_check_is_in_it_that_is_not_in_a_public_one(released, assignment_id):
    made, course = released
    assignment = course.assignment(assignment_id)
    text = "\n".join(content.decode(errors="replace") for content in made.files.values())
    tests = [path for folder in course.assignment_folders().values() for path in folder.glob("tests/*.py")]
    public = "\n".join(path.read_text(encoding="utf-8") for path in tests)
    lines = {line.strip() for path in assignment.hidden.glob("*.py") for line in path.read_text("utf-8").splitlines()}
    secret = [line for line in lines if len(line) >= 20 and line not in public and not line.startswith("from ")]
    assert len(secret) > 10
    assert [line for line in secret if line in text] == []


# Lines of the solutions that the hints of public checks give on purpose.
IN_HINTS = {"self.activator = activator", "torch.manual_seed(seed)", "keras.utils.set_random_seed(seed)"}


@pytest.mark.parametrize("assignment_id", OURS)
def test_security_no_line_of_a_solutions_region_is_in_it_but_those_in_hints(released, assignment_id):
    made, course = released
    assignment = course.assignment(assignment_id)
    text = "\n".join(content.decode(errors="replace") for content in made.files.values())
    inside = {
        line.strip()
        for name in assignment.stub_names
        for region in regions((assignment.solutions / name).read_text(encoding="utf-8"))
        for _, line in region
    }
    secret = {line for line in inside if len(line) >= 20}
    assert len(secret) > 5
    assert {line for line in secret if line in text} <= IN_HINTS


def test_the_stubs_in_it_are_made_from_the_solutions(released):
    made, course = released
    for one in OURS:
        assignment = course.assignment(one)
        for path, wanted in stubs(assignment).items():
            assert made.files[f"assignments/{assignment.folder.name}/{path.name}"].decode() == wanted


HIDDEN_LINES = """\
    came = as_number(submission.add(-20, 3), what="add")
    expect(came == -17, expected="-17", came=f"{came:g}")
"""
EXPECTATION = """\
why: {en: crash}
fails: [test_slope]
may_fail: [test_slope, test_slope_negative, test_add_negative]
score: [0, 30]
run: all
"""
SENTENCE = "It is checked that slope fits a falling line."
REGION = "    return sum(x * y for x, y in zip(xs, ys)) / sum(x * x for x in xs)"
LEAKS = {
    "a hidden check's line in the handout": ("README.md", HIDDEN_LINES, "hidden/test_sums_hidden.py:10"),
    "a hidden check's sentence": ("README.md", SENTENCE, "hidden/test_sums_hidden.py:15"),
    "a hidden check's name": ("README.zh.md", "test_add_negative 检查负数。", "names test_add_negative"),
    "a solution's line": ("README.md", REGION, "solutions/hw1_sums/sums.py:14"),
    "a whole hidden file": ("tests/test_more.py", HIDDEN, "hidden/test_sums_hidden.py"),
    "a whole solution": ("tests/reference.py", SOLUTION, "solutions/hw1_sums/sums.py"),
    "a wrong answer": ("tests/reference.py", wrong_answer("minus"), "solutions/hw1_sums/wrong/minus/sums.py"),
    "a wrong answer's expect.yml": ("README.md", EXPECTATION, "wrong/crash/expect.yml"),
}


@pytest.mark.parametrize(("file", "content", "says"), LEAKS.values(), ids=LEAKS)
def test_security_a_leak_stops_the_release(course, file, content, says):
    write(course / SUMS / file, content if file.endswith(".py") else f"# Sums\n\n{content}\n")
    with pytest.raises(ConfigError) as caught:
        bundle(course)
    assert f"{SUMS}{file}" in caught.value.message
    assert says in caught.value.message


def test_security_a_leak_of_windows_line_ends_stops_the_release(course):
    hidden = course / SUMS / "hidden/test_sums_hidden.py"
    hidden.write_bytes(hidden.read_bytes().replace(b"\n", b"\r\n"))
    write(course / SUMS / "tests/more.py", HIDDEN)
    with pytest.raises(ConfigError, match="hidden/test_sums_hidden"):
        bundle(course)


def test_security_the_handout_of_one_assignment_cannot_give_away_another(course):
    other = "assignments/hw2_more/"
    shutil.copytree(course / SUMS, course / other)
    shutil.copytree(course / "solutions/hw1_sums", course / "solutions/hw2_more")
    write(course / other / "assignment.yml", ASSIGNMENT.replace("id: hw1", "id: hw2"))
    write(course / other / "hidden/test_other.py", "PASSWORD = 'a line that nobody may see'\n")
    write(course / SUMS / "README.md", "PASSWORD = 'a line that nobody may see'\n")
    with pytest.raises(ConfigError, match="hw2_more/hidden/test_other"):
        bundle(course, "hw1")


def test_security_a_hidden_metric_named_in_a_handout_stops_the_release(course):
    write(course / SUMS / "assignment.yml", HIDDEN_METRIC)
    write(course / SUMS / "README.md", "Mind the `error_hidden`.\n")
    with pytest.raises(ConfigError, match="error_hidden"):
        bundle(course)


def test_a_metric_that_is_a_plain_word_may_stand_in_a_handout(course):
    write(course / SUMS / "assignment.yml", HIDDEN_METRIC.replace("error_hidden", "accuracy"))
    write(course / SUMS / "README.md", "Mind the accuracy.\n")
    assert bundle(course).metrics == ("accuracy",)


def test_one_line_of_a_longer_region_may_stand_in_a_handout_two_may_not(course):
    longer = SOLUTION.replace("    return a + b\n", "    first_of_the_two = a + b\n    return first_of_the_two + 0\n")
    write(course / "solutions/hw1_sums/sums.py", longer)
    grade("release", "hw1", "--write", cwd=course)
    write(course / SUMS / "README.md", "Try this:\n\n    first_of_the_two = a + b\n")
    bundle(course)
    write(course / SUMS / "README.md", "Try:\n\n    first_of_the_two = a + b\n\n    return first_of_the_two + 0\n")
    with pytest.raises(ConfigError, match=r"solutions/hw1_sums/sums\.py:7"):
        bundle(course)


@pytest.mark.parametrize(
    "name",
    ["hidden/test_x.py", "assignments/hw1_sums/hidden/x", "solutions/x.py", "assignments/hw1_sums/.grade/x",
     "assignments/hw1_sums/tests/__pycache__/x", "assignments/hw1_sums/x.pyc", "/etc/passwd", "../x",
     "assignments/hw1_sums/wrong/x.py", ".git/config"],
)  # fmt: skip
def test_security_such_names_are_never_released(course, name):
    assignment = load_course(course).assignment("hw1")
    assert withheld.find_leaks({name: b"harmless"}, [assignment], [assignment]) != []


def test_security_a_stale_or_solved_stub_is_refused(course):
    write(course / SUMS / "sums.py", SOLUTION)
    with pytest.raises(ConfigError, match="grade release --write"):
        bundle(course)


LINKS = ("README.md", "tests/test_sums_public.py", "tests", "extra.txt", "hidden/x.py", "tests/more")


@pytest.mark.parametrize("name", LINKS)
def test_security_a_link_is_refused(course, name):
    path = course / SUMS / name
    if path.exists():
        path.rename(course / "moved")
    path.symlink_to(course / "moved" if (course / "moved").exists() else course / "solutions")
    with pytest.raises(ConfigError, match="bundles take no links") as caught:
        bundle(course)
    assert caught.value.file.name == path.name


def test_security_an_assignment_that_is_a_link_is_refused(course):
    (course / SUMS).rename(course / "elsewhere")
    (course / SUMS.rstrip("/")).symlink_to(course / "elsewhere")
    with pytest.raises(ConfigError, match="bundles take no links"):
        bundle(course)


def test_checks_that_are_not_python_are_said(course):
    write(course / SUMS / "hidden/broken.py", "def (\n")
    with pytest.raises(ConfigError, match=r"broken\.py: the file is not Python"):
        bundle(course)


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command_says_what_went_in_and_what_stayed(course, tmp_path):
    result = grade("release", "hw1", "--out", tmp_path / "hw1.zip", cwd=course)
    assert (result.returncode, result.stderr) == (0, b"")
    lines = result.stdout.decode().splitlines()
    assert re.fullmatch(r".*hw1\.zip: 8 files, \d+ kB", lines[0])
    assert lines[1] == "withheld: hidden checks worth 20 points; metrics: –"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["hw1"], "--write, --check and --out"),
        (["hw1", "--write", "--out", "x.zip"], "--write, --check and --out"),
        (["--out", "x.zip"], "--all"),
        (["hw1", "--all", "--out", "x.zip"], "--all"),
        (["hw9", "--out", "x.zip"], "no assignment 'hw9'"),
        (["hw1", "--out", "."], "it is a folder"),
        (["hw1", "--out", "nowhere/x.zip"], "its folder does not exist"),
    ],
)
def test_what_cannot_be_carried_out(course, arguments, says):
    result = grade("release", *arguments, cwd=course)
    assert result.returncode == 2
    assert says in result.stderr.decode()
    assert not (course / "x.zip").exists()


def test_a_file_that_is_no_bundle_is_overwritten_by_force_only(course):
    out = write(course / "x.zip", "my thesis\n")
    refused = grade("release", "hw1", "--out", out, cwd=course)
    assert (refused.returncode, out.read_text(encoding="utf-8")) == (2, "my thesis\n")
    assert b"--force" in refused.stderr
    assert grade("release", "hw1", "--out", out, "--force", cwd=course).returncode == 0
    assert grade("release", "--all", "--out", out, cwd=course).returncode == 0  # a bundle by now


def test_another_zip_file_is_no_bundle(course):
    with zipfile.ZipFile(course / "x.zip", "w") as archive:
        archive.writestr("thesis.md", "mine")
    with pytest.raises(UsageError, match="is not a bundle"):
        write_bundle(bundle(course), course / "x.zip", force=False)


# --- it works by itself ---------------------------------------------------------------------------------------------


def test_unzipped_anywhere_a_student_can_list_start_and_check(course, tmp_path):
    folder = unzipped(course, tmp_path / "学生 1" / "my course")
    listed = grade("list", cwd=folder)
    assert (listed.returncode, b"Sums" in listed.stdout) == (0, True)
    assert grade("start", "hw1", cwd=folder).returncode == 0
    stub = grade("check", "hw1", cwd=folder)
    assert stub.returncode == 1
    assert "not implemented yet" in stub.stdout.decode()
    write(folder / "hw1/sums.py", SOLUTION)
    solved = grade("check", "hw1", cwd=folder)
    assert (solved.returncode, solved.stderr) == (0, b"")
    said = solved.stdout.decode()
    assert "Score 20 / 20  passed" in said
    assert "Not checked here: hidden checks, 20 points." in said
    assert "20/20" in grade("list", cwd=folder).stdout.decode()


def test_in_a_bundle_there_is_nothing_for_instructors(course, tmp_path):
    folder = unzipped(course, tmp_path / "student")
    write(folder / "sums.py", SOLUTION)
    assert b"no hidden checks" in grade("check", "hw1", "sums.py", "--hidden", cwd=folder).stderr
    again = grade("release", "hw1", "--out", "again.zip", cwd=folder)
    assert again.returncode == 2
    assert b"Traceback" not in again.stderr


@pytest.mark.parametrize("assignment_id", OURS)
def test_this_repositorys_bundle_starts_and_checks(released, tmp_path, assignment_id):
    with zipfile.ZipFile(io.BytesIO(zipped(released[0].files))) as archive:
        archive.extractall(tmp_path)
    assignment = load_course(tmp_path).assignment(assignment_id)
    choice = ["--framework", "torch"] if assignment.spec.frameworks else []
    assert grade("start", assignment_id, *choice, cwd=tmp_path).returncode == 0
    assert (tmp_path / assignment_id / assignment.spec.entry.file).is_file()


def test_this_repositorys_bundle_grades_hw1(released, repository, tmp_path):
    with zipfile.ZipFile(io.BytesIO(zipped(released[0].files))) as archive:
        archive.extractall(tmp_path)
    result = grade("check", "hw1", repository / "solutions/hw1_perceptron/perceptron.py", cwd=tmp_path)
    assert result.returncode == 0
    assert "Score 66 / 66" in result.stdout.decode()
    assert "hidden checks, 34 points" in result.stdout.decode()
