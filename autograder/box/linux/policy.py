"""Which system calls the box may make, as a table: everything that is not in it does not exist (ENOSYS).

What is refused by name gets EPERM, the answer that programs expect where something is forbidden; ENOSYS makes libraries
fall back to an older call, and is right for what the table does not know. Found by running what lessons run (threads,
OpenMP, torch, keras, matplotlib, saving models) and by reading what each call can reach.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import NamedTuple, Union

from autograder.box.linux.namespaces import Namespace


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ALLOWED = _names(
    """
    read write close fstat lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn pread64 pwrite64
    readv writev preadv pwritev access faccessat faccessat2 pipe pipe2 select pselect6 poll ppoll
    sched_yield mremap dup dup2 dup3 pause nanosleep clock_nanosleep getitimer alarm setitimer
    getpid gettid getppid sendfile connect accept accept4 shutdown bind listen
    getsockname getpeername exit exit_group wait4 waitid uname
    truncate ftruncate fallocate getdents getdents64 getcwd chdir fchdir rename renameat renameat2 mkdir mkdirat
    rmdir creat open openat openat2 link linkat unlink unlinkat symlink symlinkat readlink readlinkat umask gettimeofday
    time getrlimit getrusage sysinfo times getuid getgid geteuid getegid getresuid getresgid getgroups setpgid getpgrp
    getpgid setsid getsid rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack stat lstat newfstatat statx statfs
    fstatfs sched_getparam sched_getscheduler sched_getattr sched_get_priority_max sched_get_priority_min
    sched_rr_get_interval sched_setaffinity sched_getaffinity getcpu get_mempolicy arch_prctl readahead getxattr
    lgetxattr fgetxattr listxattr llistxattr flistxattr futex futex_waitv epoll_create epoll_create1 epoll_ctl
    epoll_wait epoll_pwait epoll_pwait2 set_tid_address restart_syscall timer_create timer_settime
    timer_gettime timer_getoverrun timer_delete clock_gettime clock_getres timerfd_create timerfd_settime
    timerfd_gettime set_robust_list get_robust_list eventfd eventfd2 signalfd signalfd4
    getrandom rseq copy_file_range membarrier mlock munlock pkey_mprotect pkey_alloc pkey_free
    """
)

# Metadata of files: no layer but the mounts keeps the box from the metadata of files that it can't open.
METADATA = _names("chmod fchmod fchmodat utime utimes utimensat")

SIGNALS = _names("kill tkill tgkill")

FORKS = _names("fork vfork")

# SECURITY: descriptors that are sent and never taken count against all processes of the box's user: 256 of them, and
# no neighbour can hand one over. What collects them in the kernel had holes. Workers of a data loader need them.
MESSAGES = _names("sendmsg recvmsg")

# SECURITY: answered with success, and not done. All that a box can write to is memory, so there is nothing to be
# written out; but these reach the machine's disks, by way of any file in /usr, and hold up whoever writes to them.
# fadvise64 drops what the machine remembers of a file that a neighbour is about to read.
NOT_DONE = _names("sync syncfs fsync fdatasync sync_file_range msync fadvise64")

REFUSED = _names(
    """
    execve execveat ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_getfd
    pidfd_open pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo
    unshare setns mount umount2 pivot_root chroot fsopen fsmount fsconfig fspick move_mount open_tree mount_setattr
    open_by_handle_at name_to_handle_at mknod mknodat chown fchown lchown fchownat
    setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
    setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid capset
    setrlimit setpriority sched_setparam sched_setscheduler sched_setattr ioprio_set
    mbind set_mempolicy set_mempolicy_home_node migrate_pages move_pages mlockall munlockall mlock2 remap_file_pages
    mincore memfd_create bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register memfd_secret
    vmsplice splice tee
    keyctl add_key request_key shmget shmat shmctl shmdt msgget msgsnd msgrcv msgctl semget semop semctl semtimedop
    mq_open mq_unlink inotify_init inotify_init1 inotify_add_watch fanotify_init fanotify_mark
    modify_ldt iopl ioperm personality acct reboot syslog quotactl quotactl_fd swapon swapoff vhangup lookup_dcookie
    init_module finit_module delete_module kexec_load kexec_file_load uselib nfsservctl
    sethostname setdomainname settimeofday clock_settime adjtimex clock_adjtime
    seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self
    """
)

# Refused calls that no library makes by the way: where the kernel can, each is told of (`init` and `answerer` of
# autograder.box), so that a verdict may say what the code tried. What libraries try, and do without where it fails, is
# not among them: memfd_create, perf_event_open, io_uring_setup, pidfd_open, limits and priorities.
TOLD = _names(
    """
    execve execveat fork vfork clone socket
    ptrace process_vm_readv process_vm_writev pidfd_getfd
    unshare setns mount umount2 pivot_root chroot fsopen fsmount move_mount open_tree mount_setattr open_by_handle_at
    setuid setgid setreuid setregid setresuid setresgid setgroups capset
    bpf keyctl add_key request_key init_module finit_module delete_module kexec_load kexec_file_load reboot
    """
)

# --- calls whose arguments decide -------------------------------------------------------------------------------------

ALL_NAMESPACES = (
    Namespace.MOUNT | Namespace.CGROUP | Namespace.UTS | Namespace.IPC
    | Namespace.USER | Namespace.PID | Namespace.NETWORK | Namespace.TIME
)  # fmt: skip
# SECURITY: a thread without CLONE_FILES would have descriptors of its own, as many as the limit says once more: what is
# in sockets and pipes would be bounded 256 times as high. The other way to such descriptors is CLOSE_RANGE_UNSHARE.
CLONE_THREAD, _CLONE_FILES = 0x10000, 0x400
_CLOSE_RANGES = (0, 4)

# What programs ask of descriptors, and nothing that a driver answers: FIONREAD FIONBIO FIOCLEX FIONCLEX, and what
# isatty() and the size of a terminal are found out by: TCGETS TIOCGWINSZ.
_IOCTLS = (0x541B, 0x5421, 0x5451, 0x5450, 0x5401, 0x5413)
_NO_TTY = errno.ENOTTY

# Of madvise, all that is about a process's own memory: NORMAL to FREE, REMOVE DONTFORK DOFORK, UNMERGEABLE HUGEPAGE
# NOHUGEPAGE DONTDUMP DODUMP WIPEONFORK KEEPONFORK, POPULATE_READ to COLLAPSE, GUARD_INSTALL GUARD_REMOVE.
# SECURITY: not MERGEABLE, by which pages of the same content become one, and a write to it tells by its time that
# somebody else has that content; not COLD and PAGEOUT, which drop what the machine remembers of a file. With mincore,
# which tells whoever owns a file which parts of it were read lately (an ordinary user owns the packages and is, to the
# kernel, the user of every box), they would be a signal between boxes.
_ADVICE = (0, 1, 2, 3, 4, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 22, 23, 24, 25, 102, 103)

# DUPFD GETFD SETFD GETFL SETFL DUPFD_CLOEXEC GETPIPE_SZ.
# SECURITY: not NOTIFY, which tells what happens in folders of the machine; not SETOWN and SETSIG, which send signals to
# others; no leases, which hold up whoever updates a package; and of the locks none by which boxes could signal to each
# other on a file that all of them see: those that may be asked for (GETLK), those of open files (OFD). What is left of
# them can only be shared on a read-only file. Not SETPIPE_SZ: what a user's pipes hold together is limited, and other
# boxes are the same user.
_FCNTLS = (0, 1, 2, 3, 4, 1030, 1032)
# SETLK, SETLKW. SECURITY: answered with success and not done. No control group counts what the kernel keeps of a lock,
# 192 bytes, and nothing limits how many there are: 66 MB in a second and a half. Where there is one process none would
# ever be in another's way, so that sqlite does not see the difference. Several processes are given what they ask for.
_LOCKS = (6, 7)

# REUSEADDR KEEPALIVE LINGER RCVTIMEO SNDTIMEO may be set; TYPE ERROR SNDBUF RCVBUF ACCEPTCONN PROTOCOL DOMAIN be read.
# SECURITY: not PEERPIDFD, a descriptor of the judge; no filter programs; and no larger buffers, for what lies in
# sockets is the kernel's memory, which only a cgroup counts. All of the box's sockets are AF_UNIX.
_SOCKET_SETTINGS = (2, 9, 13, 20, 21)
_SOCKET_OPTIONS = (*_SOCKET_SETTINGS, 3, 4, 7, 8, 30, 38, 39)

# SECURITY: data out of band in a pair of sockets is of no use, and was a way out of the browsers' boxes.
_OUT_OF_BAND = int(socket.MSG_OOB)

# SECURITY: what CUDA asks of NVIDIA's driver, and only where a box has been granted a GPU. Its commands are of kind 'F'
# with any number: one of them (NV_ESC_IOCTL_XFER_CMD) carries the others in memory, where a filter can't look. Those of
# nvidia-uvm have no kind at all, only small numbers, and two to begin and end with. No other device in a box answers
# either; of files, 1 and 2 tell where a block lies (which takes rights) and how large one is.
_NVIDIA_KIND = ord("F")
_NVIDIA_UVM_BELOW = 128
_NVIDIA_UVM = (0x30000001, 0x30000002)
# CUDA makes one when it starts, and fails with error 304 without. It counts in the box's memory as any other.
_NVIDIA_CALLS = _names("memfd_create")

# GET_PDEATHSIG GET_DUMPABLE SET_NAME GET_NAME GET_SECCOMP CAPBSET_READ GET_NO_NEW_PRIVS SET_THP_DISABLE GET_THP_DISABLE
# GET_TIMERSLACK, and SET_VMA, by which allocators name their memory. Not SET_DUMPABLE, not SECCOMP; not SET_PDEATHSIG,
# which could take back that a box ends with whoever forked it.
_PRCTLS = (2, 3, 15, 16, 21, 23, 39, 41, 42, 30, 0x53564D41)

# Of pairs of sockets, those that stay pairs. A datagram socket of a pair can still be sent from to any other.
_CONNECTED_PAIRS = tuple(
    kind | flags
    for kind in (int(socket.SOCK_STREAM), int(socket.SOCK_SEQPACKET))
    for flags in (0, int(socket.SOCK_CLOEXEC), int(socket.SOCK_NONBLOCK), socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
)
_SOCKET_ADDRESSES = _names("socket connect bind listen accept accept4")


class OneOf(NamedTuple):
    """Allowed where the low 32 bits of an argument are one of these."""

    argument: int
    values: tuple[int, ...]
    otherwise: int  # an errno


class SomeNotDone(NamedTuple):
    """As OneOf; and where it is one of others, it is not done, and success is told."""

    argument: int
    values: tuple[int, ...]
    not_done: tuple[int, ...]
    otherwise: int


class Commands(NamedTuple):
    """Allowed where the low 32 bits of an argument are one of these, less than a number, or of a driver's kind."""

    argument: int
    values: tuple[int, ...]
    below: int
    kind: int  # bits 8 to 15, by which drivers tell their commands from others'
    otherwise: int


