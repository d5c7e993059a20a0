from finished import *
from my_utils import plot_line
