"""Texts that are recorded, and shown later in another language: they remember what they were made of.

    with remembering():
        problem = joined(text("archives.damaged", name=…), …)     a str, as always
    recorded = recipe_of(problem)                                  plain JSON: keys and values
    retold(recorded, str(problem))                                 the same in the language in force

What is made of texts in any other way than by `text` and `joined` is a plain str, and stays as it is.
"""

from __future__ import annotations

from typing import Any, Self


class Remembered(str):
    """A text with its recipe: a key of the catalogue with values, or the texts that it joins."""

    __slots__ = ("recipe",)
    recipe: dict[str, Any]

    def __new__(cls, said: str, recipe: dict[str, Any]) -> Self:
        """Return a text that remembers."""
        made = super().__new__(cls, said)
        made.recipe = recipe
        return made


def of_key(said: str, key: str, values: dict[str, object]) -> Remembered:
    """Return a text of the catalogue that remembers its key and values."""
    return Remembered(said, {"key": key, "values": {name: recipe_of(value) for name, value in values.items()}})


def recipe_of(value: object) -> Any:
    """Return what a text is made of, or the value itself where it is no such text, as plain JSON."""
    if isinstance(value, Remembered):
        return value.recipe
    return value if isinstance(value, (int, float)) else str(value)
