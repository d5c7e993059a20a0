"""Handed in to a sealed box by the audit: tries what can be reached, and returns what came of it."""

import ctypes
import errno
import os
import resource
import socket
import stat

libc = ctypes.CDLL(None, use_errno=True)


def opens(path, flags):
    """Return whether a path can be opened."""
    try:
        os.close(os.open(path, flags | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def accepts_a_file(folder):
    """Return whether a file can be made in a folder."""
    path = os.path.join(folder, ".audit")
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return False
    os.unlink(path)
    return True


def entry(path):
    """Return what can be done with one path."""
    kind = os.lstat(path).st_mode
    if stat.S_ISLNK(kind):
        return {"kind": "link", "to": os.readlink(path)}
    if stat.S_ISDIR(kind):
        return {"kind": "folder", "read": opens(path, os.O_RDONLY), "write": accepts_a_file(path)}
    return {
        "kind": "device" if stat.S_ISCHR(kind) else "file",
        "read": opens(path, os.O_RDONLY),
        "write": opens(path, os.O_WRONLY),
    }


def walk(whole, top="/"):
    """Return every path with what can be done with it; of folders that are shown whole, only what is below."""
    found = {top: entry(top)}
    for name in sorted(os.listdir(top)):
        path = os.path.join(top, name)
        found[path] = entry(path)
        if path in whole or found[path]["kind"] != "folder":
            continue
        if found[path]["read"]:
            found.update(walk(whole, path))
    return found


def writable_below(folder, skip=()):
    """Return what can be written of everything below a folder."""
    found = []
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in skip]
        if accepts_a_file(path):
            found.append(path)
        for name in files:
            file = os.path.join(path, name)
            if not os.path.islink(file) and opens(file, os.O_WRONLY):
                found.append(file)
    return found


def descriptors():
    """Return what is open: kind and access by number. The one that lists them is closed by then."""
    found = {}
    for number in range(resource.getrlimit(resource.RLIMIT_NOFILE)[0]):
        try:
            kind = os.fstat(number).st_mode
        except OSError:
            continue
        access = libc.fcntl(number, 3) & os.O_ACCMODE
        found[str(number)] = [kind_of(number, kind), {0: "read", 1: "write", 2: "read and write"}[access]]
    return found


def kind_of(number, kind):
    if stat.S_ISSOCK(kind):
        with socket.socket(fileno=os.dup(number)) as found:
            return f"socket {found.family.name} {found.type.name}"
    if stat.S_ISFIFO(kind):
        return "pipe"
    return os.readlink(f"/proc/self/fd/{number}")


def system_calls(numbers):
    """Return the error of each call, made with zeros; 0 where there was none."""
    found = {}
    for name, number in numbers.items():
        ctypes.set_errno(0)
        result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(0)] * 6)
        found[name] = errno.errorcode.get(ctypes.get_errno(), "none") if result < 0 else "none"
    return found


def process():
    """Return what the kernel says of this process."""
    with open("/proc/self/status") as file:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in file)
    names = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
    return {name: fields[name].strip() for name in names}


def namespaces():
    return {name: os.readlink(f"/proc/self/ns/{name}") for name in sorted(os.listdir("/proc/self/ns"))}


def limits():
    names = sorted(name for name in dir(resource) if name.startswith("RLIMIT_"))
    return {name: list(resource.getrlimit(getattr(resource, name))) for name in names}


def processes():
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def closed(paths):
    """Return those of some paths that can be read, listed or followed after all."""
    found = []
    for path in paths:
        try:
            if os.path.islink(path):
                os.readlink(path)
            elif os.path.isdir(path):
                os.listdir(path)
            else:
                with open(path, "rb") as file:
                    file.read(1)
        except OSError:
            continue
        found.append(path)
    return found


def environment():
    return dict(os.environ)


def mounts():
    with open("/proc/self/mountinfo") as file:
        return file.read()
