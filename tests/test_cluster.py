"""`grade run --executor dask` on a real cluster of three worker processes on this machine."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from sqlalchemy import select

from autograder.course import load_course
from autograder.errors import InternalError, UsageError
from autograder.gradebook import open_gradebook
from autograder.judge import isolation
from autograder.judge.judges import JudgeDied
from autograder.judge.options import AttemptOptions
from autograder.ledger.models import Attempt
from autograder.roster import Person
from autograder.run.executors import Asked
from autograder.run.executors.chosen import Where, open_executor
from autograder.run.executors.freight import Kind, Question, bundle_of, checked, decoded, encoded, order_for, unpack
from autograder.run.grading import Tell
from autograder.run.planning import Chosen
from autograder.submission import read_file
from tests.cluster_page import PAGE, made_anew
from tests.tiny_course import HIDDEN, SOLUTION, environment, make_course, write, wrong_answer

cloudpickle = pytest.importorskip("cloudpickle")
distributed = pytest.importorskip("distributed")

SCORES = {"1": 40.0, "2": 10.0, "3": 27.5, "4": 40.0, "5": 10.0}
GB = 1 << 30
HERE, ON_CPU = Where(), Asked("cpu", "process")
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
        n_workers=3, threads_per_worker=2, processes=True, dashboard_address=":0", silence_logs=50,
        local_directory=str(tmp_path_factory.mktemp("scratch")),
    ) as made:  # fmt: skip
        yield made


@pytest.fixture
def client(cluster):
    """A client for what a test does to workers; they are again what they were, afterwards."""
    with distributed.Client(cluster, set_as_default=False) as made:
        made.wait_for_workers(3)  # one may have been killed
        yield made
        made.run(as_it_was)


async def as_it_was(dask_worker):
    from autograder.run import keys
    from autograder.run.executors import worker

    worker.environment = keys.environment
    worker.Attempts._report = getattr(worker, "real_report", worker.Attempts._report)
    await dask_worker.set_resources(GPU=0)


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


def on(cluster) -> Where:
    return Where("dask", cluster.scheduler_address)


class Said(Tell):
    """What a run tells: its notices, and who graded whom."""

    def __init__(self) -> None:
        self.notices, self.done_by, self.workers = "", {}, {}

    def notice(self, said: str) -> None:
        self.notices += f"{said}\n"

    def done(self, done):
        self.done_by[done.work.students[0]] = done.ended
        self.workers[done.work.students[0]] = done.where


def run(folder: Path, where: Where = HERE, asked: Asked = ON_CPU) -> Said:
    """Run as the command does, in this process."""
    said = Said()
    with open_gradebook(folder) as book, open_executor(where, folder, said.notice) as executor:
        assignment = book.course.assignment("hw1")
        options, isolation, versions, at_once = executor.settle(assignment, asked)
        works = book.plan(assignment, Chosen(), options, isolation, versions)
        book.run(assignment, works, options, at_once, said, executor=executor)
    return said


def start(folder: Path, where: Where, **env: str) -> subprocess.Popen[str]:
    """Start the command itself."""
    command = [sys.executable, "-m", "autograder", "run", "hw1", "--isolation", "process", "--device", "cpu"]
    return subprocess.Popen(
        [*command, "--executor", "dask", "--scheduler", where.scheduler], cwd=folder, env=environment(**env),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True,
    )  # fmt: skip


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
    came = run(course, on(cluster))
    assert came.done_by == dict.fromkeys(SCORES, "graded")
    assert set(came.workers.values()) <= {"0", "1", "2"}
    assert "Workers: 3, with room for 3 attempts" in came.notices
    assert finals(course) == SCORES
    assert checks_on_workers(cluster) == []

    alone = handed_in(tmp_path / "alone")
    run(alone)
    assert recorded(course) == recorded(alone)
    # The keys are equal, too: what one has graded the other knows.
    for where in (on(cluster), Where()):
        assert run(course, where).done_by == dict.fromkeys(SCORES, "known")


@pytest.mark.ci
def test_the_page_says_what_the_commands_print(cluster, tmp_path):
    assert made_anew(tmp_path, cluster.scheduler_address) == PAGE.read_text("utf-8")


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


@pytest.mark.ci
def test_the_attempt_of_a_killed_worker_is_made_by_another_and_nothing_is_recorded_twice(
    held, cluster, client, tmp_path
):
    running = start(held.course, on(cluster))
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
    run(undisturbed)
    assert recorded(held.course) == recorded(undisturbed)
    assert [len(attempts) for attempts in recorded(held.course).values()] == [1] * 5


@pytest.mark.ci
def test_a_killed_client_goes_on_where_it_was_and_its_checks_go_from_the_workers(held, cluster):
    running = start(held.course, on(cluster))
    judge, *_ = processes_of(held.flag, running)
    (first, *_) = checks_on_workers(cluster)
    (private,) = [parent for parent in first.parents if parent.name.startswith("grade-")]
    assert private.stat().st_mode & 0o777 == 0o700
    running.kill()
    running.communicate()
    run(held.course, on(cluster))
    assert finals(held.course) == SCORES
    assert [len(attempts) for attempts in recorded(held.course).values()] == [1] * 5
    assert gone(judge)
    assert checks_on_workers(cluster) == []


def test_interrupted_it_ends_what_runs_and_goes_on_later(held, cluster):
    running = start(held.course, on(cluster))
    judge, *_ = processes_of(held.flag, running)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert gone(judge)
    assert checks_on_workers(cluster) == []
    run(held.course, on(cluster))
    assert finals(held.course) == SCORES


@pytest.mark.ci
def test_a_scheduler_that_ends_in_the_middle_is_said_and_the_next_run_goes_on(held):
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
         "--dashboard-address", ":0"],
        stderr=subprocess.PIPE, encoding="utf-8", env=environment(),
    )  # fmt: skip
    address = next(line.split()[-1] for line in scheduler.stderr if "Scheduler at:" in line)
    worker = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "2", "--no-dashboard"],
        stderr=subprocess.DEVNULL, env=environment(DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="5s"),
    )  # fmt: skip
    running = start(held.course, Where("dask", address), DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="5s")
    judge, *_ = processes_of(held.flag, running)
    scheduler.kill()
    scheduler.communicate()
    _, err = running.communicate(timeout=120)
    worker.terminate()
    worker.wait(60)
    assert (running.returncode, "the scheduler is gone" in err, "Traceback" in err) == (2, True, False), err
    assert gone(judge)
    run(held.course)
    assert finals(held.course) == SCORES


class Killing:
    """What Dask keeps of a task that killed every worker it was given to."""

    def result(self):
        raise distributed.KilledWorker("task", SimpleNamespace(name="tls://10.0.0.7:3111", address=""), 3)


class Foreign:
    def result(self):
        return b"\x80\x04}\x94."  # a pickle, of all things


def test_an_attempt_that_kills_its_workers_is_our_fault_and_can_be_tried_again():
    from autograder.run.executors.dispatch import ClusterPending

    with pytest.raises(JudgeDied, match=r"10\.0\.0\.7:3111"):
        ClusterPending(Killing(), 1, "mlp.py").result()
    with pytest.raises(InternalError, match="not what was sent"):
        ClusterPending(Foreign(), 1, "mlp.py").result()


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
    client.run(other_numpy, workers=[cluster.workers[1].worker_address])
    came = run(course, on(cluster))
    assert "Left out: worker 1" in came.notices
    assert "numpy is 0.1, on most workers" in came.notices
    assert set(came.workers.values()) <= {"0", "2"}


def test_what_workers_have_and_not_what_is_here_makes_the_key(course, cluster, client):
    client.run(other_numpy)
    came = run(course, on(cluster))
    assert "The workers differ from this machine" in came.notices
    assert "numpy is 0.1, on this machine" in came.notices
    assert set(run(course, on(cluster)).done_by.values()) == {"known"}
    # Here it would be another result.
    assert set(run(course).done_by.values()) == {"graded"}


def test_workers_with_another_grade_are_refused(course, cluster, client):
    client.run(other_grade)
    with pytest.raises(UsageError, match=r"it has autograder 0\.1") as refused:
        run(course, on(cluster))
    assert "pip install" in refused.value.hint


def question(**changes: object) -> bytes:
    asked = {"isolation": "auto", "device": "cpu", "processes": 0, "threads": 2, "needed_bytes": GB, "shared_bytes": GB}
    return encoded(Question(**(asked | {"datasets": (), "language": "en"} | changes)))


def described(tmp_path, **changes: object) -> Kind:
    from autograder.run.executors.worker import describe

    dask_worker = SimpleNamespace(
        local_directory=str(tmp_path),
        state=SimpleNamespace(nthreads=16),
        memory_manager=SimpleNamespace(memory_limit=5 * GB),
    )
    return decoded(describe(question(**changes), dask_worker), Kind)


@pytest.mark.parametrize(
    ("changes", "room"),
    [
        ({"threads": 8}, 2),
        ({"threads": 32}, 1),
        ({"threads": 1, "needed_bytes": GB // 2}, 8),
        ({"needed_bytes": 9 * GB}, 1),
    ],
)
def test_a_worker_has_room_by_its_cores_and_by_its_memory(tmp_path, monkeypatch, changes, room):
    monkeypatch.setattr("autograder.run.executors.worker.available_bytes", lambda: 100 * GB)
    assert described(tmp_path, isolation="process", **changes).room == room


def test_security_a_worker_without_a_sealed_box_refuses_unless_it_is_told_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(isolation, "probe", lambda **_: SimpleNamespace(best="process", stricter_missing=tuple))
    assert "process" in described(tmp_path).problem
    assert described(tmp_path, isolation="process").isolation == "process"


def test_a_worker_without_the_dataset_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("autograder.datasets.reading.SYSTEM_FOLDERS", ())
    kind = described(tmp_path, datasets=("fashion-mnist",), isolation="process")
    assert "fashion-mnist" in kind.problem
    assert "grade data fetch fashion-mnist" in kind.hint


# --- GPUs -------------------------------------------------------------------------------------------------------------


async def with_gpu(dask_worker):
    await dask_worker.set_resources(GPU=1)


def note_attempts():
    """On a worker: note when an attempt with which device ran, and make none."""
    from autograder.errors import UsageError as Refused
    from autograder.run.executors import worker

    worker.noted, worker.real_report = [], worker.Attempts._report

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
    with open_executor(on(cluster), course, lambda _: None) as executor:
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
    assert all(before <= after for (_, before), (after, _) in itertools.pairwise(on_gpu))
    assert sum(map(len, by_worker.values())) == 8


def test_a_gpu_that_no_worker_has_is_said(course, cluster):
    with pytest.raises(UsageError, match="no worker has a GPU") as refused:
        run(course, on(cluster), Asked("cuda", "process"))
    assert "--resources GPU=1" in refused.value.hint


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

    plugin = Attempts("run", question(), encoded(bundle_of(load_course(course).assignment("hw1"))), "topic")
    plugin._left, plugin._running, plugin._host, plugin._known = threading.Condition(), 0, "here", None
    assert type(plugin.attempt(b"no order")) is bytes


# --- what is said -----------------------------------------------------------------------------------------------------


def test_a_scheduler_that_is_not_there_is_said_in_seconds(course):
    running = start(course, Where("dask", "tcp://127.0.0.1:1"))
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (2, "")
    first, second = err.splitlines()
    assert first.startswith("Error: no scheduler answers at tcp://127.0.0.1:1")
    assert "dask scheduler" in second


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (Where(scheduler="tcp://127.0.0.1:1"), "for a Dask cluster"),
        (Where(slurm=True), "for a Dask cluster"),
        (Where("dask"), "No scheduler is named"),
        (Where("dask", "nonsense"), "this is no HOST:PORT"),
        (Where("dask", "tls://127.0.0.1:1"), "names no certificates"),
        (Where("dask", "tcp://127.0.0.1:1", slurm=True), "Both can't be"),
        (Where("dask", slurm=True), "no Slurm job can be made"),
    ],
)
def test_a_cluster_that_is_not_named_is_asked_for(tmp_path, where, said):
    with pytest.raises(UsageError, match=said):
        open_executor(where, tmp_path, lambda _: None)


def test_security_a_port_that_is_open_to_others_is_warned_of(monkeypatch):
    from autograder.run.executors import cluster as executor

    monkeypatch.setattr(executor, "_CONNECT_S", 0.1)
    notices: list[str] = []
    with pytest.raises(UsageError, match="no scheduler answers"):
        executor.connected("tcp://no-such-host.invalid:8786", notices.append)
    assert "asks for no certificate" in notices[0]


def test_security_a_slurm_job_has_certificates_and_is_only_shown(tmp_path):
    import dask

    from autograder.run.executors.slurm import job_script

    with dask.config.set({"jobqueue.slurm.cores": 8, "jobqueue.slurm.memory": "16GB"}):
        script = job_script(tmp_path)
    assert "#SBATCH --cpus-per-task=8" in script
    assert "--nthreads 8" in script
    assert "distributed.cli.dask_worker tls://" in script
    assert f"--tls-key {tmp_path}" in script
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("attempts", "threads", "jobs"), [(None, 2, 1), (4, 2, 1), (5, 2, 2), (9, 16, 9)])
def test_jobs_are_as_many_as_the_attempts_need(attempts, threads, jobs):
    import dask

    from autograder.run.executors.slurm import jobs_for

    with dask.config.set({"jobqueue.slurm.cores": 8, "jobqueue.slurm.processes": None}):
        assert jobs_for(attempts, threads) == jobs


def typed(code: str) -> str:
    command = [sys.executable, "-c", f"import sys\nfrom pathlib import Path\n{code}"]
    return subprocess.run(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False
    ).stdout


def test_without_the_extra_it_says_what_to_install():
    said = typed(
        "sys.modules['distributed'] = None\nfrom autograder.run.executors.chosen import Where, open_executor\n"
        "try:\n    open_executor(Where('dask', 'tcp://127.0.0.1:1'), Path(), print)\n"
        "except Exception as error:\n    print(type(error).__name__, error.hint)"
    )
    assert said.startswith("UsageError")
    assert "dl-autograder[class,cluster]" in said


def test_a_run_on_this_machine_loads_nothing_of_dask():
    said = typed(
        "import autograder.cli.instructor, autograder.gradebook\n"
        "from autograder.run.executors.chosen import Where, open_executor\n"
        "assert open_executor(Where(), Path(), print).open(1)\n"
        "print({name.split('.')[0] for name in sys.modules} & {'dask', 'distributed', 'tornado'})"
    )
    assert said == "set()\n"
