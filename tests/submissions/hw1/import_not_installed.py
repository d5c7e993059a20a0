from perceptron_toolbox_of_nobody import Perceptron

from finished import *
