"""YAML files that people write: read with the line of every key, so that an error can point to it."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from autograder.errors import ConfigError
from autograder.messages import text

Key = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

_MAX_DEPTH = 20  # of keys; ours have five
# What pydantic calls a key that there isn't, in a model and in a dataclass.
_UNKNOWN_KEY = frozenset(["extra_forbidden", "unexpected_keyword_argument"])

# The C loader where PyYAML was built with it: five times as fast.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlFile(NamedTuple):
    """A file's content and where each key stands."""

    path: Path
    content: object
    lines: dict[Key, int]

    def line(self, key: Key) -> int | None:
        """Return the line of the key, or of the nearest key around it."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key)

    def error(self, key: Key, message: str, *, hint: str | None = None) -> ConfigError:
        """Return an error that says file, line and key."""
        return ConfigError(message, file=self.path, line=self.line(key), key=dotted(key), hint=hint)


def dotted(key: Key) -> str:
    """Return a key as people write it: tasks[1].points."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in key]
    return "".join(parts).lstrip(".")


def read(path: Path) -> YamlFile:
    """Read a YAML file.

    Raises:
        ConfigError: it can't be read, is not YAML, or has a key twice.
    """
    try:
        source = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(error.strerror or str(error), file=path) from None
    except UnicodeDecodeError:
        raise ConfigError(text("config.not_utf8"), file=path) from None
    try:
        loader = _Loader(source)
        try:
            root = loader.get_single_node()
            content = None if root is None else loader.construct_document(root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise ConfigError(
            text("config.not_yaml", problem=error.problem or ""), file=path, line=mark.line + 1 if mark else None
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(text("config.not_yaml", problem=error), file=path) from None
    lines: dict[Key, int] = {(): 1}
    if root is not None:
        _gather(root, (), lines, path)
    return YamlFile(path, content, lines)


def _gather(node: yaml.Node, key: Key, lines: dict[Key, int], path: Path) -> None:
    if len(key) > _MAX_DEPTH:  # `tasks: &tasks [*tasks]`
        raise ConfigError(text("config.contains_itself"), file=path, line=node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            inner = (*key, str(name.value))
            if inner in lines:
                raise ConfigError(
                    text("config.duplicate_key"), file=path, line=name.start_mark.line + 1, key=dotted(inner)
                )
            lines[inner] = name.start_mark.line + 1
            _gather(value, inner, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*key, index)] = value.start_mark.line + 1
            _gather(value, (*key, index), lines, path)


def validate(file: YamlFile, model: type[Model]) -> Model:
    """Return the file's content as a model.

    Raises:
        ConfigError: the first thing that is wrong, with file, line, key and what was expected.
    """
    if not isinstance(file.content, dict):
        raise file.error((), text("config.not_a_mapping"))
    try:
        return model.model_validate(file.content)
    except ValidationError as error:
        # The wrong key first: a misspelt key also makes the right one missing, which would only mislead.
        found = min(error.errors(), key=lambda one: one["type"] not in _UNKNOWN_KEY)
    key: Key = tuple(found["loc"])
    if found["type"] in _UNKNOWN_KEY:
        raise file.error(key, text("config.unknown_key"), hint=_near_miss(str(key[-1]), _fields_at(model, key[:-1])))
    if found["type"] == "missing":
        raise file.error(key, text("config.missing_key"))
    if found["type"] == "value_error":
        raise file.error(key, str(found["ctx"]["error"]))
    raise file.error(key, text("config.wrong_value", expected=found["msg"], came=repr(found["input"])[:80]))


def _near_miss(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name.lower(), known, n=1)
    if close:
        return text("hint.did_you_mean", name=close[0])
    return text("config.known_keys", names=", ".join(known))


def _fields_at(model: type[BaseModel], key: Key) -> list[str]:
    """Return the keys that are allowed at `key`: walks the model's annotations."""
    current: Any = model
    for part in key:
        if isinstance(part, str) and isinstance(current, type) and issubclass(current, BaseModel):
            current = current.model_fields[part].annotation if part in current.model_fields else None
        else:
            current = _element(current)
        if current is None:
            return []
    while current is not None and not (isinstance(current, type) and hasattr(current, "__annotations__")):
        current = _element(current)
    if current is None:
        return []
    if issubclass(current, BaseModel):
        return list(current.model_fields)
    return [name for name in current.__annotations__ if not name.startswith("_")]


def _element(annotation: Any) -> Any:
    """Return the model inside list[Model], dict[str, Model] or Model | None."""
    for argument in reversed(getattr(annotation, "__args__", ())):
        if argument is not type(None) and argument is not Ellipsis:
            return argument
    return None