class Bits(NamedTuple):
    """Allowed where none of the one bits is set, and all of the other."""

    argument: int
    none_of: int
    all_of: int
    otherwise: int


class IsNull(NamedTuple):
    """Allowed where all 64 bits of an argument are zero."""

    argument: int
    otherwise: int


class Every(NamedTuple):
    """Allowed where each of these would allow it; the first that does not says the error."""

    rules: tuple[OneOf | Bits | IsNull, ...]


class Refuse(NamedTuple):
    """Never carried out."""

    error: int  # 0: it says that it was


class Allow(NamedTuple):
    """Always allowed."""


Rule = Union[Allow, Refuse, OneOf, SomeNotDone, Every, Commands, Bits, IsNull]  # noqa: UP007 - evaluated, by Python 3.9 too


@dataclass(frozen=True)
class Profile:
    """Where boxes differ. What is not said is the strictest."""

    processes: bool = False  # fork, for data loaders with workers
    only_signals_to: int | None = None  # a process id; where no namespace hides the machine's processes and sockets
    metadata: bool = True  # chmod and utime; not where files of others are in reach
    told: bool = False  # refusals of TOLD are answered by whoever holds the listener
    counted: bool = False  # who may let forks through, where there are processes
    gpu: bool = False  # what NVIDIA's driver is asked by


