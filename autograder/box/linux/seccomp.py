"""Seccomp: the policy's table made into a program that the kernel runs before every system call.

The program is a chain of comparisons in classic BPF: 32 bits at a time, jumps forwards only. It is built from the table
alone, so that a test can run it with an interpreter of twenty lines and compare each answer with the table.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import NamedTuple

from autograder.box.linux import numbers
from autograder.box.linux.policy import (
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
    rules,
)
from autograder.box.linux.syscalls import call, set_no_new_privileges

ALLOW = 0x7FFF0000
ERRNO = 0x00050000
USER_NOTIF = 0x7FC00000
KILL_PROCESS = 0x80000000

# struct seccomp_data: the call's number, the architecture, the address it was made from, six arguments of 64 bits
_NUMBER, _ARCHITECTURE, _ARGUMENTS, _ARGUMENT_BYTES, _HIGH_WORD = 0, 4, 16, 8, 4
_WORD, _ERROR = 0xFFFFFFFF, 0xFFFF
_KIND_BITS = 0xFF00  # of an ioctl's command

LOAD, RETURN, IF_EQUAL, IF_AT_LEAST, IF_ANY_BIT, AND = 0x20, 0x06, 0x15, 0x35, 0x45, 0x54

_AUDIT_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000

_SET_MODE_FILTER = 1
# The mitigation of speculative store bypass that a filter brings along makes training slower by a tenth on older
# kernels, and guards a process's memory from its own code: there is nothing in it that the student must not know.
_SPECULATION_ALLOWED = 4
_NEW_LISTENER = 8
_MOST_INSTRUCTIONS = 4096  # BPF_MAXINSNS


class Instruction(NamedTuple):
    """One instruction of classic BPF: a comparison skips `if_true` or `if_false` of those that follow."""

    code: int
    if_true: int
    if_false: int
    operand: int


Program = tuple[Instruction, ...]


def program(profile: Profile, machine: str | None = None) -> Program:
    """Return the filter for a profile.

    Args:
        profile: where boxes differ.
        machine: as os.uname names it; this one where it is left out.
    """
    return program_of(rules(profile), machine, TOLD if profile.told else frozenset())


def program_of(
    table: dict[str, Rule],
    machine: str | None = None,
    told: frozenset[str] = frozenset(),
    otherwise: int = ERRNO | errno.ENOSYS,
) -> Program:
    """Return the filter for a table of rules by the calls' names.

    Args:
        table: the rules.
        machine: as os.uname names it; this one where it is left out.
        told: calls whose refusals are told of.
        otherwise: what calls are answered with that the table does not know.
    """
    machine = machine or os.uname().machine
    known = numbers.TABLES[machine]
    body = [
        instruction
        for name, rule in sorted(table.items())
        if name in known
        for instruction in _if_number(known[name], _told(_decide(rule)) if name in told else _decide(rule))
    ]
    made = (*_same_architecture(machine), *body, _answer(otherwise))
    if len(made) > _MOST_INSTRUCTIONS:
        raise ValueError(f"{len(made)} instructions; the kernel takes {_MOST_INSTRUCTIONS}")
    return made


def encode(instructions: Program) -> bytes:
    """Return the program as the kernel reads it."""
    return b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)


def told_errors(profile: Profile) -> dict[int, int]:
    """Return the errno to answer each call with that a profile's filter tells of, by number."""
    known, decided = numbers.this_machine(), rules(profile)
    refusals = {name: _refusals(_decide(decided[name])) for name in TOLD if name in known}
    return {known[name]: answers[0].operand & _ERROR for name, answers in refusals.items() if answers}


def apply(encoded: bytes, *, listen: bool = False) -> int:
    """Put this process, and all that it will start, under the filter. Can't be undone; of filters the strictest counts.

    Why: the kernel behind a system call is the surface an attack has; three quarters of its calls are of no use to a
    training, and nearly every known way out of a container began with one of those.

    The last layer of all: after it no other could be set up.

    Args:
        encoded: the program.
        listen: make the descriptor from which the calls can be taken that it tells of.

    Returns:
        The listener; zero without.

    Raises:
        OSError: the kernel has no listeners (before 5.0), or this process is under another one (in some containers).
    """
    set_no_new_privileges()
    return add(encoded, listen=listen)


