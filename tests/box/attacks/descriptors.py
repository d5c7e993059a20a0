import os
import stat


def attack(facts):
    """Use every descriptor that is open beyond the four that are meant to be."""
    found = {}
    for number in range(4, 4096):
        try:
            kind = os.fstat(number)
        except OSError:
            continue
        found[str(number)] = oct(stat.S_IFMT(kind.st_mode))
    return found
