import os

from common import gained, read


def attack(facts):
    """What /proc tells of the whole machine and of the judge's user, whatever the namespaces are."""
    places = ("keys", "key-users", "locks", "sys/fs/file-nr", "sys/fs/inode-nr", "sys/fs/dentry-state")
    return gained(**{name: (lambda name=name: read(f"/proc/{name}") or os.stat("/nowhere")) for name in places})
