from finished import *


table = {pair: 0 for pair in PAIRS}
