import os


def attack(facts):
    """Fill every place that can be written to."""
    total = 0
    for folder in (".", os.environ["HOME"], os.environ["TMPDIR"], "/dev/shm"):
        for number in range(100):
            try:
                with open(f"{folder}/fill{number}", "wb") as file:
                    while True:
                        total += file.write(bytes(1 << 20))
                        file.flush()
            except OSError:
                pass
    return {} if total <= 9 << 20 else {"bytes": total}
