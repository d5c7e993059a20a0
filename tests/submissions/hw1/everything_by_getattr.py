def __getattr__(name):
    return lambda *arguments, **options: 1


class Perceptron:
    def __init__(self, *arguments):
        pass

    def __getattr__(self, name):
        return lambda *arguments: self
