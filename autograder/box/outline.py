"""What the student's main file holds, told where a name is missing from it (inside the box): the standard library only.

For the student's eyes: what comes of it chooses words, never a status.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Union

from autograder.box.protocol import Outline

_MAX_TEXT = 200
_MAX_LINE = 1 << 31
# Methods that a training calls.
_TRAINS = frozenset(["backward", "apply_gradients", "minimize", "train_on_batch", "fit"])
_LOADER = re.compile(r"(?i)loader|train_iter|data_iter|^dataset$")
_MODEL_BASE = re.compile(r"(?:^|\.)(?:Module|Model|Sequential|Layer)$")
# What a training begins with: the model, the loss, the optimizer.
_BEGINS = re.compile(r"^(?:\w+Loss|SGD|Adam\w*|RMSprop|Adagrad|Sequential|Model)$")
_Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]  # noqa: UP007 - Python 3.9 knows no `X | Y` here
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def outline_of(source: str, missing: str) -> Outline:
    """Return what a file holds in place of `missing`.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: what cannot be parsed; the caller goes without.
    """
    body = list(_top_level(ast.parse(source).body))
    models = [node.name for node in body if isinstance(node, ast.ClassDef) and _is_model(node)]
    trainers = [node for node in body if isinstance(node, _FUNCTIONS) and _trains(node, frozenset())]
    # The lesson's train(dataloader, …) before any other: it is the one that the handout speaks of.
    trainers.sort(key=lambda node: not _takes_loader(node))
    first, last = _training_lines(body, models, frozenset(node.name for node in trainers))
    owner, line = _definition_inside(body, missing)
    return Outline(
        model=models[0][:_MAX_TEXT] if models else "",
        trainer=_shown(trainers[0])[:_MAX_TEXT] if trainers else "",
        takes_loader=bool(trainers) and _takes_loader(trainers[0]),
        first_line=min(first, _MAX_LINE),
        last_line=min(last, _MAX_LINE),
        inside=owner[:_MAX_TEXT],
        inside_line=min(line, _MAX_LINE),
    )


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield a module's statements, those under `if __name__ == "__main__":` too."""
    for node in body:
        if isinstance(node, ast.If) and "__name__" in ast.dump(node.test):
            yield from node.body
        else:
            yield node


def _is_model(node: ast.ClassDef) -> bool:
    methods = {item.name for item in node.body if isinstance(item, _FUNCTIONS)}
    return bool(methods & {"forward", "call"}) or any(_MODEL_BASE.search(ast.unparse(base)) for base in node.bases)


def _calls(node: ast.AST) -> Iterator[str]:
    """Yield what is called anywhere in a statement: `backward` of loss.backward(), `train` of train(…)."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            name = getattr(inner.func, "attr", None) or getattr(inner.func, "id", None)
            if isinstance(name, str):
                yield name


def _trains(node: ast.stmt, trainers: frozenset[str]) -> bool:
    return any(name in _TRAINS or name in trainers for name in _calls(node))


def _parameters(node: _Function) -> list[str]:
    return [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]


def _takes_loader(node: _Function) -> bool:
    return any(_LOADER.search(name) for name in _parameters(node))


def _shown(node: _Function) -> str:
    return f"{node.name}({', '.join(_parameters(node))})"


def _training_lines(body: list[ast.stmt], models: list[str], trainers: frozenset[str]) -> tuple[int, int]:
    """Return the first and the last line of the statements that train, from where the model is made; 0, 0 for none."""
    plain = [node for node in body if not isinstance(node, (*_FUNCTIONS, ast.ClassDef))]
    training = [node for node in plain if _trains(node, trainers)]
    if not training:
        return 0, 0
    made = [node for node in plain if any(name in models or _BEGINS.match(name) for name in _calls(node))]
    first = min(node.lineno for node in (*training, *made))
    return first, max(node.end_lineno or node.lineno for node in training)


def _definition_inside(body: list[ast.stmt], missing: str) -> tuple[str, int]:
    """Return the class or function that holds the definition of `missing`, and its line; nothing where none does."""
    for node in body:
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            for inner in ast.walk(node):
                if inner is not node and isinstance(inner, (*_FUNCTIONS, ast.ClassDef)) and inner.name == missing:
                    return node.name, inner.lineno
    return "", 0
