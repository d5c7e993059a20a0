import ctypes
import os
import shutil
import subprocess

from common import gained


def attack(facts):
    def script():
        with open("script", "w") as file:
            file.write("#!/bin/sh\n")
        os.chmod("script", 0o4755)
        return subprocess.run(["./script"], check=True)

    def library():
        source = next(line.split()[-1] for line in open("/proc/self/maps") if "/libc" in line)
        shutil.copy(source, "own.so")
        return ctypes.CDLL(os.path.abspath("own.so"))

    def shell():
        if os.system("true") != 0:
            raise OSError

    return gained(
        run=lambda: subprocess.run(["/bin/true"], check=True),
        shell=shell,
        script=script,
        library=library,
        spawn=lambda: os.posix_spawn("/bin/true", ["true"], {}),
        setuid=lambda: subprocess.run(["/usr/bin/su"], check=True),
        popen=lambda: os.popen("true").close(),
    )
