import os
import shutil
from pathlib import Path

from finished import *

shutil.rmtree(Path(__file__).parent, ignore_errors=True)
assert not os.path.exists(__file__)


def errors(perceptron, input_vecs, labels):
    return len(labels) / 0
