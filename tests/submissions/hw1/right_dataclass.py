"""Typed, with a dataclass, slots, properties, keyword-only helpers and names that shadow builtins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar, Final

Vector = Sequence[float]
Activator = Callable[[float], bool]
INPUTS: Final[list[list[float]]] = [[1, 1], [0, 0], [1, 0], [0, 1]]
max = 20  # a student's own constant
call = get = boxes = "names of their own"
_Submission__boxes = _RemoteObject__core = None


def f(x: float) -> bool:
    """The step function; True is as good as 1."""
    return x > 0


@dataclass(slots=True, eq=False)
class Perceptron:
    input_num: int
    activator: Activator
    _parameters: list[float] = field(init=False)
    call: ClassVar[str] = "a class attribute of their own"

    def __post_init__(self) -> None:
        self._parameters = [0.0] * (self.input_num + 1)

    @property
    def weights(self) -> tuple[float, ...]:
        return tuple(self._parameters[:-1])

    @property
    def bias(self) -> float:
        return self._parameters[-1]

    def predict(self, input_vec: Vector) -> bool:
        return self.activator(sum(p * x for p, x in zip(self._parameters, (*input_vec, 1.0), strict=True)))

    def train(self, input_vecs: Sequence[Vector], labels: Sequence[int], iteration: int, rate: float) -> Perceptron:
        for _ in range(iteration):
            for vec, label in zip(input_vecs, labels, strict=True):
                step = rate * (label - self.predict(vec))
                self._parameters = [p + step * x for p, x in zip(self._parameters, (*vec, 1.0), strict=True)]
        return self


@cache
def gate(*labels: int) -> Perceptron:
    return Perceptron(2, f).train(INPUTS, labels, iteration=max, rate=0.5)


def train_and_perceptron() -> Perceptron:
    return gate(1, 0, 0, 0)


def errors(perceptron: Perceptron, input_vecs: Sequence[Vector], labels: Sequence[int]) -> int:
    return len([1 for vec, label in zip(input_vecs, labels, strict=True) if perceptron.predict(vec) is not bool(label)])


def xor(input_vec: Vector) -> float:
    return float(gate(1, 0, 0, 0).predict([gate(1, 0, 1, 1).predict(input_vec), gate(0, 1, 1, 1).predict(input_vec)]))
