"""`grade run --executor dask` on a real cluster of three worker processes on this machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from sqlalchemy import select

from autograder.course import load_course
from autograder.errors import UsageError
from autograder.gradebook import open_gradebook
from autograder.judge import isolation
from autograder.judge.session import AttemptOptions
from autograder.ledger.models import Attempt
from autograder.roster import Person
from autograder.run.executors import Asked
from autograder.run.executors.chosen import Where, open_executor
from autograder.run.executors.freight import Kind, Question, bundle_of, checked, decoded, encoded, order_for, unpack
from autograder.submission import read_file
from tests.tiny_course import HIDDEN, SOLUTION, environment, make_course, write, wrong_answer

cloudpickle = pytest.importorskip("cloudpickle")
distributed = pytest.importorskip("distributed")

SCORES = {"1": 40.0, "2": 10.0, "3": 27.5, "4": 40.0, "5": 10.0}
# distributed closes its sockets and tasks in a loop that is ending already; of ours nothing is of that kind.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Three workers, each a process that may make one attempt at a time; what is done to one is by this module."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with distributed.LocalCluster(
        n_workers=3, threads_per_worker=2, processes=True, dashboard_address=None, silence_logs=50,
        local_directory=str(tmp_path_factory.mktemp("scratch")),
    ) as made:  # fmt: skip
        yield made


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster, set_as_default=False) as made:
        yield made
        made.restart()  # whatever a test has done to workers


def handed_in(folder: Path, hidden: str = HIDDEN) -> Path:
    """Make a course where five students have handed in."""
    make_course(folder)
    write(folder / "assignments/hw1_sums/hidden/test_sums_hidden.py", hidden)
    answers = [SOLUTION, wrong_answer("minus"), wrong_answer("one_off"), SOLUTION + "\n", wrong_answer("first")]
    for number, content in enumerate(answers, 1):
        write(folder / "in" / f"{number}.py", content)
    with open_gradebook(folder) as book:
        book.apply_roster([Person(number, f"Student {number}") for number in SCORES])
        book.collect("hw1", str(folder / "in"), None, lambda _: None)
    return folder


@pytest.fixture
def course(tmp_path):
    return handed_in(tmp_path / "course")


def start(folder: Path, *arguments: str, **env: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "autograder", "run", "hw1", "--isolation", "process", "--device", "cpu"]
    return subprocess.Popen(
        [*command, *arguments], cwd=folder, env=environment(**env),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True,
    )  # fmt: skip


def run(folder: Path, *arguments: str, **env: str) -> SimpleNamespace:
    running = start(folder, *arguments, **env)
    out, err = running.communicate(timeout=120)
    return SimpleNamespace(code=running.returncode, out=out, err=err)


def on(cluster) -> tuple[str, ...]:
    return ("--executor", "dask", "--scheduler", cluster.scheduler_address)


def recorded(folder: Path) -> dict[str, list[dict[str, object]]]:
    """Return the attempts of each submission, as far as two runs of it are equal."""
    found: dict[str, list[dict[str, object]]] = {}
    with open_gradebook(folder) as book, book.ledger.reading() as session:
        assert book.problems() == []
        for attempt in session.scalars(select(Attempt).order_by(Attempt.id)):
            checks = [(one.check_id, one.status, one.score, [m.result for m in one.metrics]) for one in attempt.checks]
            same = {name: getattr(attempt, name) for name in ("key", "score", "status", "isolation", "device", "host")}
            found.setdefault(attempt.submission.name, []).append({**same, "checks": checks})
    return found


def finals(folder: Path) -> dict[str, float | None]:
    with open_gradebook(folder) as book:
        return {grade.student.id: grade.final for grade in book.grades()["hw1"]}


def checks_on_workers(cluster) -> list[Path]:
    folders = {Path(worker.local_directory) for worker in cluster.workers.values()}
    return [path for folder in folders for path in folder.rglob("test_sums_hidden.py")]


# --- the same grades --------------------------------------------------------------------------------------------------


def test_a_cluster_comes_to_what_this_machine_comes_to(course, cluster, tmp_path):
    came = run(course, *on(cluster))
    assert (came.code, "graded 5" in came.out) == (0, True), came.err
    assert "Workers: 3, with room for 3 attempts" in came.err
    assert finals(course) == SCORES

    alone = handed_in(tmp_path / "alone")
    run(alone)
    assert recorded(course) == recorded(alone)
    # The keys are equal, too: what one has graded the other knows.
    assert "known 5" in run(course, *on(cluster)).out
    assert "known 5" in run(course).out
    assert checks_on_workers(cluster) == []


def test_json_says_which_worker_graded_whom(course, cluster):
    came = run(course, *on(cluster), "--json", "--student", "1")
    (done,) = json.loads(came.out)["done"]
    assert (done["score"], done["worker"] in {"0", "1", "2"}) == (40.0, True)


# --- workers and clients that die -------------------------------------------------------------------------------------

# The first attempt that comes to this check, in its judge, says which processes it hangs on, and stays.
HOLD = """\
import os
import time
import psutil

