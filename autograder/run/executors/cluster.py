"""The executor for a Dask cluster: connects, asks every worker what it is, and has attempts made by those of one kind.

Numbers hang on versions, so all attempts of a run are made with the same ones: those that most workers have. They, and
not this machine's, are what the attempts' keys are made of, and what is recorded.
"""

from __future__ import annotations

import logging
import re
import time
import warnings
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from autograder import __version__
from autograder.course import LoadedAssignment
from autograder.errors import UsageError
from autograder.judge.judges import Judges
from autograder.judge.options import AttemptOptions
from autograder.messages import language, text
from autograder.run.executors import Asked, Executor, Notice, Setting
from autograder.run.executors.freight import Kind, Question, decoded, encoded, run_name, shown_name
from autograder.run.keys import environment
from autograder.run.room import Room, room_for


def missing_package(missing: ModuleNotFoundError) -> UsageError:
    """Return the error for an installation without this extra."""
    return UsageError(text("cluster.missing", package=missing.name), hint=text("cluster.missing_hint"))


try:
    import dask
    from distributed import Client
    from distributed.security import Security

    from autograder.run.executors.dispatch import ClusterJudges, Places
    from autograder.run.executors.worker import GPU, describe
except ModuleNotFoundError as missing:  # the class on one machine needs none of this
    raise missing_package(missing) from None

_CONNECT_S = 5.0
_FIRST_WORKER_S = 60.0  # of a cluster that somebody has started; a job's workers are waited for until Ctrl-C
_LOOK_S = 0.5
_ADDRESS = re.compile(r"^((tcp|tls)://)?[^\s/]+:\d+$")


class Member(NamedTuple):
    """A worker, as it was found."""

    name: str
    kind: Kind
    gpus: int


class DaskExecutor(Executor):
    """Attempts by a cluster's workers.

    Args:
        client: of the cluster; a cluster that was started for it ends with it.
        notice: told what the instructor should know.
    """

    _patient = False  # whether to wait for the first worker for as long as it takes

    def __init__(self, client: Client, notice: Notice) -> None:
        self._client, self._notice = client, notice
        self._settled: tuple[LoadedAssignment, Places] | None = None

    def settle(self, assignment: LoadedAssignment, asked: Asked) -> Setting:
        """Ask the workers what they are, and choose the kind that most of them are."""
        self._await_workers()
        question = encoded(_question(assignment, asked))
        members = self._suited(_members(self._client, question))
        kind = members[0].kind
        self._say_what_differs(kind)
        gpus = sum(member.gpus for member in members)
        device = _device(assignment, asked.device, gpus)
        options = AttemptOptions(
            hidden=assignment.has_hidden, full=True, device=device, isolation=asked.isolation, for_class=True
        )
        places = kind.places(run_name(assignment))
        self._settled = assignment, Places(self._client, places, question, self._notice)
        room = sum(member.kind.room for member in members)
        self._notice(text("cluster.workers", workers=len(members), places=room, gpus=gpus))
        return Setting(options, kind.isolation, kind.environment, asked.jobs or room)

    def open(self, at_once: int) -> Judges:  # noqa: ARG002 - Dask keeps what there is no room for yet
        """Bring the assignment to the workers."""
        assert self._settled is not None, "settle comes first"  # noqa: S101
        assignment, places = self._settled
        return ClusterJudges(places, assignment)

    def room(self, assignment: LoadedAssignment, options: AttemptOptions, at_once: int) -> Room:  # noqa: ARG002
        """Return room without an end: each worker has said how much it has, and Dask keeps to that."""
        return Room()

    def close(self) -> None:
        """Leave the cluster; one that was started for this run ends."""
        cluster = self._client.cluster
        self._client.close()
        if cluster is not None:
            cluster.close()

    def _await_workers(self) -> None:
        deadline = time.monotonic() + _FIRST_WORKER_S
        told = False
        while not self._client.scheduler_info()["workers"]:
            if not told:
                self._notice(text("cluster.waiting"))
                told = True
            if time.monotonic() > deadline and not self._patient:
                raise UsageError(text("cluster.no_worker"), hint=text("cluster.no_worker_hint"))
            time.sleep(_LOOK_S)

    def _suited(self, members: list[Member]) -> list[Member]:
        """Return the workers of the kind that most are, having said why the others are left out.

        Raises:
            UsageError: none will do.
        """
        able = [member for member in members if not member.kind.problem]
        for member in members:
            if member.kind.problem:
                self._notice(text("cluster.left_out", worker=_shown(member), why=member.kind.problem))
        if not able:
            kind = members[0].kind
            raise UsageError(text("cluster.none_suited", why=kind.problem), hint=kind.hint or None)
        most, _ = Counter(member.kind.places("") for member in able).most_common(1)[0]
        chosen = [member for member in able if member.kind.places("") == most]
        for member in able:
            if member not in chosen:
                why = _difference(member.kind, chosen[0].kind, text("cluster.the_others"))
                self._notice(text("cluster.left_out", worker=_shown(member), why=why))
        return chosen

    def _say_what_differs(self, kind: Kind) -> None:
        here = Kind(kind.host, environment(), kind.isolation)
        if here.environment != kind.environment:
            self._notice(text("cluster.differs", difference=_difference(kind, here, text("cluster.here"))))


