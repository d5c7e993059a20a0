from __future__ import annotations

import builtins

import numpy as np
import pytest

from autograder.box.protocol import Frame, Raised
from autograder.judge import hints
from autograder.judge.hints import hint_for
from autograder.messages import CATALOGUES


def _hint(type_name, text, **more):
    return hint_for(Raised(**{"id": 1, "type_name": type_name, "mro": [type_name], "text": text, "frames": []} | more))


# What Python and the libraries really say, and the key of the hint.
SAID = [
    ("EOFError", "EOF when reading a line", "input"),
    ("FileNotFoundError", "[Errno 2] No such file or directory: 'data.csv'", "file_not_found"),
    ("ValueError", "File not found: filepath=model.keras. Please ensure the file is an accessible", "file_not_found"),
    ("URLError", "<urlopen error [Errno -2] Name or service not known>", "no_network"),
    ("Exception", "URL fetch failure on https://a.b/train.gz: None -- Name or service not known", "no_network"),
    ("ConnectionRefusedError", "[Errno 111] Connection refused", "no_network"),
    ("OSError", "[Errno 97] Address family not supported by protocol", "no_network"),
    ("OSError", "[Errno 101] Network is unreachable", "no_network"),
    ("RuntimeError", "It looks like there is no internet connection and the repo could not be found", "no_network"),
    ("UsageError", "api_key not configured (no-tty). call wandb.login(key=[your_api_key])", "no_network"),
    ("DatasetNotMounted", "MNIST is not here: nothing can be downloaded while grading", "dataset_not_mounted"),
    ("RuntimeError", "Dataset not found. You can use download=True to download it", "dataset_not_mounted"),
    ("RuntimeError", "operator torchvision::nms does not exist", "torchvision_mismatch"),
    ("TclError", "no display name and no $DISPLAY environment variable", "no_windows"),
    ("RuntimeError", "mat1 and mat2 shapes cannot be multiplied (4x3 and 2x5)", "shapes"),
    ("InvalidArgumentError", "Matrix size-incompatible: In[0]: [4,3], In[1]: [2,5]", "shapes"),
    ("ValueError", "Input 0 of layer is incompatible with the layer: expected axis -1", "shapes"),
    ("RuntimeError", "The size of tensor a (3) must match the size of tensor b (4)", "shapes"),
    ("ValueError", "operands could not be broadcast together with shapes (3,) (4,)", "shapes"),
    ("ValueError", "Arguments `target` and `output` must have the same rank (ndim). Received: …", "shapes"),
    ("RuntimeError", "shape '[-1, 784]' is invalid for input of size 100", "shapes"),
    ("AssertionError", "Torch not compiled with CUDA enabled", "no_cuda"),
    ("RuntimeError", "Found no NVIDIA driver on your system.", "no_cuda"),
    ("RuntimeError", "Cannot access accelerator device when none is available.", "no_cuda"),
    ("AttributeError", "module 'torch._C' has no attribute '_cuda_setDevice'", "no_cuda"),
    ("NotImplementedError", "Could not run 'aten::empty' with arguments from the 'MPS' backend.", "no_cuda"),
    ("InvalidArgumentError", "Could not satisfy device specification '/job:localhost/device:GPU:3'.", "no_cuda"),
    ("RuntimeError", "CUDA error: invalid device ordinal", "device_number"),
    ("RuntimeError", "Expected one of cpu, cuda device type at start of device string: gpu", "device_number"),
    ("RuntimeError", "Expected all tensors to be on the same device, but found at least two", "same_device"),
    ("TypeError", "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu()", "to_cpu"),
    ("RuntimeError", "expected target dtype to be Long or Byte, but got Float", "class_labels"),
    ("RuntimeError", "expected scalar type Long but found Float", "class_labels"),
    ("RuntimeError", "0D or 1D target tensor expected, multi-target not supported", "class_labels"),
    ("RuntimeError", "\"nll_loss_forward_reduce_cuda_kernel_2d_index\" not implemented for 'Int'", "class_labels"),
    ("IndexError", "Target 10 is out of bounds.", "label_range"),
    ("InvalidArgumentError", "Received a label value of 12 which is outside the valid range of [0, 10)", "label_range"),
    ("RuntimeError", "mat1 and mat2 must have the same dtype, but got Double and Float", "dtype"),
    ("RuntimeError", "Found dtype Double but expected Float", "dtype"),
    ("RuntimeError", "expected scalar type Float but found Double", "dtype"),
    ("InvalidArgumentError", "cannot compute AddV2 as input #1 was expected to be a float tensor but is", "dtype"),
    ("TypeError", "linear(): argument 'input' (position 1) must be Tensor, not numpy.ndarray", "to_tensor"),
    ("RuntimeError", "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy()", "detach"),
    ("RuntimeError", "element 0 of tensors does not require grad and does not have a grad_fn", "no_grad"),
    ("RuntimeError", "Trying to backward through the graph a second time (or directly access", "second_backward"),
    ("RuntimeError", "a leaf Variable that requires grad is being used in an in-place operation.", "update_in_no_grad"),
    ("IndexError", "invalid index of a 0-dim tensor. Use `tensor.item()` in Python", "item"),
    ("UnpicklingError", "Weights only load failed. This file can still be loaded", "state_dict"),
    ("ValueError", "Expected more than 1 value per channel when training, got input size", "eval_mode"),
    ("RuntimeError", "all elements of input should be between 0 and 1", "probabilities"),
    ("RuntimeError", "tf.placeholder() is not compatible with eager execution.", "tensorflow1"),
    ("TypeError", "unsupported operand type(s) for >>: 'builtin_function_or_method' and 'x'", "python2_print"),
    ("TypeError", "can't multiply sequence by non-int of type 'float'", "whole_division"),
    ("TypeError", "'float' object cannot be interpreted as an integer", "whole_division"),
    ("TypeError", "list indices must be integers or slices, not float", "whole_division"),
    ("TypeError", "'map' object is not subscriptable", "iterator"),
    ("TypeError", "object of type 'zip' has no len()", "iterator"),
    ("TypeError", "unsupported operand type(s) for +: 'map' and 'int'", "iterator"),
    ("TypeError", "'dict_keys' object is not subscriptable", "make_list"),
    ("AttributeError", "'range' object has no attribute 'sort'", "make_list"),
    ("ValueError", "The truth value of an array with more than one element is ambiguous.", "truth_of_array"),
    ("RuntimeError", "Boolean value of Tensor with more than one value is ambiguous", "truth_of_array"),
    ("ValueError", "expected sequence of length 2 at dim 1 (got 1)", "rows_of_one_length"),
    ("UnicodeDecodeError", "'utf-8' codec can't decode byte 0xd6 in position 0", "open_encoding"),
    ("NameError", "name 'xrange' is not defined", "python2_name"),
    ("NameError", "name 'reduce' is not defined", "python2_name"),
    ("NameError", "name 'unichr' is not defined", "python2_name"),
    ("UnboundLocalError", "cannot access local variable 'w' where it is not associated", "python2_name"),
    ("NameError", "name 'get_ipython' is not defined", "exported_notebook"),
    ("NameError", "name 'In' is not defined", "prompts"),
    ("NameError", "name '作业完成' is not defined", "prose"),
    ("NameError", "name 'nn' is not defined", "name"),
    ("RecursionError", "maximum recursion depth exceeded", "recursion"),
    ("ValueError", "whatever", ""),
    ("KeyError", "'w'", ""),
    ("ZeroDivisionError", "division by zero", ""),
    ("TypeError", "'NoneType' object is not subscriptable", "none"),
    ("AttributeError", "'NoneType' object has no attribute 'append'", "none"),
    ("TypeError", "Perceptron.predict() takes 1 positional argument but 2 were given", "method"),
    ("TypeError", "'float' object is not subscriptable", ""),
    ("TypeError", "list indices must be integers or slices, not str", ""),
]
# What depends on the line that it happened on, too.
SAID_ON_A_LINE = [
    ("IndexError", "list index out of range", "rounds = int(sys.argv[1])", "command_line"),
    ("IndexError", "list index out of range", "row = rows[3]", ""),
    ("SystemExit", "2", "args = parser.parse_args()", "command_line"),
    ("SystemExit", "2", "args, _ = parser.parse_known_args()", "command_line"),
    ("SystemExit", "2", "sys.exit(2)", ""),
]