def _hold():
    try:
        file = os.open({flag!r}, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return
    above = psutil.Process().parents()
    os.write(file, " ".join(str(one.pid) for one in [psutil.Process(), *above]).encode() + b".")
    time.sleep(100)

"""


@pytest.fixture
def held(tmp_path):
    """A course whose first attempt stays in the middle, and the file that says in which processes."""
    flag = tmp_path / "held"
    hidden = HIDDEN.replace("    came = as_number(submission.add", "    _hold()\n    came = as_number(submission.add")
    folder = handed_in(tmp_path / "course", HOLD.format(flag=str(flag)) + hidden)
    return SimpleNamespace(course=folder, flag=flag)


def processes_of(flag: Path, running: subprocess.Popen[str]) -> list[int]:
    """Wait until an attempt is held; return its judge's process, and those above."""
    deadline = time.monotonic() + 60
    while not (flag.exists() and flag.read_text().endswith(".")):
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return [int(pid) for pid in flag.read_text().removesuffix(".").split()]


def gone(pid: int, within_s: float = 30) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_the_attempt_of_a_killed_worker_is_made_by_another_and_nothing_is_recorded_twice(
    held, cluster, client, tmp_path
):
    running = start(held.course, *on(cluster))
    judge, *above = processes_of(held.flag, running)
    (worker,) = set(client.run(os.getpid).values()) & set(above)
    os.kill(worker, signal.SIGKILL)
    out, err = running.communicate(timeout=120)
    assert (running.returncode, "graded 5" in out) == (0, True), err
    assert "is gone; worker" in err
    assert gone(judge)

    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(held.course, undisturbed, ignore=shutil.ignore_patterns("ledger"))
    held.flag.touch()
    with open_gradebook(undisturbed) as book:
        book.apply_roster([Person(number, f"Student {number}") for number in SCORES])
        book.collect("hw1", str(undisturbed / "in"), None, lambda _: None)
    run(undisturbed, *on(cluster))
    assert recorded(held.course) == recorded(undisturbed)
    assert [len(attempts) for attempts in recorded(held.course).values()] == [1] * 5


def test_a_killed_client_goes_on_where_it_was_and_its_checks_go_from_the_workers(held, cluster, client):
    running = start(held.course, *on(cluster))
    judge, *_ = processes_of(held.flag, running)
    (first, *_) = checks_on_workers(cluster)
    (private,) = [parent for parent in first.parents if parent.name.startswith("grade-")]
    assert private.stat().st_mode & 0o777 == 0o700
    running.kill()
    running.communicate()
    came = run(held.course, *on(cluster))
    assert (came.code, finals(held.course)) == (0, SCORES), came.err
    assert [len(attempts) for attempts in recorded(held.course).values()] == [1] * 5
    assert gone(judge)
    assert checks_on_workers(cluster) == []


def test_interrupted_it_ends_what_runs_and_goes_on_later(held, cluster, client):
    running = start(held.course, *on(cluster))
    judge, *_ = processes_of(held.flag, running)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert gone(judge)
    assert checks_on_workers(cluster) == []
    came = run(held.course, *on(cluster))
    assert (came.code, finals(held.course)) == (0, SCORES), came.err


def test_a_scheduler_that_ends_in_the_middle_is_said_and_the_next_run_goes_on(held, cluster):
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"],
        stderr=subprocess.PIPE, encoding="utf-8", env=environment(),
    )  # fmt: skip
    address = next(line.split()[-1] for line in scheduler.stderr if "Scheduler at:" in line)
    worker = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "2", "--no-dashboard"],
        stderr=subprocess.DEVNULL, env=environment(DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="2s"),
    )  # fmt: skip
    running = start(
        held.course, "--executor", "dask", "--scheduler", address, DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="2s"
    )
    judge, *_ = processes_of(held.flag, running)
    scheduler.kill()
    scheduler.communicate()
    _, err = running.communicate(timeout=60)
    worker.terminate()
    worker.wait(60)
    assert (running.returncode, "the scheduler is gone" in err, "Traceback" in err) == (2, True, False), err
    assert gone(judge)
    assert run(held.course, *on(cluster)).code == 0
    assert finals(held.course) == SCORES


# --- what workers are -------------------------------------------------------------------------------------------------


def other_numpy():
    """On a worker: have another numpy, as far as anybody is told."""
    from autograder.run.executors import worker
    from autograder.run.keys import environment as real

    worker.environment = lambda: real() | {"numpy": "0.1"}


