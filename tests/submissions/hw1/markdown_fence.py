```python
PAIRS = [[1, 1], [0, 0], [1, 0], [0, 1]]


def f(x):
    return 1 if x > 0 else 0


class Perceptron:
    def __init__(self, input_num, activator):
        self.activator = activator
        self.weights = [0.0] * input_num
        self.bias = 0.0

    def predict(self, input_vec):
        total = self.bias
        for weight, x in zip(self.weights, input_vec):
            total += weight * x
        return self.activator(total)

    def train(self, input_vecs, labels, iteration, rate):
        for _ in range(iteration):
            for input_vec, label in zip(input_vecs, labels):
                step = rate * (label - self.predict(input_vec))
                self.weights = [w + step * x for w, x in zip(self.weights, input_vec)]
                self.bias += step


def gate(labels):
    perceptron = Perceptron(2, f)
    perceptron.train(PAIRS, labels, 20, 0.1)
    return perceptron


def train_and_perceptron():
    return gate([1, 0, 0, 0])


def errors(perceptron, input_vecs, labels):
    return sum(perceptron.predict(vec) != label for vec, label in zip(input_vecs, labels))


def xor(input_vec):
    a = gate([1, 0, 1, 1]).predict(input_vec)
    b = gate([0, 1, 1, 1]).predict(input_vec)
    return gate([1, 0, 0, 0]).predict([a, b])

```
