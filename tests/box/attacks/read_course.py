import os

from common import gained, read


def attack(facts):
    found = gained(
        hidden=lambda: read(facts["secret_file"]),
        course=lambda: os.listdir(facts["course"]),
        stat=lambda: os.stat(facts["secret_file"]).st_size,
        through_self=lambda: read("/proc/self/root" + facts["secret_file"]),
        through_init=lambda: read("/proc/1/root" + facts["secret_file"]),
        through_cwd=lambda: read("/proc/1/cwd/../../../../../.." + facts["secret_file"]),
    )
    return found
