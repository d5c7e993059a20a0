"""What libraries have renamed or removed: what a homework from an older book calls, and how it is written today."""

from __future__ import annotations

import re

from autograder.box.protocol import Raised
from autograder.messages import text

_NUMPY = {
    "Inf": "np.inf", "Infinity": "np.inf", "NaN": "np.nan", "alltrue": "np.all", "asfarray": "np.asarray",
    "bool": "bool", "complex": "complex", "complex_": "np.complex128", "cumproduct": "np.cumprod",
    "float": "float", "float_": "np.float64", "in1d": "np.isin", "infty": "np.inf", "int": "int", "long": "int",
    "mat": "np.array", "msort": "np.sort", "object": "object", "product": "np.prod", "row_stack": "np.vstack",
    "sometrue": "np.any", "str": "str", "trapz": "np.trapezoid", "unicode": "str", "unicode_": "np.str_",
}  # fmt: skip
_TENSORFLOW = {
    "ceil": "tf.math.ceil", "div": "tf.divide", "log": "tf.math.log", "mul": "tf.multiply", "neg": "tf.negative",
    "random_normal": "tf.random.normal", "random_shuffle": "tf.random.shuffle", "random_uniform": "tf.random.uniform",
    "set_random_seed": "tf.random.set_seed", "sub": "tf.subtract", "truncated_normal": "tf.random.truncated_normal",
}  # fmt: skip
_PYTHON = {
    ("dict", "has_key"): "key in d", ("dict", "iteritems"): "d.items()", ("dict", "iterkeys"): "d.keys()",
    ("dict", "itervalues"): "d.values()", ("module string", "letters"): "string.ascii_letters",
    ("module sys", "maxint"): "sys.maxsize", ("module time", "clock"): "time.perf_counter()",
}  # fmt: skip
_KERAS_METHODS = {
    "evaluate_generator": "model.evaluate(…)", "fit_generator": "model.fit(…)", "predict_generator": "model.predict(…)",
    "predict_classes": "model.predict(x).argmax(-1)", "predict_proba": "model.predict(x)",
}  # fmt: skip
_ARGUMENTS = {
    "W_regularizer": "kernel_regularizer", "border_mode": "padding", "decay": "weight_decay", "dimension": "axis",
    "init": "kernel_initializer", "input": "inputs", "keep_dims": "keepdims", "lr": "learning_rate",
    "nb_classes": "num_classes", "nb_epoch": "epochs", "nb_filter": "filters", "output": "outputs",
    "output_dim": "units", "reduction_indices": "axis", "samples_per_epoch": "steps_per_epoch", "subsample": "strides",
}  # fmt: skip
_CONSTANTS = dict.fromkeys(("true", "TRUE"), "True") | dict.fromkeys(("false", "FALSE"), "False")
_CONSTANTS |= dict.fromkeys(("null", "NULL", "nil", "none"), "None")
_HISTORY = {"'acc'": "accuracy", "'val_acc'": "val_accuracy"}

# Argument(s) not recognized: {'lr': 0.01} · Unrecognized keyword arguments passed to Dense: {'init': …} ·
# got an unexpected keyword argument 'nb_epoch'
_ARGUMENT = re.compile(
    r"(?:not recognized: \{|[Kk]eyword arguments? passed to \w+: \{|unexpected keyword argument )['\"](\w{1,50})['\"]"
)
_NUMPY_NAME = re.compile(r"module 'numpy' has no attribute '(\w{1,50})'|`np\.(\w{1,50})` was removed")
_TENSORFLOW_NAME = re.compile(
    r"module '(?:tensorflow|tensorflow\._api\.v\d[\w.]*|keras\._tf_keras[\w.]*)' has no attribute '(\w{1,50})'"
)
_NAME = re.compile(r"name '(\w{1,50})' is not defined")
_KERAS_NAME = re.compile(r"module 'keras(?:\.[\w.]+)?' has no attribute '(\w{1,50})'")
_ATTRIBUTE = re.compile(r"(?:'(\w{1,50})' object|(module) '(\w{1,50})') has no attribute '(\w{1,50})'")


def rename_hint(raised: Raised) -> str:
    """Return how a name or an argument of an older library is written today, or nothing where it is none."""
    said = raised.text
    if raised.type_name == "AttributeError":
        return _attribute(said)
    if raised.type_name == "NameError" and (name := _NAME.search(said)) and name[1] in _CONSTANTS:
        return _write(name[1], _CONSTANTS[name[1]])
    if raised.type_name == "KeyError" and said in _HISTORY:
        return _write(said.strip("'"), _HISTORY[said])
    if "Dense.__init__() missing 1 required positional argument: 'units'" in said:
        return _write("Dense(output_dim=3)", "Dense(3)")
    if found := _ARGUMENT.search(said):
        right = _ARGUMENTS.get(found[1])
        return _write(f"{found[1]}=", f"{right}=") if right and _raised_by_library(raised) else ""
    return ""


def _raised_by_library(raised: Raised) -> bool:
    """Whether it is a library that does not know the argument: a function of the student's may well have an `init`."""
    return "to_categorical()" in raised.text or any(not frame.student for frame in raised.frames[-1:])


def _attribute(said: str) -> str:
    if found := _NUMPY_NAME.search(said):
        name = found[1] or found[2]
        return _write(f"np.{name}", _NUMPY[name]) if name in _NUMPY else ""
    if found := _TENSORFLOW_NAME.search(said):
        right = _TENSORFLOW.get(found[1])
        return _write(f"tf.{found[1]}", right) if right else text("hint.tensorflow1")
    if found := _KERAS_NAME.search(said):
        return text("hint.keras2_name", name=found[1])
    if found := _ATTRIBUTE.search(said):
        owner, name = (f"module {found[3]}" if found[2] else found[1]), found[4]
        right = _PYTHON.get((owner, name)) or (_KERAS_METHODS.get(name) if owner not in {"dict", "str"} else None)
        return _write(name, right) if right else ""
    return ""


def _write(wrong: str, right: str) -> str:
    return text("hint.write_instead", wrong=wrong, right=right)
