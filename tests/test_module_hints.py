from __future__ import annotations

import pytest

from autograder.box.protocol import Frame, Raised
from autograder.judge.hints import hint_for
from autograder.messages import text


def _hint(said, *, missing="", line=""):
    name = "ModuleNotFoundError" if missing else "ImportError"
    frames = [Frame(file="a.py", line=1, function="", source=line, student=True)]
    return hint_for(Raised(id=1, type_name=name, mro=[name], text=said, frames=frames, missing=missing))


def _missing(module, line=""):
    return _hint(f"No module named '{module}'", missing=module, line=line or f"import {module}")


@pytest.mark.parametrize(
    ("module", "package"),
    [("cv2", "opencv-python"), ("PIL", "pillow"), ("yaml", "PyYAML"), ("torchvision", "torchvision"), ("d2l", "d2l"),
     ("mxnet", "mxnet"), ("keras", "keras"), ("pandas", "pandas"), ("matplotlib", "matplotlib")],
)  # fmt: skip
def test_a_package_comes_with_its_pip_line(module, package):
    hint = f"{module} is not installed here. Do without it, or: python -m pip install {package}"
    assert _missing(module) == hint


@pytest.mark.parametrize(
    "line",
    [
        "from sklearn.linear_model import Perceptron",
        "from sklearn.neural_network import MLPRegressor",
        "from sklearn import linear_model",
    ],
)
def test_nobody_is_told_to_install_the_model_that_is_to_be_written(line):
    assert _missing("sklearn", line) == text("hint.write_it_yourself", module="sklearn")


def test_what_else_is_in_sklearn_may_be_installed():
    assert "pip install scikit-learn" in _missing("sklearn", "from sklearn.metrics import mean_squared_error")


@pytest.mark.parametrize(
    "module", ["utils", "my_data", "config", "model", "dataset", "perceptron", "mlp_utils", "Perceptron", "hw1", "ch03"]
)
def test_a_file_of_the_students_own_was_left_at_home(module):
    assert _missing(module) == text("hint.own_file", module=module)


@pytest.mark.parametrize("module", ["gatelib", "shap", "gates", "neuron", "activation"])
def test_security_of_an_unknown_name_both_is_said_and_nobody_is_told_to_install_it(module):
    hint = _missing(module)
    assert f"put {module}.py beside this one" in hint
    assert "If it is a package, it is not installed here" in hint
    assert "pip install" not in hint


@pytest.mark.parametrize(
    ("module", "near"),
    [("nunpy", "numpy"), ("numpi", "numpy"), ("tensorfow", "tensorflow"), ("matplotlip", "matplotlib"),
     ("skleran", "sklearn"), ("pandsa", "pandas"), ("pytorch", "torch"), ("torchvison", "torchvision")],
)  # fmt: skip
def test_security_a_misspelt_package_is_answered_with_its_name_and_not_with_pip(module, near):
    hint = _missing(module)
    assert hint.startswith(f"Did you mean {near}?")
    assert "pip install" not in hint


@pytest.mark.parametrize(
    ("module", "key"),
    [("msvcrt", "not_on_this_system"), ("_tkinter", "no_windows"),
     ("tensorflow.contrib", "tensorflow1"), ("tensorflow.examples", "tensorflow1")],
)  # fmt: skip
def test_what_is_nowhere_here(module, key):
    assert _missing(module) == text(f"hint.{key}", module=module)


@pytest.mark.parametrize("missing", ["google", "google.colab"])
def test_colab_whether_another_package_of_googles_is_there_or_not(missing):
    hint = text("hint.not_on_this_system", module="google.colab")
    assert _missing(missing, "from google.colab import drive") == hint


def test_modules_that_python_3_has_renamed():
    assert _missing("cPickle") == text("hint.write_instead", wrong="import cPickle", right="import pickle")


@pytest.mark.parametrize("module", ["keras.wrappers.scikit_learn", "keras.layers.core", "tensorflow.keras.layers.core"])
def test_modules_of_keras_2(module):
    assert "This is Keras 2" in _missing(module)


def test_a_part_that_the_installed_package_does_not_have():
    assert _missing("numpy.foo") == text("hint.not_in_module", module="numpy", name="foo")


def test_an_own_file_in_a_packages_place():
    hint = _hint("No module named 'cv2.aruco'; 'cv2' is not a package", missing="cv2.aruco")
    assert hint == text("hint.hides_package", module="cv2")


NO_RANDIT = text("hint.not_in_module", module="random", name="randit")


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("cannot import name 'randit' from 'random' (/usr/lib/random.py)", NO_RANDIT),
        ("cannot import name 'randit' from 'random' (consider renaming '/a/random.py' …)", NO_RANDIT),
        ("cannot import name 'x' from 'submission' (/tmp/a/cv2.py)", text("hint.imports_itself")),
        ("attempted relative import with no known parent package", text("hint.relative_import")),
        (
            "cannot import name 'a' from partially initialized module 'b' (most likely due to a circular import)",
            text("hint.circular_import"),
        ),
        (
            "cannot import name 'np_utils' from 'keras.utils' (/usr/lib/x.py)",
            text("hint.write_instead", wrong="np_utils", right="keras.utils.to_categorical"),
        ),
        (
            "cannot import name 'Merge' from 'keras.layers' (/usr/lib/x.py)",
            text("hint.keras2_import", name="Merge", module="keras.layers"),
        ),
        (
            "cannot import name 'Iterable' from 'collections' (/usr/lib/x.py)",
            text("hint.write_instead", wrong="Iterable", right="from collections.abc import Iterable"),
        ),
    ],
)
def test_a_name_that_a_module_does_not_have(said, hint):
    assert _hint(said) == hint


def test_an_import_error_of_which_nothing_is_known():
    assert _hint("DLL load failed while importing _multiarray") == ""


def test_this_pythons_own_words():
    for line, key in [
        ("from random import randit", "has no randit"),
        ("import numpy.foo", "has no foo"),
        ("from . import gates", "import gates"),
    ]:
        with pytest.raises(ImportError) as caught:
            exec(line, {"__name__": "submission", "__package__": ""})
        missing = caught.value.name or "" if isinstance(caught.value, ModuleNotFoundError) else ""
        assert key in _hint(str(caught.value), missing=missing, line=line)