def rules(profile: Profile) -> dict[str, Rule]:
    """Return what is decided of each call by name."""
    permit, deny = Allow(), Refuse(errno.EPERM)
    forks = profile.processes and not profile.counted
    made: dict[str, Rule] = dict.fromkeys(REFUSED, deny)
    made |= dict.fromkeys(ALLOWED, permit)
    # Without a word: shutil.copy sets the mode of the copy, and a homework that copies its model is not at fault.
    made |= dict.fromkeys(METADATA, permit if profile.metadata else Refuse(0))
    made |= dict.fromkeys(FORKS, permit if forks else deny)
    made |= dict.fromkeys(MESSAGES, _in_band(2) if profile.processes else deny)
    made |= dict.fromkeys(NOT_DONE, Refuse(0))
    made |= _signals(profile.only_signals_to)
    made |= dict.fromkeys(_NVIDIA_CALLS, permit if profile.gpu else deny)
    nvidia = Commands(1, (*_IOCTLS, *_NVIDIA_UVM), _NVIDIA_UVM_BELOW, _NVIDIA_KIND, _NO_TTY)
    # SECURITY: pairs of descriptors within the box are fine, every other family reaches something: the network, the
    # kernel's crypto, the host of a virtual machine (vsock knows no network namespace).
    pairs = OneOf(0, (int(socket.AF_UNIX),), errno.EAFNOSUPPORT)
    made |= {
        "socket": pairs,
        "socketpair": pairs,
        "sendto": _in_band(3),
        "recvfrom": _in_band(3),
        "setsockopt": OneOf(2, _SOCKET_SETTINGS, errno.ENOPROTOOPT),
        "getsockopt": OneOf(2, _SOCKET_OPTIONS, errno.ENOPROTOOPT),
        "fcntl": (
            OneOf(1, (*_FCNTLS, *_LOCKS), errno.EINVAL)
            if profile.processes
            else SomeNotDone(1, _FCNTLS, _LOCKS, errno.EINVAL)
        ),
        "close_range": OneOf(2, _CLOSE_RANGES, errno.EINVAL),
        "madvise": OneOf(2, _ADVICE, errno.EINVAL),
        # SECURITY: a lock on a file that every box sees is a signal. Libraries (HDF5) do without where there are none.
        "flock": Refuse(errno.ENOSYS),
        # SECURITY: a user namespace would bring all capabilities back, in a kernel that has to bear them.
        "clone": Bits(0, int(ALL_NAMESPACES), 0 if forks else CLONE_THREAD | _CLONE_FILES, errno.EPERM),
        # Its flags are in memory, where a filter can't look; libc then takes clone.
        "clone3": Refuse(errno.ENOSYS),
        "ioctl": nvidia if profile.gpu else OneOf(1, _IOCTLS, _NO_TTY),
        "prctl": OneOf(0, _PRCTLS, errno.EPERM),
        "prlimit64": IsNull(2, errno.EPERM),  # limits may be read
    }
    return made if profile.only_signals_to is None else made | _among_others(profile.only_signals_to)


