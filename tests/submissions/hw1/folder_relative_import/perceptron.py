from .neuron import Perceptron, f


def xor(input_vec):
    return input_vec[0] ^ input_vec[1]
