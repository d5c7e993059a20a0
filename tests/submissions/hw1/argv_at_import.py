import sys

from finished import *

ROUNDS = int(sys.argv[1])
