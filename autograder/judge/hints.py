"""What to try, by what the student's code raised: a table of patterns, most telling first.

Patterns match the last line of a traceback, "Type: text", and some the student's line that it happened on. They choose
words only; a status never depends on them. What can't be read, imports and what libraries have renamed have modules of
their own.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from autograder.box.protocol import Raised
from autograder.judge.module_hints import import_hint
from autograder.judge.renames import rename_hint
from autograder.judge.syntax_hints import ERRORS, syntax_hint
from autograder.messages import text


class _Pattern(NamedTuple):
    regex: re.Pattern[str]
    key: str
    line: re.Pattern[str]


def _table(*rows: tuple[str, str] | tuple[str, str, str]) -> tuple[_Pattern, ...]:
    return tuple(
        _Pattern(re.compile(regex, re.IGNORECASE | re.DOTALL), key, re.compile(line[0] if line else ""))
        for regex, key, *line in rows
    )


_PATTERNS = _table(
    (r"EOFError", "hint.input"),
    (r"IndexError: list index out of range", "hint.command_line", r"\bargv\b"),
    (r"SystemExit", "hint.command_line", r"\bparse_(?:known_)?args\b"),
    (r"FileNotFoundError|ValueError: File (?:not found|format not supported)", "hint.file_not_found"),
    (r"DatasetNotMounted|Dataset not found\. You can use download", "hint.dataset_not_mounted"),
    (r"URLError|gaierror|Connection(?:Refused)?Error|ConnectTimeout|MaxRetryError", "hint.no_network"),
    (r"URL fetch failure|no internet connection|Network is unreachable|failure in name resolution", "hint.no_network"),
    (r"api_key not configured|\[Errno 97\] Address family not supported", "hint.no_network"),  # wandb; any socket
    (r"operator torchvision::nms does not exist", "hint.torchvision_mismatch"),
    (r"TclError|no display name|could not connect to display", "hint.no_windows"),
    # --- torch and keras: shapes, devices, types, gradients
    (r"mat1 and mat2 shapes cannot be multiplied|Matrix size-incompatible|incompatible with the layer", "hint.shapes"),
    (r"size of tensor .* must match|operands could not be broadcast|Incompatible shapes|mismatch in its core dimension",
     "hint.shapes"),
    (r"must have the same rank|cannot reshape array|shape '.*' is invalid for input of size", "hint.shapes"),
    (r"Torch not compiled with CUDA|No CUDA GPUs|Found no NVIDIA driver|Attempting to deserialize object on a CUDA",
     "hint.no_cuda"),
    (r"invalid device ordinal|device type at start of device string", "hint.device_number"),
    (r"expected all tensors to be on the same device", "hint.same_device"),
    (r"can't convert cuda:\d+ device type tensor to numpy|can't convert mps", "hint.to_cpu"),
    (r"expected target dtype to be Long|expected scalar type Long|multi-target not supported", "hint.class_labels"),
    (r"nll_loss.* not implemented for '(?:Int|Float)'", "hint.class_labels"),
    (r"Target -?\d+ is out of bounds|label value .* outside the valid range", "hint.label_range"),
    (r"expected (?:m1 and m2|scalar type|.* dtype)|Found dtype Double but expected Float|same dtype", "hint.dtype"),
    (r"expected to be a (?:float|double) tensor", "hint.dtype"),
    (r"must be Tensor, not (?:numpy\.ndarray|list|float|int)", "hint.to_tensor"),
    (r"Can't call numpy\(\) on Tensor that requires grad", "hint.detach"),
    (r"does not require grad and does not have a grad_fn", "hint.no_grad"),
    (r"backward through the graph a second time", "hint.second_backward"),
    (r"leaf Variable that requires grad .* in-place", "hint.update_in_no_grad"),
    (r"invalid index of a 0-dim tensor", "hint.item"),
    (r"Weights only load failed", "hint.state_dict"),
    (r"Expected more than 1 value per channel", "hint.eval_mode"),
    (r"(?:elements|values?) of input should be between 0 and 1|element of input should be", "hint.probabilities"),
    # --- older libraries
    (r"not compatible with eager execution|Session graph is empty|when eager execution is enabled", "hint.tensorflow1"),
    (r"unsupported operand type\(s\) for >>: 'builtin_function_or_method'", "hint.python2_print"),
    # --- Python itself
    (r"by non-int of type 'float'|'float' object cannot be interpreted as an integer", "hint.whole_division"),
    (r"indices must be integers or slices, not float|slice indices must be integers", "hint.whole_division"),
    (r"TypeError: .*'(?:map|zip|filter|generator)'", "hint.iterator"),
    (r"AttributeError: '(?:map|zip|filter)' object has no attribute", "hint.iterator"),
    (r"can only concatenate list \(not \"(?:map|zip|filter)\"\)", "hint.iterator"),
    (r"(?:TypeError|AttributeError): .*'(?:range|dict_keys|dict_values|dict_items)'", "hint.make_list"),
    (r"can only concatenate list \(not \"(?:range|dict_keys|dict_values)\"\)", "hint.make_list"),
    (r"'NoneType' object (?:has no attribute|is not)", "hint.none"),
    (r"truth value of an array|Boolean value of Tensor", "hint.truth_of_array"),
    (r"inhomogeneous shape|expected sequence of length", "hint.rows_of_one_length"),
    (r"UnicodeDecodeError", "hint.open_encoding"),
    (r"NameError: name 'get_ipython'", "hint.exported_notebook"),
    (r"NameError: name '(?:In|Out)'", "hint.prompts"),
    (r"NameError: name '[\u4e00-\u9fff]+'", "hint.prose"),
    (r"UnboundLocalError|NameError: name '(?:x?range|raw_input|unicode|reduce)'", "hint.python2_name"),
    (r"NameError: name '(?:unichr|basestring|long|cmp|file|execfile)'", "hint.python2_name"),
    (r"NameError", "hint.name"),
    (r"RecursionError", "hint.recursion"),
    # `cuda:3`, `mps` or `/GPU:1` written into the code, on a machine without.
    (r"Cannot access accelerator device when none is available|'_cuda_setDevice'", "hint.no_cuda"),
    (r"from the '(?:CUDA|MPS)' backend|Could not satisfy device specification", "hint.no_cuda"),
)  # fmt: skip
# A method's name comes with its class: self may be missing. __init__ is told by how the class is called.
_METHOD = re.compile(r"^\w{1,100}\.(?!__init__)\w{1,100}\(\) takes \d+ positional")
_ARGUMENTS = re.compile(r"positional argument|unexpected keyword argument|required keyword")


def hint_for(raised: Raised) -> str:
    """Return one concrete thing to try, or nothing where nothing is known."""
    if raised.syntax or raised.type_name in ERRORS:
        return syntax_hint(raised)
    if raised.type_name in {"ImportError", "ModuleNotFoundError"}:
        return import_hint(raised)
    return rename_hint(raised) or _by_pattern(raised) or _about_arguments(raised)


def _by_pattern(raised: Raised) -> str:
    said = f"{raised.type_name}: {raised.text}"
    line = next((frame.source for frame in reversed(raised.frames) if frame.student), "")
    fits = (text(row.key) for row in _PATTERNS if row.regex.search(said) and row.line.search(line))
    return next(fits, "")


def _about_arguments(raised: Raised) -> str:
    """Return what to compare with what: a check's call with the handout, the student's own with its definition."""
    if raised.type_name != "TypeError" or not _ARGUMENTS.search(raised.text):
        return ""
    if _METHOD.search(raised.text):
        return text("hint.method")
    return text("hint.arguments" if any(frame.student for frame in raised.frames) else "hint.signature")
