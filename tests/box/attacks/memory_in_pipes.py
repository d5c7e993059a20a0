import os


def attack(facts):
    total, ends = 0, []
    try:
        while total < 1 << 30:
            read, write = os.pipe()
            ends.append((read, write))
            os.set_blocking(write, False)
            while True:
                try:
                    total += os.write(write, bytes(1 << 16))
                except BlockingIOError:
                    break
    except OSError:
        pass
    return {} if total < 128 << 20 else {"bytes": total}
