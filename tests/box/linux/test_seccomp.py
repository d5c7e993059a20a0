"""The filter decides as the policy says: each rule by an interpreter of the program, then some for real in a fork."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.box.linux import numbers
from autograder.box.linux.forks import forks
from autograder.box.linux.policy import (
    ALLOWED,
    REFUSED,
    TOLD,
    Allow,
    Bits,
    Commands,
    Every,
    IsNull,
    OneOf,
    Profile,
    Refuse,
    Rule,
    SomeNotDone,
    for_zygote,
    rules,
)
from autograder.box.linux.refusals import Refusal
from autograder.box.linux.seccomp import (
    ALLOW,
    AND,
    ERRNO,
    IF_ANY_BIT,
    IF_AT_LEAST,
    IF_EQUAL,
    KILL_PROCESS,
    LOAD,
    RETURN,
    USER_NOTIF,
    Program,
    program,
    program_of,
    told_errors,
)

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = sorted(ARCHITECTURES)
I386 = 0x40000003
PROFILES = [
    Profile(),
    Profile(processes=True),
    Profile(only_signals_to=42, metadata=False),
    Profile(told=True),
    Profile(processes=True, told=True),
    Profile(processes=True, told=True, counted=True),
    Profile(gpu=True),
]
NEW_USER, NEW_TIME, THREAD = 0x10000000, 0x80, 0x10000 | 0x400  # with the same descriptors
THREAD_FLAGS = 0x3D0F00  # what libc starts a thread with


def answer(instructions: Program, number: int, architecture: int, arguments: tuple[int, ...] = ()) -> int:
    """Run a program as the kernel does, and return what it answers."""
    data = number.to_bytes(4, "little") + architecture.to_bytes(4, "little") + bytes(8)
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data += b"".join((argument % (1 << 64)).to_bytes(8, "little") for argument in padded)
    accumulator = at = 0
    while True:
        code, if_true, if_false, operand = instructions[at]
        at += 1
        if code == RETURN:
            return operand
        if code == LOAD:
            accumulator = int.from_bytes(data[operand : operand + 4], "little")
        elif code == AND:
            accumulator &= operand
        else:
            holds = {
                IF_EQUAL: accumulator == operand,
                IF_AT_LEAST: accumulator >= operand,
                IF_ANY_BIT: bool(accumulator & operand),
            }[code]
            at += if_true if holds else if_false


def refused(error: int) -> int:
    return ERRNO | error


def not_permitted(profile: Profile, name: str) -> int:
    """What refusing a call looks like: init answers EPERM where it is told, else the kernel does."""
    return USER_NOTIF if profile.told and name in TOLD else refused(errno.EPERM)


@pytest.fixture(params=MACHINES)
def machine(request) -> str:
    return request.param


@pytest.fixture(params=PROFILES, ids=str)
def profile(request) -> Profile:
    return request.param


@pytest.fixture
def ask(machine, profile):
    """What the filter of a machine and a profile answers to a call by name."""
    made = program(profile, machine)

    def ask(name: str, *arguments: int) -> int:
        return answer(made, numbers.TABLES[machine][name], ARCHITECTURES[machine], arguments)

    return ask


# --- every rule -------------------------------------------------------------------------------------------------------


def cases(rule: Rule) -> Iterator[tuple[tuple[int, ...], int]]:
    """Yield arguments at the edges of a rule, and what must be answered."""
    match rule:
        case Allow():
            yield from (((), ALLOW), ((2**64 - 1,) * 6, ALLOW))
        case Refuse(error):
            yield from (((), refused(error)), ((2**64 - 1,) * 6, refused(error)))
        case OneOf(argument, values, error):
            before = (0,) * argument
            yield from (((*before, value), ALLOW) for value in values)
            yield from (((*before, value), refused(error)) for value in {0, 2, 17, 2**31, 2**32 - 1} - set(values))
        case SomeNotDone(argument, values, not_done, error):
            before = (0,) * argument
            yield from (((*before, value), ALLOW) for value in values)
            yield from (((*before, value), refused(0)) for value in not_done)
            others = {5, 8, 17, 2**31, 2**32 - 1} - {*values, *not_done}
            yield from (((*before, value), refused(error)) for value in others)
        case Commands(argument, values, below, kind, error):
            before, allowed = (0,) * argument, {*values, 0, below - 1, kind << 8, 0xC0000000 | kind << 8 | 0xFF}
            yield from (((*before, value), ALLOW) for value in allowed)
            others = {below, 0x100, (kind - 1) << 8, (kind + 1) << 8, kind, 0x5412, 2**31, 2**32 - 1} - set(values)
            yield from (((*before, value), refused(error)) for value in others if value >= below)
        case Every(each):
            yield from cases_of_every(each)
        case Bits(argument, none_of, all_of, error):
            before, bits = (0,) * argument, [1 << shift for shift in range(32)]
            yield from (((*before, all_of), ALLOW), ((*before, ~none_of), ALLOW))
            yield from (((*before, all_of | bit), refused(error)) for bit in bits if none_of & bit)
            yield from (((*before, all_of & ~bit), refused(error)) for bit in bits if all_of & bit)
        case IsNull(argument, error):
            before = (0,) * argument
            yield (*before, 0), ALLOW
            yield from (((*before, value), refused(error)) for value in (1, 1 << 31, 1 << 32, 1 << 63))


def cases_of_every(each: tuple[Rule, ...]) -> Iterator[tuple[tuple[int, ...], int]]:
    """Yield what all of the rules allow, and then each of them broken once."""
    good = [0] * 6  # allowed by all but a OneOf
    for one in each:
        if isinstance(one, OneOf):
            good[one.argument] = one.values[-1]
    yield tuple(good), ALLOW
    for one in each:
        for arguments, said in cases(one):
            if said != ALLOW:
                at = len(arguments) - 1
                yield (*good[:at], arguments[at], *good[at + 1 :]), said


def test_security_each_call_is_answered_as_the_table_says(ask, machine, profile):
    for name, rule in rules(profile).items():
        if name in numbers.TABLES[machine]:
            for arguments, said in cases(rule):
                told = profile.told and name in TOLD and said != ALLOW
                assert ask(name, *arguments) == (USER_NOTIF if told else said), (name, arguments)


def test_security_every_number_that_the_table_does_not_name_does_not_exist(machine, profile):
    made = program(profile, machine)
    named = {numbers.TABLES[machine].get(name) for name in rules(profile)}
    for number in set(range(700)) - named:
        assert answer(made, number, ARCHITECTURES[machine]) == refused(errno.ENOSYS), number


def test_security_another_architecture_kills(machine, profile):
    made = program(profile, machine)
    others = {I386, 0x40000028, 0, *ARCHITECTURES.values()} - {ARCHITECTURES[machine]}
    for other in others:
        for number in (0, 1, 11, 59, 221):
            assert answer(made, number, other) == KILL_PROCESS


def test_security_the_x32_abi_does_not_exist(profile):
    made = program(profile, "x86_64")
    for number in (0, 59, 520, 0x3FFFFFFF, 0x7FFFFFFF, 0xBFFFFFFF):
        assert answer(made, 0x40000000 | number, ARCHITECTURES["x86_64"]) == refused(errno.ENOSYS)


def test_the_program_jumps_forwards_and_within_itself(machine, profile):
    made = program(profile, machine)
    for at, (code, if_true, if_false, operand) in enumerate(made):
        if code in {IF_EQUAL, IF_AT_LEAST, IF_ANY_BIT}:
            assert max(if_true, if_false) <= 255
            assert at + 1 + max(if_true, if_false) < len(made)
        assert 0 <= operand < 1 << 32
    assert made[-1].code == RETURN
    assert len(made) <= 4096


# --- what the profiles are about --------------------------------------------------------------------------------------


def decided(profile: Profile, name: str, *arguments: int) -> int:
    made = program(profile, "x86_64")
    return answer(made, numbers.X86_64[name], ARCHITECTURES["x86_64"], arguments)


@pytest.mark.parametrize("processes", [False, True])
def test_threads_may_always_be_started(processes):
    assert decided(Profile(processes=processes), "clone", THREAD_FLAGS) == ALLOW


@pytest.mark.parametrize(("processes", "said"), [(False, refused(errno.EPERM)), (True, ALLOW)])
def test_processes_may_be_started_where_the_assignment_says_so(processes, said):
    profile = Profile(processes=processes)
    assert decided(profile, "clone", 17) == said
    assert decided(profile, "fork") == decided(profile, "vfork") == said


def test_security_forks_that_are_counted_are_left_to_whoever_counts_and_threads_are_not():
    profile = Profile(processes=True, told=True, counted=True)
    assert decided(profile, "clone", 17) == decided(profile, "fork") == decided(profile, "vfork") == USER_NOTIF
    assert decided(profile, "clone", THREAD_FLAGS) == ALLOW


@pytest.mark.parametrize("profile", PROFILES, ids=str)
@pytest.mark.parametrize("flags", [NEW_USER, NEW_USER | THREAD_FLAGS, NEW_TIME | THREAD, 0x40000000 | THREAD, 1 << 29])
def test_security_no_namespace_is_made_by_clone(profile, flags):
    assert decided(profile, "clone", flags) == not_permitted(profile, "clone")


@pytest.mark.parametrize("profile", PROFILES, ids=str)
def test_security_libc_is_sent_back_to_the_clone_whose_flags_can_be_seen(profile):
    assert decided(profile, "clone3") == refused(errno.ENOSYS)


def test_security_where_other_processes_are_in_reach_signals_go_to_oneself_only():
    profile = Profile(only_signals_to=42)
    assert decided(profile, "kill", 42, 9) == decided(profile, "tgkill", 42, 43, 6) == ALLOW
    for other in (0, -1, -42, 1, 41, 1 << 31):
        assert decided(profile, "kill", other, 9) == refused(errno.EPERM)


def test_security_where_other_processes_are_in_reach_sockets_are_pairs_and_stay_pairs():
    profile = Profile(only_signals_to=42)
    unix, stream, datagram, sequence = 1, 1, 2, 5
    assert decided(profile, "socketpair", unix, stream) == decided(profile, "socketpair", unix, sequence) == ALLOW
    assert decided(profile, "socketpair", unix, stream | 0o2000000 | 0o4000) == ALLOW
    assert decided(profile, "socketpair", unix, datagram) == refused(errno.EPERM)
    assert decided(profile, "socketpair", 2, stream) == refused(errno.EAFNOSUPPORT)
    for name in ("socket", "connect", "bind", "listen", "accept"):
        assert decided(profile, name, unix, stream) == refused(errno.EAFNOSUPPORT)
    assert decided(profile, "sendto", 3, 0, 0, 0, 0) == ALLOW
    assert decided(profile, "sendto", 3, 0, 0, 0, 1 << 40) == refused(errno.EPERM)


def test_security_where_other_processes_are_in_reach_no_descriptor_signals_them():
    profile = Profile(only_signals_to=42)
    set_owner, set_signal, set_owner_ex, set_flags = 8, 10, 15, 4
    for command in (set_owner, set_signal, set_owner_ex):
        assert decided(profile, "fcntl", 3, command, 1) == refused(errno.EINVAL)
    assert decided(profile, "fcntl", 3, set_flags, 0) == ALLOW
    assert decided(profile, "sched_setaffinity", 1, 8, 0) == refused(errno.EPERM)
    assert decided(profile, "sched_setaffinity", 0, 8, 0) == decided(profile, "sched_setaffinity", 42, 8, 0) == ALLOW


def test_where_files_of_others_are_in_reach_their_metadata_is_left_alone_without_a_word():
    assert decided(Profile(metadata=False), "fchmodat") == refused(0)
    assert decided(Profile(), "fchmodat") == ALLOW


@pytest.mark.parametrize(
    "name", ["connect", "bind", "listen", "accept4", "ptrace", "unshare", "mount", "process_vm_readv", "bpf", "setns"]
)
def test_security_the_process_that_restricted_boxes_are_forked_from_can_not_lead_out(name):
    made = program_of(for_zygote(), "x86_64")
    assert answer(made, numbers.X86_64[name], ARCHITECTURES["x86_64"]) != ALLOW


@pytest.mark.parametrize("profile", PROFILES, ids=str)
@pytest.mark.parametrize("name", ["execve", "execveat", "ptrace", "mount", "bpf", "io_uring_setup", "setns", "unshare"])
def test_security_no_profile_allows_what_leads_out(profile, name):
    assert decided(profile, name) == not_permitted(profile, name)


@pytest.mark.parametrize("processes", [False, True])
def test_every_call_that_is_told_of_has_an_errno_to_be_answered_with(processes):
    profile = Profile(processes=processes, told=True)
    known = numbers.this_machine()
    may = {"fork", "vfork"} if processes else set()
    assert set(told_errors(profile)) == {known[name] for name in TOLD - may if name in known}
    assert told_errors(profile)[known["socket"]] == errno.EAFNOSUPPORT
    assert not TOLD & ALLOWED


@pytest.mark.parametrize("profile", PROFILES, ids=str)
@pytest.mark.parametrize("name", ["sync", "syncfs", "fsync", "fdatasync", "sync_file_range", "msync", "fadvise64"])
def test_security_what_keeps_the_machines_disks_busy_is_not_done_and_succeeds(profile, name):
    assert decided(profile, name) == ERRNO


@pytest.mark.parametrize("profile", PROFILES, ids=str)
@pytest.mark.parametrize(
    "command", [5, 8, 10, 37, 1024, 1026], ids=["GETLK", "SETOWN", "SETSIG", "OFD_SETLK", "SETLEASE", "NOTIFY"]
)
def test_security_no_descriptor_tells_of_other_processes(profile, command):
    assert decided(profile, "fcntl", 5, command) == refused(errno.EINVAL)
    assert decided(profile, "fcntl", 5, 1) == decided(profile, "fcntl", 5, 1030) == ALLOW


@pytest.mark.parametrize("profile", [Profile(), Profile(processes=True, counted=True)], ids=str)
def test_security_no_thread_has_descriptors_of_its_own(profile):
    assert decided(profile, "clone", THREAD) == ALLOW
    assert decided(profile, "clone", 0x10000) == refused(errno.EPERM)
    asked = Refusal(0, forks().clone, 0, 0x10000)
    assert not forks().includes(asked)
    assert forks().includes(asked._replace(argument=0x11))


@pytest.mark.parametrize("profile", PROFILES, ids=str)
def test_security_no_range_of_descriptors_is_closed_in_a_copy_of_them(profile):
    assert decided(profile, "close_range", 3, 9, 2) == refused(errno.EINVAL)
    assert decided(profile, "close_range", 3, 9, 0) == decided(profile, "close_range", 3, 9, 4) == ALLOW


@pytest.mark.parametrize("command", [6, 7], ids=["SETLK", "SETLKW"])
def test_security_locks_that_nobody_counts_are_not_made_where_there_is_one_process(command):
    assert decided(Profile(), "fcntl", 5, command) == ERRNO  # and success
    assert decided(Profile(processes=True), "fcntl", 5, command) == ALLOW


@pytest.mark.parametrize("profile", PROFILES, ids=str)
@pytest.mark.parametrize("option", [17, 26, 59, 77], ids=["PEERCRED", "ATTACH_FILTER", "PEERGROUPS", "PEERPIDFD"])
def test_security_the_channel_does_not_tell_who_is_at_its_other_end(profile, option):
    for name in ("getsockopt", "setsockopt"):
        assert decided(profile, name, 3, 1, option) == refused(errno.ENOPROTOOPT)


@pytest.mark.parametrize(("processes", "said"), [(False, refused(errno.EPERM)), (True, ALLOW)])
def test_security_descriptors_are_handed_over_where_there_are_processes_to_take_them(processes, said):
    profile = Profile(processes=processes)
    assert decided(profile, "sendmsg", 3, 0, 0) == decided(profile, "recvmsg", 3, 0, 0) == said
    out_of_band = 1
    for name in ("sendto", "recvfrom"):
        assert decided(profile, name, 3, 0, 0, 0) == ALLOW
        assert decided(profile, name, 3, 0, 0, out_of_band) == refused(errno.EOPNOTSUPP)


# --- the tables -------------------------------------------------------------------------------------------------------


def test_no_call_is_both_allowed_and_refused():
    assert not ALLOWED & REFUSED


@pytest.mark.parametrize("name", sorted({name for profile in PROFILES for name in rules(profile)}))
def test_every_call_of_the_policy_has_a_number(name):
    assert name in numbers.X86_64 or name in numbers.AARCH64


def _headers(*files: str) -> dict[str, int]:
    text = "".join(Path(file).read_text() for file in files if Path(file).is_file())
    if not text:
        pytest.skip("the kernel's headers are not installed")
    return {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", text)}


def test_the_numbers_of_x86_64_are_the_kernels():
    known = _headers("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h")
    assert {name: known.get(name) for name in numbers.X86_64} == numbers.X86_64


def test_the_numbers_of_aarch64_are_the_kernels():
    known = _headers("/usr/include/asm-generic/unistd.h")
    known["newfstatat"] = known["fstatat"]
    assert {name: known.get(name) for name in numbers.AARCH64} == numbers.AARCH64
