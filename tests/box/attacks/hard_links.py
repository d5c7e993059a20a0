import os


def attack(facts):
    """Names without content: a folder of the kernel's memory."""
    open("file", "w").close()
    count = 0
    try:
        while count < 30_000:
            os.link("file", f"{'x' * 200}{count}")
            count += 1
    except OSError:
        pass
    return {} if count < 20_000 else {"links": count}
