"""What the student's file holds where a name is missing from it."""

from __future__ import annotations

import textwrap

import pytest

from autograder.box.outline import outline_of


def _outline(source, missing="fit"):
    return outline_of(textwrap.dedent(source), missing)


SCRIPT = """
    import torch
    from torch import nn, optim

    x = torch.rand(100, 2)


    class Net(nn.Module):
        def forward(self, x):
            return x


    model = Net()
    criterion = nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    for epoch in range(10):
        loss = criterion(model(x), x)
        loss.backward()
        optimizer.step()

    print(loss)
"""


def test_a_script_that_trains_at_the_top():
    made = _outline(SCRIPT)
    assert (made.model, made.trainer, made.first_line, made.last_line) == ("Net", "", 13, 20)


def test_a_script_that_trains_under_main():
    head, tail = textwrap.dedent(SCRIPT).split("model = Net()")
    source = head + 'if __name__ == "__main__":\n' + textwrap.indent("model = Net()" + tail, "    ")
    made = outline_of(source, "fit")
    assert (made.first_line, made.last_line) == (14, 21)


@pytest.mark.parametrize(
    "training",
    [
        "model.fit(x, y, epochs=3)",
        "for _ in range(3):\n    optimizer.apply_gradients(zip(a, b))",
        "sess.run(tf.train.AdamOptimizer().minimize(loss))",
        "for batch in data:\n    model.train_on_batch(batch)",
    ],
)
def test_other_ways_to_train(training):
    made = outline_of(f"import keras\nx = 1\nmodel = keras.Sequential()\n{training}\nprint(1)\n", "fit")
    assert (made.model, made.first_line, made.last_line) == ("", 3, 4 + training.count("\n"))


def test_the_lessons_loop():
    made = _outline("""
        def train(dataloader, model, loss_fn, optimizer):
            loss_fn(model(1), 2).backward()

        for t in range(5):
            train(train_dataloader, model, loss_fn, optimizer)
    """)
    assert made.trainer == "train(dataloader, model, loss_fn, optimizer)"
    assert made.takes_loader
    assert (made.first_line, made.last_line) == (5, 6)


@pytest.mark.parametrize("parameter", ["train_loader", "trainloader", "loader", "data_loader", "train_iter", "dataset"])
def test_what_a_loader_is_called(parameter):
    assert outline_of(f"def go(net, {parameter}):\n    loss.backward()\n", "fit").takes_loader


def test_the_lessons_loop_comes_before_another_function_that_trains():
    made = _outline("""
        def main(x):
            loss.backward()

        def train(dataloader, *, lr=0.1):
            loss.backward()
    """)
    assert made.trainer == "train(dataloader, lr)"
    assert outline_of("def main(x):\n    loss.backward()\n", "fit").trainer == "main(x)"


@pytest.mark.parametrize(
    "source",
    [
        "class Net(torch.nn.Module): pass",
        "class Net(Module): pass",
        "class Net(keras.Model): pass",
        "class Net(tf.keras.layers.Layer): pass",
        "class Net(Base):\n    def forward(self, x): return x",
        "class Net(Base):\n    def call(self, x): return x",
    ],
)
def test_what_a_model_looks_like(source):
    assert outline_of(source, "fit").model == "Net"


def test_what_is_no_model():
    made = outline_of("class Data(Dataset):\n    def __len__(self): return 3\n", "fit")
    assert made == outline_of("x = 1\nprint(x)\n", "fit")


def test_a_definition_inside_another():
    made = outline_of("class MLP:\n    def fit(self): pass\n", "fit")
    assert (made.inside, made.inside_line) == ("MLP", 2)
    source = "def main():\n    if 1:\n        def fit(x): pass\n"
    made = outline_of(source, "fit")
    assert (made.inside, made.inside_line) == ("main", 3)
    assert outline_of(source, "main").inside == ""


def test_texts_are_bounded():
    made = outline_of(f"def train({', '.join(f'a{n}' for n in range(2000))}):\n    x.backward()\n", "fit")
    assert len(made.trainer) == 200


def test_the_box_tells_it_where_a_name_is_missing(open_box):
    raised = open_box("class Net:\n    def forward(self): pass\n    def fit(self): pass\n").raised_by("fit")
    assert raised.missing == "fit"
    assert raised.outline is not None
    assert (raised.outline.model, raised.outline.inside) == ("Net", "Net")


def test_only_what_the_student_has_written_can_be_meant(open_box):
    box = open_box("from math import *\nfrom json import load\n\ndef lead(x): return x\n\nload_all = 3\n")
    assert box.raised_by("loads").names == ["lead"]


@pytest.mark.parametrize(
    "spoiled",
    ["import os; os.unlink(__file__)", "import ast; ast.parse = None", "import pathlib; pathlib.Path.read_text = 1"],
)
def test_without_the_file_the_name_is_missing_all_the_same(open_box, spoiled):
    raised = open_box(spoiled).raised_by("fit")
    assert (raised.missing, raised.outline) == ("fit", None)