def _among_others(own: int) -> dict[str, Rule]:
    """Return what is decided otherwise where the machine's processes and sockets can be named."""
    pairs = Every((OneOf(0, (int(socket.AF_UNIX),), errno.EAFNOSUPPORT), OneOf(1, _CONNECTED_PAIRS, errno.EPERM)))
    return {
        # SECURITY: no file right closes a socket without a file (abstract), and older landlocks know no scopes.
        **dict.fromkeys(_SOCKET_ADDRESSES, Refuse(errno.EAFNOSUPPORT)),
        "socketpair": pairs,
        "sendto": Every((_in_band(3), IsNull(4, errno.EPERM))),  # no address: send() is this call without one
        # SECURITY: landlock before version 3 knows nothing of it. What is open for writing can still be cut.
        "truncate": Refuse(errno.EPERM),
        "sched_setaffinity": OneOf(0, (0, own), errno.EPERM),
    }


def for_zygote() -> dict[str, Rule]:
    """Return what is decided of the process that such boxes are forked from, while it imports and forks.

    It runs what is installed and no student's code. What it needs besides a box with processes is to become what a box
    is, and programs: libraries look for others by running `ldconfig`.

    Each box is under this filter, too, and an errno of this one comes before the question that the box's own would ask
    of its listener: a refusal that is to be told of must be left to that one. So a socket for the network can be made,
    as a program can be run; none can be connected or bound, and sent from only by `sendmsg`, which the zygote
    needs: its address lies in memory, where a filter can't look. Boxes are refused both by their own. Of the calls that
    change the user it needs two or three, and the others can do no more.
    """
    made = rules(Profile(processes=True)) | dict.fromkeys(_SOCKET_ADDRESSES, Refuse(errno.EAFNOSUPPORT))
    made |= {
        "socket": OneOf(0, (int(socket.AF_INET), int(socket.AF_INET6)), errno.EAFNOSUPPORT),
        "sendto": Every((_in_band(3), IsNull(4, errno.EPERM))),
    }
    return made | dict.fromkeys(_SETTING_UP, Allow())