def connected(address: str, notice: Notice) -> Client:
    """Connect to a scheduler that somebody has started.

    Raises:
        UsageError: nobody answers there.
    """
    quiet()
    if not _ADDRESS.match(address):  # a client that never connected leaves a traceback when it is thrown away
        raise _unreachable(address, text("cluster.no_address"))
    # SECURITY: whoever reaches the port of a scheduler that asks for no certificate runs code as its owner, and reads
    # hidden checks and submissions on their way. It can't be told from here who reaches it, but that is to be known.
    if address.startswith("tcp://") and not _is_this_machine(address):
        notice(text("cluster.open_port"))
    if address.startswith("tls://"):
        _require_certificates(address)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            client = Client(address, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:  # nobody there, or no address
            raise _unreachable(address, str(error) or type(error).__name__) from None
    for one in caught:
        if type(one.message).__name__ == "VersionMismatchWarning":
            notice(text("cluster.dask_differs", difference=str(one.message).strip()))
    return client


def _require_certificates(address: str) -> None:
    try:
        found = Security().get_connection_args("client").get("ssl_context")
    except OSError as error:  # no such file, or nothing that is a certificate in it
        raise _unreachable(address, str(error)) from None
    if found is None:
        raise _unreachable(address, text("cluster.no_certificate"))


def _unreachable(address: str, problem: str) -> UsageError:
    return UsageError(
        text("cluster.unreachable", address=address, problem=problem), hint=text("cluster.unreachable_hint")
    )


def configured_address() -> str:
    """Return the scheduler that Dask's own configuration names.

    Raises:
        UsageError: none.
    """
    address = dask.config.get("scheduler-address", None)
    if not address:
        raise UsageError(text("cluster.which"), hint=text("cluster.which_hint"))
    return str(address)


def quiet() -> None:
    """Have Dask's log keep silent: what matters is told in our words, and the rest would tear the progress bar."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    for name in list(logging.Logger.manager.loggerDict):
        if name.startswith("distributed."):
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _is_this_machine(address: str) -> bool:
    host = address.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    return host in {"localhost", "::1"} or host.startswith("127.")


def _question(assignment: LoadedAssignment, asked: Asked) -> Question:
    whole = assignment.spec.dataset if assignment.embedded_data is None else None
    datasets = dict.fromkeys([*([whole.name] if whole else []), *assignment.spec.mounts])
    limits, room = assignment.limits, room_for(assignment, AttemptOptions(device="cpu"), 1)
    return Question(
        isolation=asked.isolation,
        device=asked.device,
        processes=limits.processes,
        threads=limits.threads,
        needed_bytes=room.needed_bytes,
        shared_bytes=room.shared_bytes,
        datasets=tuple(datasets),
        language=language(),
    )


def _members(client: Client, question: bytes) -> list[Member]:
    """Return all workers there are; what one can't say is why it can't be used."""
    answers = client.run(describe, question, on_error="return")
    workers: Mapping[str, Mapping[str, Any]] = client.scheduler_info()["workers"]
    found = []
    for address, answer in sorted(answers.items(), key=lambda pair: pair[0]):
        worker = workers.get(address)
        if worker is not None:  # it may be gone since
            gpus = int(worker["resources"].get(GPU, 0))
            found.append(Member(shown_name(worker["name"]), _kind(answer, worker["host"]), gpus))
    if not found:
        raise UsageError(text("cluster.no_worker"), hint=text("cluster.no_worker_hint"))
    return found


def _kind(answer: bytes | Exception, host: str) -> Kind:
    if isinstance(answer, Exception):
        problem = text("cluster.no_package", problem=f"{type(answer).__name__}: {answer}")
        return Kind(host, {}, problem=problem, hint=text("cluster.no_package_hint", version=__version__))
    kind = decoded(answer, Kind)
    if kind.problem or kind.environment.get("autograder") == __version__:
        return kind
    theirs = kind.environment.get("autograder", "")
    problem = text("cluster.other_version", theirs=theirs, ours=__version__)
    return Kind(kind.host, {}, problem=problem, hint=text("cluster.no_package_hint", version=__version__))


def _difference(kind: Kind, other: Kind, whose: str) -> str:
    """Return what a kind has that another has not, in words."""
    one, two = ({**each.environment, "isolation": each.isolation} for each in (kind, other))
    names = [name for name in sorted({*one, *two}) if one.get(name) != two.get(name)]
    return ", ".join(
        text("cluster.difference", name=name, has=one.get(name, "–"), whose=whose, other=two.get(name, "–"))
        for name in names
    )


def _device(assignment: LoadedAssignment, asked: str, gpus: int) -> str:
    """Return the device of a run: one for the class, or equal work would get unequal numbers.

    Raises:
        UsageError: one is asked for that no worker has.
    """
    if asked == "auto":
        # Without a GPU nothing is decided that was not so on one machine: what is known from there is known here.
        return "cuda" if gpus and assignment.spec.frameworks else "auto"
    if (asked == "cuda" and not gpus) or asked not in {"cpu", "cuda"}:
        raise UsageError(text("cluster.no_gpu", device=asked), hint=text("cluster.no_gpu_hint"))
    return asked


def _shown(member: Member) -> str:
    return f"{member.name} ({member.kind.host})"