def other_grade():
    from autograder.run.executors import worker
    from autograder.run.keys import environment as real

    worker.environment = lambda: real() | {"autograder": "0.1"}


def test_a_worker_with_other_versions_than_the_others_grades_nobody(course, cluster, client):
    address = cluster.workers[1].worker_address
    client.run(other_numpy, workers=[address])
    came = run(course, *on(cluster), "--json")
    assert "Left out: worker 1" in came.err
    assert "numpy is 0.1, on most workers" in came.err
    assert {one["worker"] for one in json.loads(came.out)["done"]} <= {"0", "2"}


def test_what_workers_have_and_not_what_is_here_makes_the_key(course, cluster, client):
    client.run(other_numpy)
    came = run(course, *on(cluster))
    assert "The workers differ from this machine" in came.err
    assert "numpy is 0.1, on this machine" in came.err
    assert "known 5" in run(course, *on(cluster)).out
    # Here it would be another result.
    assert "graded 5" in run(course).out


def test_workers_with_another_grade_are_refused(course, cluster, client):
    client.run(other_grade)
    came = run(course, *on(cluster))
    assert (came.code, "it has autograder 0.1" in came.err, "pip install" in came.err) == (2, True, True)


def question(**changes: object) -> bytes:
    asked = {"isolation": "auto", "device": "cpu", "processes": 0, "threads": 2, "datasets": (), "language": "en"}
    return encoded(Question(**(asked | changes)))


def described(tmp_path, **changes: object) -> Kind:
    from autograder.run.executors.worker import describe

    return decoded(describe(question(**changes), SimpleNamespace(local_directory=str(tmp_path))), Kind)


def test_security_a_worker_without_a_sealed_box_refuses_unless_it_is_told_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(isolation, "probe", lambda **_: SimpleNamespace(best="process", stricter_missing=tuple))
    assert "process" in described(tmp_path).problem
    assert described(tmp_path, isolation="process").isolation == "process"


def test_a_worker_without_the_dataset_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("autograder.datasets.reading.SYSTEM_FOLDERS", ())
    kind = described(tmp_path, datasets=("fashion_mnist",), isolation="process")
    assert "fashion_mnist" in kind.problem
    assert "grade data fetch fashion_mnist" in kind.hint


# --- GPUs -------------------------------------------------------------------------------------------------------------


async def with_gpu(dask_worker):
    await dask_worker.set_resources(GPU=1)


def note_attempts():
    """On a worker: note when an attempt with which device ran, and make none."""
    from autograder.errors import UsageError as Refused
    from autograder.run.executors import worker

    worker.noted = []

    def report(_self, order):
        began = time.monotonic()
        time.sleep(0.2)
        worker.noted.append((order.device, began, time.monotonic()))
        raise Refused("noted")

    worker.Attempts._report = report


def noted():
    from autograder.run.executors import worker

    return worker.noted


def test_a_gpu_makes_one_attempt_at_a_time_and_others_none(course, cluster, client):
    owner = cluster.workers[2].worker_address
    client.run(with_gpu, workers=[owner])
    client.run(note_attempts)
    with_torch = write(course / "in" / "t.py", f'{SOLUTION}\n_WHY = """\nimport torch\n"""\n')
    assignment = load_course(course).assignment("hw1")
    submissions = [read_file(with_torch)] * 4 + [read_file(course / "in" / "1.py")] * 4
    with open_executor(Where("dask", cluster.scheduler_address), course, lambda _: None) as executor:
        setting = executor.settle(assignment, Asked("cuda", "process"))
        assert setting.options.device == "cuda"
        with executor.open(setting.at_once) as judges:
            for pending in [judges.start(assignment, one, setting.options) for one in submissions]:
                with pytest.raises(UsageError, match="noted"):
                    pending.result()
    by_worker = client.run(noted)
    attempts = [one for address, some in by_worker.items() if address != owner for one in some]
    assert {device for device, _, _ in attempts} <= {"cpu"}
    on_gpu = sorted((began, ended) for device, began, ended in by_worker[owner] if device == "cuda")
    assert len(on_gpu) == 4
    assert all(before <= after for (_, before), (after, _) in zip(on_gpu, on_gpu[1:], strict=False))
    assert sum(map(len, by_worker.values())) == 8


def test_a_gpu_that_no_worker_has_is_said(course, cluster):
    came = run(course, *on(cluster), "--device", "cuda")
    assert (came.code, "no worker has a GPU" in came.err, "--resources GPU=1" in came.err) == (2, True, True)


# --- what travels -----------------------------------------------------------------------------------------------------


