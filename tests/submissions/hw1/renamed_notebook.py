{
 "cells": [
  {
   "cell_type": "code",
   "execution_count": null,
   "metadata": {},
   "outputs": [],
   "source": "PAIRS = [[1, 1], [0, 0], [1, 0], [0, 1]]"
  },
  {
   "cell_type": "code",
   "execution_count": null,
   "metadata": {},
   "outputs": [],
   "source": "def f(x):\n    return 1 if x > 0 else 0"
  },
  {
   "cell_type": "code",
   "execution_count": null,
   "metadata": {},
   "outputs": [],
   "source": "class Perceptron:\n    def __init__(self, input_num, activator):\n        self.activator = activator\n        self.weights = [0.0] * input_num\n        self.bias = 0.0\n\n    def predict(self, input_vec):\n        total = self.bias\n        for weight, x in zip(self.weights, input_vec):\n            total += weight * x\n        return self.activator(total)\n\n    def train(self, input_vecs, labels, iteration, rate):\n        for _ in range(iteration):\n            for input_vec, label in zip(input_vecs, labels):\n                step = rate * (label - self.predict(input_vec))\n                self.weights = [w + step * x for w, x in zip(self.weights, input_vec)]\n                self.bias += step"
  },
  {
   "cell_type": "code",
   "execution_count": null,
   "metadata": {},
   "outputs": [],
   "source": "def gate(labels):\n    perceptron = Perceptron(2, f)\n    perceptron.train(PAIRS, labels, 20, 0.1)\n    return perceptron"
  },
  {
   "cell_type": "code",
   "execution_count": null,
   "metadata": {},
   "outputs": [],
   "source": "def train_and_perceptron():\n    return gate([1, 0, 0, 0])"
  },
  {
   "cell_type": "code",
   "execution_count": null,
   "metadata": {},
   "outputs": [],
   "source": "def errors(perceptron, input_vecs, labels):\n    return sum(perceptron.predict(vec) != label for vec, label in zip(input_vecs, labels))"
  },
  {
   "cell_type": "code",
   "execution_count": null,
   "metadata": {},
   "outputs": [],
   "source": "def xor(input_vec):\n    a = gate([1, 0, 1, 1]).predict(input_vec)\n    b = gate([0, 1, 1, 1]).predict(input_vec)\n    return gate([1, 0, 0, 0]).predict([a, b])"
  }
 ],
 "metadata": {},
 "nbformat": 4,
 "nbformat_minor": 4
}