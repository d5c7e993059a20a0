import os
import re


def attack(facts):
    own = open("/proc/self/environ", errors="replace").read()
    return {"found": found[0]} if (found := re.search("SECRET-[0-9a-f]{32}", str(dict(os.environ)) + own)) else {}
