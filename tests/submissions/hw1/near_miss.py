# One letter is wrong in the class's name.
import finished

Perception = finished.Perceptron
f = finished.f
train_and_perceptron = finished.train_and_perceptron
errors = finished.errors
XOR = finished.xor
