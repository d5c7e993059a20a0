from __future__ import annotations

import pytest
from msgspec.structs import replace

from autograder.box.protocol import Frame, Outline, Raised
from autograder.course import load_course
from autograder.judge.near_miss import Handout, attribute_hint, call_hint, handout_of, name_hint, signature
from autograder.submission import CellStart, Submission
from tests.tiny_course import make_course, write

FILE = Submission("mlp.py", {"mlp.py": b""}, "mlp.py")
NOTEBOOK = Submission("mlp.py", {"mlp.py": b""}, "作业.ipynb", (CellStart(1, 1), CellStart(5, 2), CellStart(9, 3)))
HANDOUT = Handout({"fit": "fit(x, y)", "predict": "predict(model, x)"}, frozenset(["fit"]))
DEFINE = "Define fit at the left margin of the file, with exactly this name."


def _hint(name, names=(), submission=FILE, **found):
    outline = Outline(**found) if found else None
    raised = Raised(
        id=1, type_name="AttributeError", mro=[], text="", frames=[], names=list(names), missing=name, outline=outline
    )
    return name_hint(raised, submission, HANDOUT)


@pytest.mark.parametrize(
    ("name", "names", "found"),
    [
        ("Perceptron", ["Perception", "train"], "Perception"),
        ("fit", ["Fit"], "Fit"),
        ("fit", ["my_fit"], "my_fit"),
        ("fit", ["fit_model"], "fit_model"),
        ("fit", ["fit2"], "fit2"),
        ("train_and_perceptron", ["train_and_perceptrons"], "train_and_perceptrons"),
    ],
)
def test_a_name_that_is_nearly_right(name, names, found):
    assert _hint(name, names) == f"Found {found}; the handout asks for {name}."


@pytest.mark.parametrize("names", [[], ["benefit", "profits"], ["predict"], ["xor"]])
def test_no_other_name_is_offered(names):
    assert _hint("fit", names) == DEFINE


def test_a_definition_inside_a_class_comes_first():
    hint = _hint("fit", ["fit2"], inside="MLP", inside_line=13, model="MLP")
    assert hint.startswith(
        "fit is there, but inside MLP (mlp.py:13). The handout asks for fit(x, y) at the left margin"
    )


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        (
            {"model": "Net", "first_line": 20, "last_line": 31},
            "Found class Net but no fit(x, y); put lines 20–31 into one, and return the model.",
        ),
        (
            {"first_line": 20, "last_line": 31},
            "Found no fit(x, y), but code that trains outside any function; put lines 20–31 into one, and return",
        ),
        ({"model": "Net"}, "Found class Net but no function that trains it: define fit(x, y) at the left margin"),
        (
            {"model": "Net", "trainer": "train(dataloader, model)", "takes_loader": True},
            "This is the lesson's train(dataloader, model); fit(x, y) should call it: make the DataLoader",
        ),
        (
            {"model": "Net", "trainer": "go(x, y)"},
            "Found go(x, y), which trains. Define fit(x, y) at the left margin; let it call that and return the model.",
        ),
    ],
)
def test_what_trains_is_found_in_place_of_what_should(found, hint):
    assert _hint("fit", **found).startswith(hint)


def test_the_cells_of_a_notebook_are_told():
    found = {"model": "Net", "first_line": 2, "last_line": 12}
    assert "; put code cells 1–3 into one" in _hint("fit", submission=NOTEBOOK, **found)
    assert "; put code cell 2 into one" in _hint(
        "fit", submission=NOTEBOOK, **found | {"first_line": 5, "last_line": 7}
    )


def test_a_name_that_does_not_train_has_nothing_to_do_with_it():
    found = {"model": "Net", "trainer": "go(x, y)", "first_line": 2, "last_line": 3}
    assert _hint("predict", **found).startswith("Define predict at the left margin")


@pytest.mark.parametrize("lines", [(-1, 3), (9, 3), (0, 0)])
@pytest.mark.parametrize("submission", [FILE, NOTEBOOK])
def test_security_lines_that_cannot_be_are_not_told(lines, submission):
    assert _hint("fit", submission=submission, first_line=lines[0], last_line=lines[1]) == DEFINE