def add(encoded: bytes, *, listen: bool = False) -> int:
    """Do as `apply`, in a process that can't have new privileges any more."""
    code = ctypes.create_string_buffer(encoded, len(encoded))
    head = struct.pack("HxxxxxxQ", len(encoded) // struct.calcsize("HBBI"), ctypes.addressof(code))
    return call("seccomp", _SET_MODE_FILTER, _SPECULATION_ALLOWED | (_NEW_LISTENER if listen else 0), head)


# --- assembling -----------------------------------------------------------------------------------------------------


def _same_architecture(machine: str) -> list[Instruction]:
    # SECURITY: numbers mean other calls in another ABI. A 64-bit process can make 32-bit calls (int 0x80) at any time;
    # whoever does is not a training. x32 shares the architecture's name and marks the number instead.
    made = [
        Instruction(LOAD, 0, 0, _ARCHITECTURE),
        Instruction(IF_EQUAL, 1, 0, _AUDIT_ARCHITECTURES[machine]),
        _answer(KILL_PROCESS),
        Instruction(LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        made += [Instruction(IF_AT_LEAST, 0, 1, _X32_BIT), _answer(ERRNO | errno.ENOSYS)]
    return made


def _if_number(number: int, decision: list[Instruction]) -> list[Instruction]:
    """A decision answers in every case, so what follows still finds the number where it was loaded."""
    return [Instruction(IF_EQUAL, 0, len(decision), number), *decision]


def _decide(rule: Rule) -> list[Instruction]:
    if isinstance(rule, Allow):
        return [_answer(ALLOW)]
    if isinstance(rule, Refuse):
        return [_answer(ERRNO | rule.error)]
    if isinstance(rule, Every):
        # Each decision ends in the one place where it allows: without that, it goes on with the next.
        return [*(instruction for one in rule.rules for instruction in _decide(one)[:-1]), _answer(ALLOW)]
    return [_low(rule.argument), *_decide_by_argument(rule)]


def _decide_by_argument(rule: OneOf | SomeNotDone | Commands | Bits | IsNull) -> list[Instruction]:
    """Return what decides once the argument's low half is loaded. A comparison that fails falls on what follows."""
    refused, allowed = _answer(ERRNO | rule.otherwise), _answer(ALLOW)
    if isinstance(rule, OneOf):
        return [*_skip_if_among(rule.values, 1), refused, allowed]
    if isinstance(rule, SomeNotDone):
        not_done = [*_skip_if_among(rule.not_done, 1), refused, _answer(ERRNO)]
        return [*_skip_if_among(rule.values, len(not_done)), *not_done, allowed]
    if isinstance(rule, Commands):
        return [
            *_skip_if_among(rule.values, 4),
            Instruction(IF_AT_LEAST, 0, 3, rule.below),
            Instruction(AND, 0, 0, _KIND_BITS),
            Instruction(IF_EQUAL, 1, 0, rule.kind << 8),
            refused,
            allowed,
        ]
    if isinstance(rule, Bits):
        return [
            Instruction(IF_ANY_BIT, 2, 0, rule.none_of),
            Instruction(AND, 0, 0, rule.all_of),
            Instruction(IF_EQUAL, 1, 0, rule.all_of),
            refused,
            allowed,
        ]
    return [
        Instruction(IF_EQUAL, 0, 2, 0),
        Instruction(LOAD, 0, 0, _low(rule.argument).operand + _HIGH_WORD),
        Instruction(IF_EQUAL, 1, 0, 0),
        refused,
        allowed,
    ]


def _refusals(decision: list[Instruction]) -> list[Instruction]:
    return [one for one in decision if one.code == RETURN and one.operand != ALLOW]


def _told(decision: list[Instruction]) -> list[Instruction]:
    """Return a decision whose refusals are left to whoever listens."""
    return [_answer(USER_NOTIF) if one in _refusals(decision) else one for one in decision]


def _skip_if_among(values: tuple[int, ...], count: int) -> list[Instruction]:
    """Skip so many of the instructions that follow where what is loaded is one of the values."""
    last = len(values) - 1 + count
    return [Instruction(IF_EQUAL, last - at, 0, value & _WORD) for at, value in enumerate(values)]


def _low(argument: int) -> Instruction:
    """Load the low half of an argument. Flags and small numbers are ints to the kernel, which ignores the high half."""
    return Instruction(LOAD, 0, 0, _ARGUMENTS + _ARGUMENT_BYTES * argument)


def _answer(value: int) -> Instruction:
    return Instruction(RETURN, 0, 0, value)
