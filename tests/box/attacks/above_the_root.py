import os

from common import gained, read


def attack(facts):
    """Climb: the folder above the root, what was the root before, and the root as others see it."""
    top = os.open("/", os.O_RDONLY)
    return gained(
        above=lambda: read("/" + "../" * 64 + facts["secret_file"]),
        from_descriptor=lambda: os.open("../.." + facts["secret_file"], os.O_RDONLY, dir_fd=top),
        before=lambda: os.listdir("/.old"),
        of_thread=lambda: read("/proc/thread-self/root" + facts["secret_file"]),
        of_task=lambda: read(f"/proc/self/task/{os.getpid()}/root" + facts["secret_file"]),
    )
