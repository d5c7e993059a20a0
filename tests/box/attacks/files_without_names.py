import os

from common import gained


def attack(facts):
    """Ways to a file that can be written which open by name is not."""
    libraries = os.path.dirname(os.__file__)
    shared = f"{libraries}/this.py"  # which nobody would miss
    reader, held = os.open(shared, os.O_RDONLY), os.open(shared, os.O_PATH)
    with open("own", "w") as own:
        own.write("x")

    def opened(path, flags):
        os.close(os.open(path, flags, 0o600))
        return path

    return gained(
        unnamed=lambda: opened(libraries, os.O_TMPFILE | os.O_RDWR),
        unnamed_root=lambda: opened("/", os.O_TMPFILE | os.O_RDWR),
        unnamed_devices=lambda: opened("/dev", os.O_TMPFILE | os.O_RDWR),
        again=lambda: opened(f"/proc/self/fd/{reader}", os.O_RDWR),
        by_path=lambda: opened(f"/proc/self/fd/{held}", os.O_RDWR),
        emptied=lambda: opened(f"/proc/self/fd/{reader}", os.O_RDONLY | os.O_TRUNC),
        moved=lambda: os.rename("own", f"{libraries}/own.py"),
        linked=lambda: os.link("own", f"{libraries}/own.py"),
        linked_fd=lambda: os.link(f"/proc/self/fd/{reader}", "linked", follow_symlinks=True),
        pipe=lambda: os.mkfifo(f"{libraries}/own.py"),
        folder=lambda: os.mkdir(f"{libraries}/own"),
        attribute=lambda: os.setxattr(shared, "user.own", b"x"),
    )
