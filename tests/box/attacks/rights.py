import os

import numpy


def attack(facts):
    """What rights the threads of this process have, as the kernel says: all of them, those of libraries too."""
    numpy.ones((600, 600)) @ numpy.ones((600, 600))
    found = {}
    for thread in os.listdir("/proc/self/task"):
        fields = dict(line.split(":", 1) for line in open(f"/proc/self/task/{thread}/status") if ":" in line)
        state = {"NoNewPrivs": "1", "Seccomp": "2"}
        found |= {name: value for name, value in fields.items() if name.startswith("Cap") and int(value, 16)}
        found |= {name: fields[name] for name, wanted in state.items() if fields[name].strip() != wanted}
    return found