@pytest.mark.parametrize("told", ["model", "trainer", "inside"])
def test_security_what_the_box_tells_is_cut(told):
    assert len(_hint("fit", inside_line=1 << 62, **{told: "A" * 10_000})) < 400
    assert len(_hint("fit", ["fit_" + "A" * 10_000])) < 400


def test_an_attribute_that_is_nearly_right():
    raised = Raised(id=1, type_name="AttributeError", mro=[], text="P", frames=[], names=["weight"], missing="weights")
    assert attribute_hint(raised) == "Found weight; the handout asks for weights."


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("fit() takes 2 positional arguments but 3 were given", "fit(x, y)"),
        ("fit() missing 1 required positional argument: 'model'", "fit(x, y)"),
        ("fit() got an unexpected keyword argument 'seed'", "fit(x, y)"),
        ("Perceptron.__init__() takes 2 positional arguments but 3 were given", "Perceptron(input_num, activator)"),
        ("Perceptron() takes no arguments", "Perceptron(input_num, activator)"),
        ("Perceptron.train() takes 2 positional arguments but 3 were given", ""),
        ("go() takes 2 positional arguments but 3 were given", ""),
        ("unsupported operand type(s) for +: 'int' and 'str'", ""),
    ],
)
def test_a_call_that_does_not_fit_is_told_as_the_handout_has_it(said, asked):
    handout = Handout(HANDOUT.signatures | {"Perceptron": "Perceptron(input_num, activator)"})
    raised = Raised(id=1, type_name="TypeError", mro=["TypeError"], text=said, frames=[])
    hint = f"The handout has it as {asked}. Define it with these parameters, in this order."
    assert call_hint(raised, handout) == (hint if asked else "")
    own = [Frame(file="mlp.py", line=3, function="fit", source="fit(x)", student=True)]
    assert call_hint(replace(raised, frames=own), handout) == ""


# --- how a name is called -------------------------------------------------------------------------------------------

STUB = '''
class Perceptron:
    """A neuron."""

    def __init__(
        self, input_num: int, activator: Callable[[float, int], int] = f
    ) -> None:
        pass


def fit(x: np.ndarray, y: dict[str, tuple[int, int]], *, seed: int = 0, device: str = "cpu") -> tuple[int, int]:
    pass


def nothing():
    pass


def default(size=(2, 3), *rest, **more):
    pass


class Plain:
    pass
'''


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("fit", "fit(x, y, *, seed, device)"),
        ("Perceptron", "Perceptron(input_num, activator)"),
        ("nothing", "nothing()"),
        ("default", "default(size, *rest, **more)"),
        ("Plain", "Plain"),
        ("fi", "fi"),
    ],
)
def test_a_signature_is_read_off_the_stub(name, called):
    assert signature(STUB, name) == called


@pytest.mark.parametrize("parameters", ["(" * 5000, "(a" * 5000 + ")" * 5000, "(" + "a, " * 50_000, "(" + "()" * 5000])
def test_security_a_file_in_the_stubs_place_that_is_made_to_be_slow(parameters):
    assert signature(f"def fit{parameters}:\n", "fit") == "fit"


def test_without_a_stub_the_name_alone_is_told(tmp_path):
    assignment = load_course(make_course(tmp_path / "course")).assignment("hw1")
    (assignment.folder / "sums.py").unlink(missing_ok=True)
    assert handout_of(assignment, None).signatures == {name: name for name in assignment.spec.entry.names}
    write(assignment.folder / "sums.py", "def add(a: int, b=2):\n    pass\n")
    assert handout_of(assignment, "torch").signatures["add"] == "add(a, b)"


@pytest.mark.parametrize(
    ("assignment", "name", "called"),
    [
        ("hw1", "Perceptron", "Perceptron(input_num, activator)"),
        ("hw1", "xor", "xor(input_vec)"),
        ("hw2", "fit", "fit(x, y, *, seed, device)"),
        ("hw2", "predict", "predict(model, x)"),
    ],
)
@pytest.mark.parametrize("framework", ["torch", "tensorflow", None])
def test_the_repositorys_own_stubs(repository, assignment, name, called, framework):
    handout = handout_of(load_course(repository).assignment(assignment), framework)
    assert handout.signatures[name] == called
