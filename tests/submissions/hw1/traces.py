import sys

from finished import *


def tracer(frame, event, argument):
    raise SystemExit("nobody goes on from here")


sys.settrace(tracer)
