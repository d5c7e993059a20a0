import os


def attack(facts):
    kept = []
    try:
        while len(kept) < 600:
            kept.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    for number in kept:
        os.close(number)
    return {} if len(kept) < 300 else {"files": len(kept)}
