#!/usr/bin/env python
# -*- coding: UTF-8 -*-

from functools import reduce


class Perceptron(object):
    def __init__(self, input_num, activator):
        '''
        初始化感知器，设置输入参数的个数，以及激活函数。
        激活函数的类型为double -> double
        '''
        self.activator = activator
        # 权重向量初始化为0
        self.weights = [0.0 for _ in range(input_num)]
        # 偏置项初始化为0
        self.bias = 0.0

    def __str__(self):
        '''
        打印学习到的权重、偏置项
        '''
        return 'weights\t:%s\nbias\t:%f\n' % (self.weights, self.bias)

    def predict(self, input_vec):
        '''
        输入向量，输出感知器的计算结果
        '''
        return self.activator(
            reduce(lambda a, b: a + b,
                   list(map(lambda x_w: x_w[0] * x_w[1],
                            zip(input_vec, self.weights))),
                   0.0) + self.bias)

    def train(self, input_vecs, labels, iteration, rate):
        for i in range(iteration):
            self._one_iteration(input_vecs, labels, rate)

    def _one_iteration(self, input_vecs, labels, rate):
        samples = zip(input_vecs, labels)
        for (input_vec, label) in samples:
            output = self.predict(input_vec)
            self._update_weights(input_vec, output, label, rate)

    def _update_weights(self, input_vec, output, label, rate):
        delta = label - output
        self.weights = list(map(
            lambda x_w: x_w[1] + rate * delta * x_w[0],
            zip(input_vec, self.weights)))
        self.bias += rate * delta


def f(x):
    return 1 if x > 0 else 0


def get_training_dataset():
    input_vecs = [[1, 1], [0, 0], [1, 0], [0, 1]]
    labels = [1, 0, 0, 0]
    return input_vecs, labels


def train_and_perceptron():
    p = Perceptron(2, f)
    input_vecs, labels = get_training_dataset()
    p.train(input_vecs, labels, 10, 0.1)
    return p


def errors(perceptron, input_vecs, labels):
    n = 0
    for i in range(len(labels)):
        if perceptron.predict(input_vecs[i]) != labels[i]:
            n += 1
    return n


def xor(input_vec):
    x, _ = get_training_dataset()
    p_or = Perceptron(2, f)
    p_or.train(x, [1, 0, 1, 1], 20, 0.1)
    p_nand = Perceptron(2, f)
    p_nand.train(x, [0, 1, 1, 1], 20, 0.1)
    p_and = train_and_perceptron()
    return p_and.predict([p_or.predict(input_vec), p_nand.predict(input_vec)])


if __name__ == '__main__':
    and_perception = train_and_perceptron()
    print(and_perception)
    print('1 and 1 = %d' % and_perception.predict([1, 1]))
