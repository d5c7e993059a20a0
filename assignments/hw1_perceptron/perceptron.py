"""Homework 1: a perceptron that learns logic gates."""

from collections.abc import Callable

Vector = list[float]

PAIRS: list[Vector] = [[1, 1], [0, 0], [1, 0], [0, 1]]  # every pair of inputs that a logic gate can get


def f(x: float) -> int:
    """Return 1 where ``x`` is greater than 0, else 0: the step function.

    Args:
        x: one number.

    Returns:
        1 or 0; f(0) is 0.
    """
    # BEGIN SOLUTION (Task 1.1: f)
    raise NotImplementedError("Task 1.1: f")
    # END SOLUTION


class Perceptron:
    """A single neuron with an activation function.

    Attributes:
        weights: one number for each input.
        bias: one number.
    """

    def __init__(self, input_num: int, activator: Callable[[float], int]) -> None:
        """Make a perceptron that has learned nothing yet: all weights and the bias are 0.

        Args:
            input_num: how many numbers an input vector has.
            activator: the activation function; takes a number, returns a number.
        """
        # BEGIN SOLUTION (Task 1.2: __init__)
        raise NotImplementedError("Task 1.2: __init__")
        # END SOLUTION

    def __str__(self) -> str:
        """Return weights and bias as text, for your own prints."""
        return f"weights: {self.weights}  bias: {self.bias}"

    def predict(self, input_vec: Vector) -> int:
        """Return activator(w·x + b).

        Args:
            input_vec: one input vector, a list of ``input_num`` numbers.

        Returns:
            What the activator says; with ``f`` that is 0 or 1.
        """
        # BEGIN SOLUTION (Task 1.2: predict)
        raise NotImplementedError("Task 1.2: predict")
        # END SOLUTION

    def train(self, input_vecs: list[Vector], labels: list[int], iteration: int, rate: float) -> None:
        """Go through all samples, in their order, ``iteration`` times; correct weights and bias after each sample.

        Args:
            input_vecs: n input vectors.
            labels: n labels, 0 or 1: what predict should say for each of them.
            iteration: number of rounds through all samples.
            rate: learning rate.
        """
        # BEGIN SOLUTION (Task 1.3: train)
        raise NotImplementedError("Task 1.3: train")
        # END SOLUTION


def train_and_perceptron() -> Perceptron:
    """Return a perceptron that has been trained on the truth table of AND."""
    # BEGIN SOLUTION (Task 1.4: train_and_perceptron)
    raise NotImplementedError("Task 1.4: train_and_perceptron")
    # END SOLUTION


def errors(perceptron: Perceptron, input_vecs: list[Vector], labels: list[int]) -> int:
    """Count the samples for which the perceptron predicts something else than the label.

    Args:
        perceptron: stays as it is.
        input_vecs: n input vectors.
        labels: n labels, 0 or 1.

    Returns:
        A number from 0 to n.
    """
    # BEGIN SOLUTION (Task 1.5: errors)
    raise NotImplementedError("Task 1.5: errors")
    # END SOLUTION


def xor(input_vec: Vector) -> int:
    """Return 1 where exactly one of the two inputs is 1, by three trained perceptrons.

    Args:
        input_vec: two inputs, each 0 or 1.

    Returns:
        0 or 1.
    """
    # BEGIN SOLUTION (Task 1.6: xor)
    raise NotImplementedError("Task 1.6: xor")
    # END SOLUTION


if __name__ == "__main__":
    print("AND:", train_and_perceptron())
    for pair in PAIRS:
        print(f"xor({pair}) = {xor(pair)}")
