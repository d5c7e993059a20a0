from finished import *

In [3]: p = train_and_perceptron()
Out[3]: 1
