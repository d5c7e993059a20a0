def attack(facts):
    """What rights this process has, as the kernel says."""
    fields = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    rights = {name: value for name, value in fields.items() if name.startswith("Cap") and int(value, 16)}
    state = {"NoNewPrivs": "1", "Seccomp": "2"}
    return rights | {name: fields[name] for name, wanted in state.items() if fields[name].strip() != wanted}
