import os
import sys


def attack(facts):
    """Walk the whole root for the secret's file name."""
    name = os.path.basename(facts["secret_file"])
    skipped = ("/proc", "/sys", "/usr", sys.prefix, sys.base_prefix)
    found = {}
    for folder, folders, files in os.walk("/"):
        if folder.startswith(skipped):
            folders.clear()
        elif name in files:
            found[folder] = name
    return found
