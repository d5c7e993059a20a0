def f(x):
    return 1 if x > 0 else 0


class Perceptron
    def __init__(self, input_num, activator):
        self.activator = activator
