import os

from finished import *

for _ in range(1500):
    os.mkdir("deeper")
    os.chdir("deeper")
