"""What to try, by what the student's code raised: a table of patterns, most telling first.

Patterns match the last line of a traceback, "Type: text". They choose words only; a status never depends on them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from autograder.box.protocol import Raised
from autograder.messages import text


class _Pattern(NamedTuple):
    regex: re.Pattern[str]
    key: str


def _table(*rows: tuple[str, str]) -> tuple[_Pattern, ...]:
    return tuple(_Pattern(re.compile(regex, re.IGNORECASE | re.DOTALL), key) for regex, key in rows)


_PATTERNS = _table(
    (r"SyntaxError: Missing parentheses in call to 'print'", "hint.python2_print"),
    (r"SyntaxError: (?:invalid character|invalid non-printable)", "hint.odd_character"),
    (r"SyntaxError: (?:Lambda expression parameters|Function parameters) cannot be parenthesized", "hint.tuple_lambda"),
    (r"TabError|IndentationError", "hint.indentation"),
    (r"SyntaxError", "hint.syntax"),
    (r"EOFError", "hint.input"),
    (r"FileNotFoundError", "hint.file_not_found"),
    (r"mat1 and mat2 shapes cannot be multiplied|Matrix size-incompatible|incompatible with the layer", "hint.shapes"),
    (r"size of tensor .* must match|operands could not be broadcast|Incompatible shapes", "hint.shapes"),
    (r"Torch not compiled with CUDA|No CUDA GPUs|Found no NVIDIA driver|Attempting to deserialize object on a CUDA",
     "hint.no_cuda"),
    (r"expected all tensors to be on the same device", "hint.same_device"),
    (r"expected (?:m1 and m2|scalar type|.* dtype)|Found dtype Double but expected Float|same dtype", "hint.dtype"),
    (r"Can't call numpy\(\) on Tensor that requires grad", "hint.detach"),
    (r"does not require grad and does not have a grad_fn", "hint.no_grad"),
    (r"TypeError: .*'(?:map|zip|filter|generator)'|can only concatenate list \(not \"(?:map|zip|filter)\"\)",
     "hint.iterator"),
    (r"TypeError: .*(?:positional argument|unexpected keyword argument|required keyword)", "hint.signature"),
    (r"NameError: name 'get_ipython'", "hint.exported_notebook"),
    (r"UnboundLocalError|NameError: name '(?:x?range|raw_input|unicode|reduce)'", "hint.python2_name"),
    (r"NameError", "hint.name"),
    (r"RecursionError", "hint.recursion"),
    # `cuda:3`, `mps` or `/GPU:1` written into the code, on a machine without.
    (r"Cannot access accelerator device when none is available|'_cuda_setDevice'", "hint.no_cuda"),
    (r"from the '(?:CUDA|MPS)' backend|Could not satisfy device specification", "hint.no_cuda"),
)  # fmt: skip

# Where the name of the package differs from the name that is imported.
_PACKAGES = {
    "sklearn": "scikit-learn",
    "cv2": "opencv-python",
    "PIL": "pillow",
    "yaml": "PyYAML",
    "skimage": "scikit-image",
}


def hint_for(raised: Raised) -> str:
    """Return one concrete thing to try, or nothing where nothing is known."""
    if raised.type_name == "ModuleNotFoundError" and raised.missing:
        top = raised.missing.split(".")[0]
        return text("hint.pip_install", module=raised.missing, package=_PACKAGES.get(top, top))
    line = f"{raised.type_name}: {raised.text}"
    return next((text(pattern.key) for pattern in _PATTERNS if pattern.regex.search(line)), "")
