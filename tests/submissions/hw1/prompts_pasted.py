>>> from finished import *
>>> p = train_and_perceptron()
>>> p.predict([1, 1])
1
