import argparse

from finished import *

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, required=True)
args = parser.parse_args()
