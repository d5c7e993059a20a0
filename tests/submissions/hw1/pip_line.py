!pip install numpy
from finished import *
