%matplotlib inline
from finished import *
