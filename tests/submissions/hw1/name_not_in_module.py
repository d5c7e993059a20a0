from random import randit
from finished import *
