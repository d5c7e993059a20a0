from __future__ import annotations

import numpy as np
import pytest

from autograder.box.protocol import Frame, Raised
from autograder.judge.hints import hint_for
from autograder.messages import text

STUDENT = Frame(file="a.py", line=3, function="fit", source="model.fit(x, y)", student=True)
LIBRARY = Frame(file="keras/src/utils/traceback_utils.py", line=122, function="error_handler", source="", student=False)


def _hint(type_name, said, *frames):
    return hint_for(Raised(id=1, type_name=type_name, mro=[type_name], text=said, frames=list(frames)))


def _write(wrong, right):
    return text("hint.write_instead", wrong=wrong, right=right)


@pytest.mark.parametrize(
    ("said", "wrong", "right"),
    [
        # numpy 1.26, 2.0 and later
        ("module 'numpy' has no attribute 'float'.\n`np.float` was a deprecated alias", "np.float", "float"),
        ("module 'numpy' has no attribute 'bool'.\n`np.bool` was a deprecated alias", "np.bool", "bool"),
        ("`np.mat` was removed in the NumPy 2.0 release. Use `np.asmatrix` instead.", "np.mat", "np.array"),
        ("module 'numpy' has no attribute 'product'", "np.product", "np.prod"),
        # Python 2
        ("'dict' object has no attribute 'has_key'", "has_key", "key in d"),
        ("'dict' object has no attribute 'iteritems'", "iteritems", "d.items()"),
        ("module 'time' has no attribute 'clock'", "clock", "time.perf_counter()"),
        # Keras 2
        ("'Sequential' object has no attribute 'fit_generator'", "fit_generator", "model.fit(…)"),
        ("'Sequential' object has no attribute 'predict_classes'", "predict_classes", "model.predict(x).argmax(-1)"),
        # TensorFlow 1
        ("module 'tensorflow' has no attribute 'log'", "tf.log", "tf.math.log"),
        ("module 'tensorflow' has no attribute 'set_random_seed'", "tf.set_random_seed", "tf.random.set_seed"),
    ],
)
def test_names_that_were_renamed(said, wrong, right):
    assert _hint("AttributeError", said) == _write(wrong, right)


@pytest.mark.parametrize(
    "said",
    [
        "module 'tensorflow' has no attribute 'placeholder'",
        "module 'tensorflow' has no attribute 'Session'",
        "module 'tensorflow' has no attribute 'contrib'",
        "module 'tensorflow' has no attribute 'global_variables_initializer'",
        "module 'tensorflow._api.v2.train' has no attribute 'AdamOptimizer'",
    ],
)
def test_tensorflow_1(said):
    assert _hint("AttributeError", said) == text("hint.tensorflow1")


def test_names_of_kerass_backend():
    said = "module 'keras.backend' has no attribute 'mean'"
    assert _hint("AttributeError", said) == text("hint.keras2_name", name="mean")


@pytest.mark.parametrize(
    ("type_name", "said", "wrong", "right"),
    [
        ("ValueError", "Argument(s) not recognized: {'lr': 0.01}", "lr=", "learning_rate="),
        ("TypeError", "TensorFlowTrainer.fit() got an unexpected keyword argument 'nb_epoch'", "nb_epoch=", "epochs="),
        ("ValueError", "Unrecognized keyword arguments passed to Dense: {'init': 'uniform'}", "init=",
         "kernel_initializer="),
        ("ValueError", "Unrecognized keyword arguments passed to Model: {'input': <KerasTensor>}", "input=", "inputs="),
        ("TypeError", "Got an unexpected keyword argument 'reduction_indices'", "reduction_indices=", "axis="),
    ],
)  # fmt: skip
def test_arguments_that_were_renamed(type_name, said, wrong, right):
    assert _hint(type_name, said, STUDENT, LIBRARY) == _write(wrong, right)


def test_a_plain_function_of_keras_raises_in_the_students_line():
    said = "to_categorical() got an unexpected keyword argument 'nb_classes'"
    assert _hint("TypeError", said, STUDENT) == _write("nb_classes=", "num_classes=")


def test_a_function_of_the_students_own_may_have_such_a_name():
    hint = _hint("TypeError", "train() got an unexpected keyword argument 'lr'", STUDENT)
    assert hint == text("hint.arguments")


def test_history_and_units():
    assert _hint("KeyError", "'acc'") == _write("acc", "accuracy")
    said = "Dense.__init__() missing 1 required positional argument: 'units'"
    assert _hint("TypeError", said, STUDENT, LIBRARY) == _write("Dense(output_dim=3)", "Dense(3)")


@pytest.mark.parametrize("name", ["float", "int", "complex", "no_such_name"])
def test_what_this_numpy_says_is_recognised(name):
    with pytest.raises(AttributeError) as caught:
        getattr(np, name)
    hint = _hint("AttributeError", str(caught.value))
    assert hint == ("" if name == "no_such_name" else _write(f"np.{name}", name))


@pytest.mark.parametrize(("name", "right"), [("true", "True"), ("FALSE", "False"), ("null", "None")])
def test_constants_of_other_languages(name, right):
    assert _hint("NameError", f"name '{name}' is not defined") == _write(name, right)


def test_an_attribute_of_which_nothing_is_known():
    assert _hint("AttributeError", "'Perceptron' object has no attribute 'bias'") == ""
    assert _hint("AttributeError", "'list' object has no attribute 'shape'") == ""
