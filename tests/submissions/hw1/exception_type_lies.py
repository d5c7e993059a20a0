from finished import *


class Meta(type):
    __name__ = property(lambda cls: 1 / 0)
    __mro__ = None


class Nameless(Exception, metaclass=Meta):
    pass


def errors(perceptron, input_vecs, labels):
    raise Nameless("who am I?")


def xor(input_vec):
    error = SyntaxError("nowhere")
    error.filename, error.lineno, error.offset, error.text = 7, "one", 10**30, ["x"]
    raise error
