import os

from common import gained, read


def attack(facts):
    os.symlink(facts["secret_file"], "link")
    os.symlink(facts["course"], "folder")
    name = os.path.basename(facts["secret_file"])
    return gained(
        link=lambda: read("link"),
        folder=lambda: os.listdir("folder"),
        inside=lambda: read("folder/" + name),
        hard=lambda: os.link(facts["secret_file"], "hard"),
    )
