"""What to try where a name that the handout asks for is missing: what was found in its place.

The box tells what the student's file holds (`Outline`): it has parsed the file anyway, and a parser that student's
source makes overflow ends the box and not the judge. It is a claim and words only; a missing name scores nothing,
whatever else is there.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field

from autograder.box.protocol import Outline, Raised
from autograder.course import LoadedAssignment
from autograder.messages import text
from autograder.submission import Submission, decode

_NEAR = 0.7  # of two names, by difflib: profits is 0.6 of fit
_MAX_SHOWN = 120  # characters of a name that the box tells
# Whatever a student's file in the stub's place is: a definition's parentheses, one pair within the other at most.
_PARAMETERS = r"\((?P<parameters>[^()]{0,2000}(?:\([^()]{0,200}\)[^()]{0,2000}){0,20})\)"
_WRONG_CALL = re.compile(r"(\w{1,100})(?:\.__init__)?\(\) (?:takes|got|missing)\b")
_BRACKETS = re.compile(r"[\[({][^\[\](){}]*[\])}]")


@dataclass(frozen=True)
class Handout:
    """What the assignment asks for, as far as a hint needs it."""

    signatures: dict[str, str] = field(default_factory=dict)  # name: fit(x, y, *, seed, device)
    trainings: frozenset[str] = frozenset()  # names of what trains


def handout_of(assignment: LoadedAssignment, framework: str | None) -> Handout:
    """Return what the assignment asks for, by the stub of the framework."""
    entry = assignment.spec.entry
    stubs = sorted(assignment.stub_names, key=lambda name: framework is None or framework not in name)
    paths = (assignment.folder / name for name in stubs)
    source = next((decode(path.read_bytes()) for path in paths if path.is_file()), "")
    signatures = {name: signature(source, name) for name in entry.names}
    return Handout(signatures, frozenset(entry.trainings))


def signature(source: str, name: str) -> str:
    """Return how `name` is called, by its definition in `source`: f(x), or Perceptron(input_num, activator).

    By its text, not by parsing: where the stub was, a student's own file may be by now.
    """
    found = re.search(rf"^def {re.escape(name)}{_PARAMETERS}", source, re.MULTILINE)
    if found is None and (made := re.search(rf"^class {re.escape(name)}\b", source, re.MULTILINE)):
        found = re.compile(rf"^\s+def __init__{_PARAMETERS}", re.MULTILINE).search(source, made.end())
    if found is None:
        return name
    plain = found["parameters"]
    while (without := _BRACKETS.sub("", plain)) != plain:  # tuple[int, int] has commas of its own
        plain = without
    names = [re.split(r"[:=]", parameter)[0].strip() for parameter in plain.split(",")]
    return f"{name}({', '.join(one for one in names if one not in {'', 'self'})})"


def attribute_hint(raised: Raised) -> str:
    """Return what to try where an object of the student's has no such attribute."""
    if close := _close(raised.missing, raised.names):
        return text("hint.near_name", found=close, name=raised.missing)
    return text("hint.define_attribute", name=raised.missing)


def name_hint(raised: Raised, submission: Submission, handout: Handout) -> str:
    """Return what to try where the student's file does not define a name."""
    name, outline = raised.missing, raised.outline or Outline()
    asked = handout.signatures.get(name, name)
    if outline.inside:
        place = submission.place(submission.main, outline.inside_line)
        return text("hint.defined_inside", name=name, owner=outline.inside[:_MAX_SHOWN], place=place, asked=asked)
    if close := _close(name, raised.names):
        return text("hint.near_name", found=close[:_MAX_SHOWN], name=name)
    hint = _training_hint(outline, asked, submission) if name in handout.trainings else ""
    return hint or text("hint.define_name", name=name)


def call_hint(raised: Raised, handout: Handout) -> str:
    """Return how the handout has a function, where a check's call does not fit the student's definition of it."""
    found = _WRONG_CALL.match(raised.text) if raised.type_name == "TypeError" else None
    if found is None or found[1] not in handout.signatures or any(frame.student for frame in raised.frames):
        return ""
    return text("hint.call", asked=handout.signatures[found[1]])


def _training_hint(outline: Outline, asked: str, submission: Submission) -> str:
    """Return what to try where nothing of the name trains, and yet something does."""
    if outline.trainer:
        key = "hint.lessons_loop" if outline.takes_loader else "hint.training_function"
        return text(key, found=outline.trainer[:_MAX_SHOWN], asked=asked)
    lines = _lines(outline, submission)
    if outline.model and lines:
        return text("hint.model_and_lines", model=outline.model[:_MAX_SHOWN], lines=lines, asked=asked)
    if lines:
        return text("hint.training_lines", lines=lines, asked=asked)
    return text("hint.model_only", model=outline.model[:_MAX_SHOWN], asked=asked) if outline.model else ""


def _lines(outline: Outline, submission: Submission) -> str:
    first, last = outline.first_line, outline.last_line
    if not 0 < first <= last:
        return ""
    if submission.cells:
        first, last = submission.cell_at(first).cell, submission.cell_at(last).cell
        return text("hint.cell" if first == last else "hint.cells", first=first, last=last)
    return text("hint.lines", first=first, last=last)


def _close(name: str, names: list[str]) -> str:
    """Return the name meant: spelt nearly so, in other letters, or with more around it as in my_fit."""
    found = difflib.get_close_matches(name, names, n=1, cutoff=_NEAR)
    lower = [known for known in names if known.lower() == name.lower()]
    longer = [known for known in names if re.search(rf"(?:^|_){re.escape(name)}(?:_|\d*$)", known)]
    return next(iter([*found, *lower, *longer]), "")
