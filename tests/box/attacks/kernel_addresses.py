import re

PLACES = (
    "kallsyms", "modules", "iomem", "ioports", "kcore", "kmsg", "timer_list", "vmallocinfo", "sched_debug", "slabinfo",
    "pagetypeinfo", "self/stack", "self/wchan", "self/pagemap", "kpageflags", "1/stack", "net/unix", "net/netlink",
)  # fmt: skip
ONLY_ROOTS = frozenset(["kcore", "kmsg", "slabinfo", "vmallocinfo", "kpageflags"])
KERNEL = re.compile(rb"\b(?:0x)?f{4}[0-9a-f]{12}\b")


def attack(facts):
    """Where the kernel lies in memory: who has a hole in it needs that first."""
    found = {}
    for place in PLACES:
        try:
            with open(f"/proc/{place}", "rb", buffering=0) as file:
                content = file.read(1 << 16)
        except OSError:
            continue
        if (place in ONLY_ROOTS and content) or KERNEL.search(content):
            found[place] = content[:40].hex()
    return found
