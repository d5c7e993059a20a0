from __future__ import annotations

import builtins

import numpy as np
import pytest

from autograder.box.protocol import Raised
from autograder.judge import hints
from autograder.judge.hints import hint_for
from autograder.messages import CATALOGUES


def _hint(type_name, text, **more):
    return hint_for(Raised(id=1, type_name=type_name, mro=[type_name], text=text, frames=[], **more))


# What Python and the libraries really say, and the key of the hint.
SAID = [
    ("SyntaxError", "Missing parentheses in call to 'print'. Did you mean print(...)?", "python2_print"),
    ("SyntaxError", "invalid character '，' (U+FF0C)", "odd_character"),
    ("SyntaxError", "invalid non-printable character U+00A0", "odd_character"),
    ("SyntaxError", "Lambda expression parameters cannot be parenthesized", "tuple_lambda"),
    ("SyntaxError", "Function parameters cannot be parenthesized", "tuple_lambda"),
    ("TabError", "inconsistent use of tabs and spaces in indentation", "indentation"),
    ("IndentationError", "unexpected indent", "indentation"),
    ("SyntaxError", "'(' was never closed", "syntax"),
    ("EOFError", "EOF when reading a line", "input"),
    ("FileNotFoundError", "[Errno 2] No such file or directory: 'data.csv'", "file_not_found"),
    ("RuntimeError", "mat1 and mat2 shapes cannot be multiplied (4x3 and 2x5)", "shapes"),
    ("InvalidArgumentError", "Matrix size-incompatible: In[0]: [4,3], In[1]: [2,5]", "shapes"),
    ("ValueError", "Input 0 of layer is incompatible with the layer: expected axis -1", "shapes"),
    ("RuntimeError", "The size of tensor a (3) must match the size of tensor b (4)", "shapes"),
    ("ValueError", "operands could not be broadcast together with shapes (3,) (4,)", "shapes"),
    ("AssertionError", "Torch not compiled with CUDA enabled", "no_cuda"),
    ("RuntimeError", "Found no NVIDIA driver on your system.", "no_cuda"),
    ("RuntimeError", "Cannot access accelerator device when none is available.", "no_cuda"),
    ("AttributeError", "module 'torch._C' has no attribute '_cuda_setDevice'", "no_cuda"),
    ("NotImplementedError", "Could not run 'aten::empty' with arguments from the 'MPS' backend.", "no_cuda"),
    ("InvalidArgumentError", "Could not satisfy device specification '/job:localhost/device:GPU:3'.", "no_cuda"),
    ("RuntimeError", "Expected all tensors to be on the same device, but found at least two", "same_device"),
    ("RuntimeError", "mat1 and mat2 must have the same dtype, but got Double and Float", "dtype"),
    ("RuntimeError", "Found dtype Double but expected Float", "dtype"),
    ("RuntimeError", "expected scalar type Float but found Double", "dtype"),
    ("RuntimeError", "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy()", "detach"),
    ("RuntimeError", "element 0 of tensors does not require grad and does not have a grad_fn", "no_grad"),
    ("TypeError", "'map' object is not subscriptable", "iterator"),
    ("TypeError", "object of type 'zip' has no len()", "iterator"),
    ("TypeError", "unsupported operand type(s) for +: 'map' and 'int'", "iterator"),
    ("TypeError", "fit() takes 2 positional arguments but 3 were given", "signature"),
    ("TypeError", "fit() got an unexpected keyword argument 'seed'", "signature"),
    ("TypeError", "fit() missing 1 required keyword-only argument: 'seed'", "signature"),
    ("NameError", "name 'xrange' is not defined", "python2_name"),
    ("NameError", "name 'reduce' is not defined", "python2_name"),
    ("UnboundLocalError", "cannot access local variable 'w' where it is not associated", "python2_name"),
    ("NameError", "name 'get_ipython' is not defined", "exported_notebook"),
    ("NameError", "name 'nn' is not defined", "name"),
    ("RecursionError", "maximum recursion depth exceeded", "recursion"),
    ("ValueError", "whatever", ""),
    ("KeyError", "'w'", ""),
    ("ZeroDivisionError", "division by zero", ""),
]


@pytest.mark.parametrize(
    ("type_name", "text", "key"),
    [
        *SAID,
        ("TypeError", "'NoneType' object is not subscriptable", ""),
        ("TypeError", "'float' object is not subscriptable", ""),
    ],
)
def test_hint_by_what_was_said(type_name, text, key):
    assert _hint(type_name, text) == (CATALOGUES["en"][f"hint.{key}"] if key else "")


def test_every_pattern_is_tried_here():
    reached = {key for _, _, key in SAID if key}
    assert {pattern.key.removeprefix("hint.") for pattern in hints._PATTERNS} == reached


@pytest.mark.parametrize(
    ("missing", "package"),
    [("sklearn", "scikit-learn"), ("sklearn.svm", "scikit-learn"), ("PIL", "pillow"), ("d2l", "d2l")],
)
def test_a_missing_module_comes_with_its_pip_line(missing, package):
    hint = _hint("ModuleNotFoundError", f"No module named '{missing}'", missing=missing)
    assert hint == f"{missing} is not installed here. Do without it, or: python -m pip install {package}"


def _raise(code):
    try:
        exec(compile(code, "x.py", "exec"), {"np": np, "__builtins__": vars(builtins)})
    except Exception as error:  # noqa: BLE001 - whatever it is, is what is asked for
        return type(error).__name__, error.msg if isinstance(error, SyntaxError) else str(error)
    pytest.fail("did not raise")


@pytest.mark.parametrize(
    ("code", "key"),
    [
        ("print 'x'", "python2_print"),
        ("f = lambda (a, b): a", "tuple_lambda"),
        ("x = “1”", "odd_character"),
        ("x = 1，2", "odd_character"),
        ("if 1:\n\tx\n        y", "indentation"),
        ("x = 1\n  y = 2", "indentation"),
        ("x = (1", "syntax"),
        ("open('no such file')", "file_not_found"),
        ("np.ones((3,)) + np.ones((4,))", "shapes"),
        ("map(abs, [1])[0]", "iterator"),
        ("zip([1]) + [1]", "iterator"),
        ("len(map(abs, [1]))", "iterator"),
        ("xrange(3)", "python2_name"),
        ("abs()", ""),
        ("def f(): return f()\nf()", "recursion"),
        ("def f(a): pass\nf(1, 2)", "signature"),
        ("def f(*, a): pass\nf()", "signature"),
        ("def f(a): pass\nf(b=1)", "signature"),
    ],
)
def test_what_this_python_says_is_recognised(code, key):
    assert _hint(*_raise(code)) == (CATALOGUES["en"][f"hint.{key}"] if key else "")
