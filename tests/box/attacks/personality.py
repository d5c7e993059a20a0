from common import gained, system_call


def attack(facts):
    """Read for execute, no randomised addresses, another machine's name."""
    return gained(
        addresses=lambda: system_call(135, 0x0040000),
        executable=lambda: system_call(135, 0x0400000),
        name=lambda: system_call(135, 0x0020000),
    )
