def attack(facts):
    """What is mounted tells where the course lies, if it is mounted."""
    text = open("/proc/self/mountinfo").read() + open("/proc/mounts").read()
    return {"course": text} if facts["course"] in text else {}
