from finished import *

Epoch 1/20, loss = 0.25
Epoch 2/20, loss = 0.00
