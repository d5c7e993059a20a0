from finished import *

运行结果如下：
print(train_and_perceptron().weights)
