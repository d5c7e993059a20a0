from finished import *


del xor, errors
