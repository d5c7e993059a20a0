import os

from finished import *

os._exit(0)
