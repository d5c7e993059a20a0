"""What Linux offers to shut a process in, one layer a module. Standard library only; a test holds them to it.

Nothing in here knows of submissions, judges or limits of courses. Each module makes one layer and says what it is for:

    namespaces     own process numbers, mounts, network, user ids: what is not in them can't be named
    mounts         a root with a Python in it and nothing else, read-only; a scratch folder with a size
    capabilities   the rights of a root in its own namespace, given back
    rlimits        what one process may take
    landlock       the files that may be opened, once more, by another mechanism
    seccomp        the system calls that may be made
    cgroup         what all processes together may take (made from outside, by the judge)

and two that make no layer: `python`, what a Python needs in its root, and `hugepages`, which makes forks cheap.

A layer raises OSError where the system refuses it; none of them fails silently. Which of them this machine allows is
found out by `autograder.box.probe`, which tries them.
"""
