import logging
import sys
import warnings

from finished import *

logging.basicConfig(level=logging.DEBUG)
print("importing 感知机 …")


class Perceptron(Perceptron):
    def predict(self, input_vec):
        output = super().predict(input_vec)
        print("predict", input_vec, "->", output)
        print("\x1b[31mred\x1b[0m \x00 \r 100%|██████████|", end="", file=sys.stderr)
        sys.stdout.buffer.write(b"\xff\xfe not UTF-8 \n")
        logging.debug("bias %s", self.bias)
        warnings.warn("numpy warns like this", stacklevel=2)
        return output