def _key(hint):
    """Return the key of a hint without placeholders. Hints for refused calls say some of the same sentences."""
    keys = [key.removeprefix("hint.") for key, said in CATALOGUES["en"].items() if hint and said == hint]
    return min(keys, key=lambda key: key.startswith("forbidden_"), default=hint)


@pytest.mark.parametrize(("type_name", "text", "key"), SAID)
def test_hint_by_what_was_said(type_name, text, key):
    assert _key(_hint(type_name, text)) == key


@pytest.mark.parametrize(("type_name", "text", "line", "key"), SAID_ON_A_LINE)
def test_hint_by_the_students_line(type_name, text, line, key):
    frames = [
        Frame(file="a.py", line=3, function="", source=line, student=True),
        Frame(file="argparse.py", line=9, function="exit", source="", student=False),
    ]
    assert _key(_hint(type_name, text, frames=frames)) == key


def test_every_pattern_is_tried_here():
    reached = {key for *_, key in (*SAID, *SAID_ON_A_LINE) if key}
    assert {pattern.key.removeprefix("hint.") for pattern in hints._PATTERNS} <= reached


def test_wrong_arguments_are_compared_with_what_is_called():
    said = "train() got an unexpected keyword argument 'epochs'"
    own = [Frame(file="a.py", line=3, function="fit", source="train(epochs=3)", student=True)]
    assert _key(_hint("TypeError", said)) == "signature"  # a check's call
    assert _key(_hint("TypeError", said, frames=own)) == "arguments"


