PAIRS = [[1, 1], [0, 0], [1, 0], [0, 1]]


def f(x):
    return 1 if x > 0 else 0


class Perceptron:
    weights = []

    def __init__(self, input_num, activator):
        self.activator = activator
        self.weights[:] = [0.0] * input_num
        self.bias = 0.0

    def predict(self, input_vec):
        return self.activator(sum(w * x for w, x in zip(self.weights, input_vec)) + self.bias)

    def train(self, input_vecs, labels, iteration, rate):
        for _ in range(iteration):
            for input_vec, label in zip(input_vecs, labels):
                delta = label - self.predict(input_vec)
                for i, x in enumerate(input_vec):
                    self.weights[i] += rate * delta * x
                self.bias += rate * delta


def train_and_perceptron():
    p = Perceptron(2, f)
    p.train(PAIRS, [1, 0, 0, 0], 10, 0.1)
    return p


def errors(perceptron, input_vecs, labels):
    return sum(perceptron.predict(vec) != label for vec, label in zip(input_vecs, labels))


def gate(labels):
    p = Perceptron(2, f)
    p.train(PAIRS, labels, 20, 0.1)
    return p


def xor(input_vec):
    or_gate, nand_gate, and_gate = gate([1, 0, 1, 1]), gate([0, 1, 1, 1]), gate([1, 0, 0, 0])
    return and_gate.predict([or_gate.predict(input_vec), nand_gate.predict(input_vec)])
