import os
import shutil


def attack(facts):
    """Saw off the branch: the working folder, home and the submission itself are removed."""
    for name in os.listdir("/scratch"):
        shutil.rmtree(f"/scratch/{name}", ignore_errors=True)
    return {name: "still there" for name in os.listdir("/scratch")}