def test_a_bundle_is_the_assignment_without_its_solutions(course, tmp_path):
    assignment = load_course(course).assignment("hw1")
    bundle = bundle_of(assignment)
    assert not any(name.startswith("solutions") for name in bundle.files)
    there = unpack(bundle, tmp_path / "there")
    assert (there.checks_sha256, there.spec) == (assignment.checks_sha256, assignment.spec)


def test_what_is_not_what_its_hash_says_is_not_used(course, tmp_path):
    assignment = load_course(course).assignment("hw1")
    bundle = bundle_of(assignment)
    one, other = (read_file(course / "in" / f"{number}.py") for number in (1, 2))
    order = order_for(1, bundle.sha256, one, AttemptOptions(), "cpu")
    assert checked(order, bundle) is order
    assert order.options.for_class
    from msgspec.structs import replace

    for wrong in (replace(order, submission=other), replace(order, bundle_sha256="0")):
        with pytest.raises(Exception, match="not what was sent"):
            checked(wrong, bundle)
    for changed in ({"course.yml": b"id: other"}, {"../outside.py": b""}):
        with pytest.raises(Exception, match="not what was sent"):
            unpack(replace(bundle, files=bundle.files | changed), tmp_path / "there")


def test_security_what_a_worker_sends_is_bytes_of_json(course, cluster):
    """A result that Dask would have to unpickle never leaves a worker, whatever an attempt raises."""
    from autograder.run.executors.worker import Attempts

    plugin = Attempts(question(), encoded(bundle_of(load_course(course).assignment("hw1"))), "topic")
    plugin._left, plugin._running, plugin._host, plugin._known = __import__("threading").Condition(), 0, "here", None
    assert type(plugin.attempt(b"no order")) is bytes


# --- what is said -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--scheduler", "tcp://127.0.0.1:1"), "add: --executor dask"),
        (("--executor", "dask"), "no scheduler is named"),
        (("--executor", "dask", "--scheduler", "tcp://127.0.0.1:1"), "no scheduler answers at tcp://127.0.0.1:1"),
        (("--executor", "dask", "--scheduler", "nonsense"), "no host:port"),
        (("--executor", "dask", "--scheduler", "tcp://127.0.0.1:1", "--slurm"), "both can't be"),
        (("--executor", "dask", "--slurm", "--dry-run"), "no slurm job can be made"),
    ],
)
def test_a_cluster_that_is_not_there_is_said_in_seconds(course, arguments, said):
    began = time.monotonic()
    came = run(course, *arguments)
    assert (came.code, said in came.err.lower(), "Traceback" in came.err) == (2, True, False), came.err
    assert time.monotonic() - began < 40


def test_a_slurm_job_is_shown_and_not_submitted(course):
    size = {"DASK_JOBQUEUE__SLURM__CORES": "8", "DASK_JOBQUEUE__SLURM__MEMORY": "16GB"}
    came = run(course, "--executor", "dask", "--slurm", "--dry-run", **size)
    assert came.code == 0, came.err
    script = came.out[came.out.index("#!") :]
    assert "#SBATCH --cpus-per-task=8" in script
    assert "--nthreads 8" in script
    assert "tls://" in script
    assert f"--tls-key {course / 'ledger'}" in script
    assert [path.name for path in (course / "ledger").iterdir() if "dask" in path.name] == []


@pytest.mark.parametrize(("attempts", "threads", "jobs"), [(None, 2, 1), (4, 2, 1), (5, 2, 2), (9, 16, 9)])
def test_jobs_are_as_many_as_the_attempts_need(attempts, threads, jobs):
    import dask

    from autograder.run.executors.slurm import jobs_for

    with dask.config.set({"jobqueue.slurm.cores": 8, "jobqueue.slurm.processes": None}):
        assert jobs_for(attempts, threads) == jobs


def test_without_the_extra_it_says_what_to_install(course):
    code = "import sys; sys.modules['distributed'] = None; from autograder.cli import main; main()"
    came = subprocess.run(
        [sys.executable, "-c", code, "run", "hw1", "--executor", "dask", "--scheduler", "tcp://127.0.0.1:1"],
        cwd=course, env=environment(), capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert (came.returncode, "dl-autograder[class,cluster]" in came.stderr) == (2, True)


def test_a_run_on_this_machine_loads_nothing_of_dask(course):
    code = (
        "import sys\nsys.argv[1:] = ['run', 'hw1', '--isolation', 'process']\nfrom autograder.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'dask', 'distributed', 'tornado'}))"
    )
    came = subprocess.run(
        [sys.executable, "-c", code], cwd=course, env=environment(), capture_output=True, encoding="utf-8", check=False
    )
    assert "graded 5" in came.stdout, came.stderr
    assert came.stdout.splitlines()[-1] == "[]"


