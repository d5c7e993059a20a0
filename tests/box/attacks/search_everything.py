import os


def attack(facts):
    """Walk the whole root for the secret's file name."""
    name = os.path.basename(facts["secret_file"])
    skipped = ("/proc", "/sys", "/usr")
    found = {}
    for folder, _, files in os.walk("/"):
        if not folder.startswith(skipped) and name in files:
            found[folder] = name
    return found
