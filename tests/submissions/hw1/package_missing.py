from finished import *
from mxnet import autograd, nd