def _raise(code):
    try:
        exec(compile(code, "x.py", "exec"), {"np": np, "__builtins__": vars(builtins)})
    except Exception as error:  # noqa: BLE001 - whatever it is, is what is asked for
        return type(error).__name__, str(error)
    pytest.fail("did not raise")


@pytest.mark.parametrize(
    ("code", "key"),
    [
        ("open('no such file')", "file_not_found"),
        ("np.ones((3,)) + np.ones((4,))", "shapes"),
        ("map(abs, [1])[0]", "iterator"),
        ("zip([1]) + [1]", "iterator"),
        ("len(map(abs, [1]))", "iterator"),
        ("range(3)[0] = 1", "make_list"),
        ("range(3).sort()", "make_list"),
        ("{}.keys()[0]", "make_list"),
        ("{}.keys().sort()", "make_list"),
        ("[0] + range(3)", "make_list"),
        ("[0] * (4 / 2)", "whole_division"),
        ("range(4 / 2)", "whole_division"),
        ("x = [1, 2]\nx[4 / 4]", "whole_division"),
        ("[1, 2][:4 / 2]", "whole_division"),
        ("import sys\nprint >>sys.stderr, 'x'", "python2_print"),
        ("bool(np.ones(2) > 0)", "truth_of_array"),
        ("np.array([[1, 2], [3]], dtype=float)", "rows_of_one_length"),
        ("np.ones(3) @ np.ones((4, 2))", "shapes"),
        ("np.ones(4).reshape(3)", "shapes"),
        ("'中'.encode('gbk').decode()", "open_encoding"),
        ("xrange(3)", "python2_name"),
        ("abs()", ""),
        ("def f(): return f()\nf()", "recursion"),
        ("def f(a): pass\nf(1, 2)", "signature"),
        ("def f(*, a): pass\nf()", "signature"),
        ("def f(a): pass\nf(b=1)", "signature"),
    ],
)
def test_what_this_python_says_is_recognised(code, key):
    assert _key(_hint(*_raise(code))) == key