def for_kernel(profile: Profile, *, programs: bool) -> dict[str, Rule]:
    """Return what is decided of a Jupyter kernel, which is reached by sockets that it makes in a folder.

    Args:
        profile: of the box.
        programs: whether others may be run: by the student's code, or because the kernel is one.
    """
    made = rules(profile) | {
        # ZeroMQ's threads set the scheduling that they have, and it ends the process where that is refused.
        "sched_setscheduler": Refuse(0),
        # ipykernel would listen on a port as well, and does without; of ZeroMQ's errors this is one that it can take.
        "socket": OneOf(0, (int(socket.AF_UNIX),), errno.EOPNOTSUPP),
    }
    if programs:
        made |= dict.fromkeys(_RUNNING_PROGRAMS, Allow())
    if profile.only_signals_to is None:
        return made
    own = profile.only_signals_to
    return made | {
        # SECURITY: never `connect`. It serves and calls nobody; sockets of the machine's services have names here.
        **dict.fromkeys(_SERVING, Allow()),
        # Also to its own group, by which ipykernel interrupts itself; nobody else is in it.
        "kill": OneOf(0, (own, -own), errno.EPERM),
    }


_RUNNING_PROGRAMS = _names("execve execveat pidfd_open")
_SERVING = _names("bind listen accept accept4")

_SETTING_UP = _names(
    """
    execve execveat prctl capset setgroups setresgid setresuid setregid setreuid setgid setuid setrlimit prlimit64
    pidfd_open pidfd_send_signal
    landlock_create_ruleset landlock_add_rule landlock_restrict_self seccomp memfd_create inotify_init1
    """
)


def _in_band(flags: int) -> Bits:
    return Bits(flags, _OUT_OF_BAND, 0, errno.EOPNOTSUPP)


def _signals(only_to: int | None) -> dict[str, Rule]:
    if only_to is None:
        return dict.fromkeys(SIGNALS, Allow())
    # tkill takes a thread of any process; Python and libc use tgkill, which names the process too.
    itself = OneOf(0, (only_to,), errno.EPERM)
    return {"kill": itself, "tgkill": itself, "tkill": Refuse(errno.EPERM)}
