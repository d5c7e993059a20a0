"""What to try where an import fails: a package, a file that was left at home, a name that has moved.

Which of them it is can't be known of every name; then both are said. Names choose words only, never a status.
"""

from __future__ import annotations

import difflib
import re

from autograder.box.protocol import Raised
from autograder.messages import text

# Where the name of the package differs from the name that is imported.
_PACKAGES = {
    "Bio": "biopython", "PIL": "pillow", "bs4": "beautifulsoup4", "cv2": "opencv-python", "dateutil": "python-dateutil",
    "fitz": "PyMuPDF", "IPython": "ipython", "paddle": "paddlepaddle", "pl_bolts": "lightning-bolts",
    "pylab": "matplotlib", "pytorch_lightning": "pytorch-lightning", "skimage": "scikit-image",
    "sklearn": "scikit-learn", "tensorflow_datasets": "tensorflow-datasets", "yaml": "PyYAML",
}  # fmt: skip
# A list and not only what is unknown: for these it is certain that a package is meant.
_SAME_NAME = frozenset([
    "d2l", "einops", "fastai", "graphviz", "gym", "gymnasium", "h5py", "imageio", "jax", "jieba", "keras",
    "lightgbm", "lightning", "matplotlib", "mnist", "mxnet", "nltk", "numba", "numpy", "onnx", "pandas", "plotly",
    "pydot", "requests", "scipy", "seaborn", "statsmodels", "sympy", "tensorboard", "tensorboardX", "tensorflow",
    "thop", "timm", "torch", "torchaudio", "torchinfo", "torchmetrics", "torchsummary", "torchtext",
    "torchvision", "torchviz", "tqdm", "transformers", "visdom", "wandb", "xgboost",
])  # fmt: skip
_NOT_HERE = frozenset(["kaggle_datasets", "msvcrt", "winreg", "winsound", "win32api", "win32con"])
_WINDOWS = frozenset(["_tkinter", "tkinter", "turtle", "PyQt5", "PyQt6", "PySide6", "wx", "pygame"])
_PYTHON2 = {
    "ConfigParser": "configparser", "HTMLParser": "html.parser", "Queue": "queue", "StringIO": "io",
    "Tkinter": "tkinter", "__builtin__": "builtins", "cPickle": "pickle", "cStringIO": "io", "commands": "subprocess",
    "httplib": "http.client", "urllib2": "urllib.request", "urlparse": "urllib.parse",
}  # fmt: skip
# What students call files of their own; a package of the name may exist, and is not what they mean.
_OWN_FILE = re.compile(
    r"(?i)^(?:my\w*|\w*(?:utils?|helpers?|perceptron|mlp|hw\d*|homework\d*|lesson\d*|lab\d*|task\d*|chapter\d*|ch\d+))$"
    r"|^(?:common|config|constants?|data|data_?loader|datasets?|evaluate|funcs?|functions?|layers?|loss(?:es)?|main|"
    r"metrics?|models?|nets?|networks?|nn|optim|optimizers?|plot(?:ting)?|predict|settings?|solution|submission|test|"
    r"tools?|train(?:er)?|visuali[sz]e)$"
)
# Of a sklearn import: what a homework that asks for a model asks to be written.
_MODEL_OF_SKLEARN = re.compile(r"linear_model|neural_network|\bsvm\b|Perceptron|MLP|Regress|Classifier")
_NAME_NOT_FOUND = re.compile(r"cannot import name '([^']{1,100})' from '([^']{1,100})'")
_NEAR = 0.75  # of two names, by difflib: nunpy is 0.8 of numpy, and two letters changed of eight are 0.75
_MAIN_MODULE = "submission"  # what the box calls the main file, whatever its name
_MOVED = {
    ("collections", "Callable Iterable Iterator Mapping Sequence"): "from collections.abc import {name}",
    ("itertools", "izip imap ifilter"): "zip, map, filter",
    ("fractions", "gcd"): "from math import gcd",
    ("keras.utils", "np_utils"): "keras.utils.to_categorical",
    ("tensorflow.keras.utils", "np_utils"): "tensorflow.keras.utils.to_categorical",
}


def import_hint(raised: Raised) -> str:
    """Return one concrete thing to try where an import failed, or nothing where nothing is known."""
    if raised.type_name == "ModuleNotFoundError" and raised.missing:
        line = next((frame.source for frame in reversed(raised.frames) if frame.student), "")
        return _missing_module(raised.missing, raised.text, line)
    if "attempted relative import" in raised.text:
        return text("hint.relative_import")
    if "partially initialized module" in raised.text:
        return text("hint.circular_import")
    if found := _NAME_NOT_FOUND.search(raised.text):
        return _missing_name(found[1], found[2])
    return ""


def _missing_module(module: str, said: str, line: str) -> str:  # noqa: PLR0911 - one return a kind
    top = module.partition(".")[0]
    if top == "google" and "google.colab" in line:  # without any package of Google's, `google` itself is missing
        return text("hint.not_on_this_system", module="google.colab")
    if module in _NOT_HERE or top in _NOT_HERE:
        return text("hint.not_on_this_system", module=module)
    if top in _WINDOWS:
        return text("hint.no_windows")
    if top in _PYTHON2:
        return text("hint.write_instead", wrong=f"import {top}", right=f"import {_PYTHON2[top]}")
    if "is not a package" in said:  # the student's own sklearn.py stands where the package should be
        return text("hint.hides_package", module=top)
    if "." in module:  # its package is there, and has no such part
        return _missing_name(module.rpartition(".")[2], module.rpartition(".")[0])
    if top == "sklearn" and _MODEL_OF_SKLEARN.search(line):
        return text("hint.write_it_yourself", module=top)
    if top in _PACKAGES or top in _SAME_NAME:
        return text("hint.pip_install", module=top, package=_PACKAGES.get(top, top))
    if _OWN_FILE.match(top):
        return text("hint.own_file", module=top)
    return _unknown(top)


def _unknown(module: str) -> str:
    """SECURITY: no pip line for a name that isn't known: packages called like misspelt ones wait for who types it."""
    near = difflib.get_close_matches(module, sorted({*_PACKAGES, *_SAME_NAME}), 1, _NEAR)
    if near:
        return text("hint.own_file_or_near", module=module, near=near[0])
    return text("hint.own_file_or_package", module=module)


def _missing_name(name: str, module: str) -> str:
    for (where, names), right in _MOVED.items():
        if module == where and name in names.split():
            return text("hint.write_instead", wrong=name, right=right.format(name=name))
    if module == _MAIN_MODULE:
        return text("hint.imports_itself")
    top = module.partition(".")[0]
    if top == "keras" or module.startswith("tensorflow.keras"):
        return text("hint.keras2_import", name=name, module=module)
    if top == "tensorflow":
        return text("hint.tensorflow1")
    return text("hint.not_in_module", name=name, module=module)
