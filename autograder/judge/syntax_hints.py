"""What to try where Python can't read a file: by the line that it stumbles over, then by what it says.

The line is looked at first: for most of what is pasted along Python only says "invalid syntax". First row that fits.
"""

from __future__ import annotations

import difflib
import keyword
import re
import unicodedata
from typing import NamedTuple

from autograder.box.protocol import Raised
from autograder.messages import text

ERRORS = frozenset(["SyntaxError", "IndentationError", "TabError"])

_ANY = ""
_SLIP = 0.8  # by difflib: two letters swapped in a word of six
_KEYWORDS = frozenset([*keyword.kwlist, *keyword.softkwlist])
_WORDS = "|".join(keyword.kwlist)
# Three words or more with nothing between them that Python calculates with.
_SENTENCE = rf"^\s*(?!(?:{_WORDS})\b)[A-Za-z][\w'’-]*[,.!?:]?(?:\s+[\w'’(),.:;!?/-]+){{2,}}\s*$"
_CHINESE_SENTENCE = r"^\s*[\u4e00-\u9fff][^=\"'()]*$"
_PRINTED = r"(?i)^\s*(?:epoch|step|iter(?:ation)?|batch|(?:train |test )?(?:loss|acc(?:uracy)?))\b[ :=\[#]*\d"


class _Row(NamedTuple):
    line: re.Pattern[str]
    said: re.Pattern[str]
    key: str
    wrong: str
    right: str


def _row(line: str, said: str, key: str, wrong: str = "", right: str = "") -> _Row:
    return _Row(re.compile(line), re.compile(said), key, wrong, right)


def _instead(line: str, said: str, wrong: str, right: str) -> _Row:
    return _row(line, said, "hint.write_instead", wrong, right)


_ROWS = (
    # What is no code of this file at all.
    _row(r"^\s*(?:<{7}|={7}|>{7})(?: |$)", _ANY, "hint.conflict"),
    _row(r"^\s*(?:```|~~~)", _ANY, "hint.fence"),
    _row(r"(?i)^\s*<(?:!doctype|!--|/?(?:html|head|body|meta|div|p|span|table|pre)\b|\?xml)", _ANY, "hint.web_page"),
    _row(r"^\s*(?:>>>|\.\.\.)(?:\s|$)|^\s*(?:In|Out)\s*\[\s*\d*\s*\]\s*:", _ANY, "hint.prompts"),
    _row(r"^\s*(?:[!$]|%{1,2}[a-z])|^(?:pip3?|conda|python3?|jupyter|cd|git|sudo|apt(?:-get)?)\s+[-\w./]+",
         _ANY, "hint.notebook_line"),
    _row(r"^\s*\d+\s*[.:|)]?\s+[A-Za-z_@#\"'\u4e00-\u9fff]", _ANY, "hint.line_numbers"),
    # Python 2.
    _row(_ANY, r"Missing parentheses in call to 'print'", "hint.python2_print"),
    _row(_ANY, r"(?:Lambda expression|Function) parameters cannot be parenthesized", "hint.tuple_lambda"),
    _instead(_ANY, r"Missing parentheses in call to 'exec'", 'exec "…"', 'exec("…")'),
    _instead(r"^\s*except\s+[\w.]+\s*,\s*\w+\s*:", _ANY, "except Exception, e", "except Exception as e"),
    _instead(r"^\s*raise\s+[\w.]+\s*,", _ANY, 'raise ValueError, "…"', 'raise ValueError("…")'),
    _instead(r"`[^`]+`", _ANY, "`x`", "repr(x)"),
    _instead(r"<>", _ANY, "<>", "!="),
    _instead(_ANY, r"leading zeros in decimal|invalid token", "0777", "0o777"),
    # Other languages.
    _instead(r"^\s*(?:function|define|func|fn|fun)\s+\w+\s*\(", _ANY, "function", "def"),
    _instead(r"^\s*(?:\}\s*)?(?:else\s+if|elseif|elsif)\b", _ANY, "else if", "elif"),
    _instead(r"&&", _ANY, "&&", "and"),
    _instead(r"\|\|", _ANY, "||", "or"),
    _instead(r"\b(?:if|elif|while|return|assert|and|or)\b.*!(?!=)", _ANY, "!x", "not x"),
    _instead(r"(?:\+\+|--)\s*;?\s*$", _ANY, "i++", "i += 1"),
    _instead(r"^\s*(?://|/\*)", _ANY, "//", "#"),
    _row(r"^\s*(?:if|elif|else|for|while|def|class)\b.*\{\s*$", _ANY, "hint.braces"),
    _row(rf"^\s*(?!(?:{_WORDS})\b)(?i:def|class|for|while|if|elif|else|try|except|with)\b.*:\s*$", _ANY,
         "hint.small_letters"),
    # Text between the code.
    _row(rf"{_PRINTED}|{_SENTENCE}|{_CHINESE_SENTENCE}", _ANY, "hint.prose"),
    # What Python itself says is clear enough to build on.
    _row(_ANY, r"Maybe you meant '=='", "hint.equals"),
    _row(_ANY, r"expected ':'", "hint.colon"),
    _row(_ANY, r"was never closed", "hint.close_bracket"),
    _row(_ANY, r"unmatched '|does not match opening parenthesis", "hint.bracket_pairs"),
    _row(_ANY, r"triple-quoted", "hint.close_text"),
    _row(_ANY, r"unterminated f?-?string", "hint.close_quote"),
    _row(_ANY, r"forgot a comma", "hint.comma"),
    _row(_ANY, r"unicodeescape", "hint.backslash"),
    _row(_ANY, r"outside function|outside loop|not properly in loop", "hint.indent_into"),
    _row(_ANY, r"expected an indented block", "hint.indent_block"),
    _row(_ANY, r"null bytes", "hint.null_bytes"),
    _row(_ANY, r"unindent|unexpected indent|inconsistent use of tabs", "hint.indentation"),
    _row(_ANY, _ANY, "hint.syntax"),
)  # fmt: skip

_ODD_CHARACTER = re.compile(r"invalid (?:character '(.)'|non-printable character)")
_QUOTES = dict.fromkeys("“”„«»", '"') | dict.fromkeys("‘’‚", "'")
_LIKE = {"、": ",", "。": ".", "–": "-", "—": "-", "−": "-", "×": "*", "÷": "/", "【": "[", "】": "]", "…": "...",
         "≤": "<=", "≥": ">=", "≠": "!=", "·": "*", "²": "**2", "³": "**3"}  # fmt: skip


def syntax_hint(raised: Raised) -> str:
    """Return one concrete thing to try where a file of the student's can't be read."""
    line = raised.frames[0].source if raised.syntax and raised.frames else ""
    odd = _ODD_CHARACTER.search(raised.text)
    if odd and not re.search(_CHINESE_SENTENCE, line):
        return _odd_character(odd[1])
    if meant := _keyword_meant(line):
        return text("hint.did_you_mean", name=meant)
    row = next(row for row in _ROWS if row.line.search(line) and row.said.search(raised.text))
    return text(row.key, wrong=row.wrong, right=row.right)


def _keyword_meant(line: str) -> str:
    """Return the word of Python's that a line begins with, but for a slip: import of `improt numpy`."""
    first = re.match(r"\s*([a-z]{4,8})\s+\w", line)
    if first is None or first[1] in _KEYWORDS:
        return ""
    return next(iter(difflib.get_close_matches(first[1], keyword.kwlist, n=1, cutoff=_SLIP)), "")


def _odd_character(char: str | None) -> str:
    """Return what to type in its place: full-width forms are known to Unicode, quotes and dashes to us."""
    if char is None:
        return text("hint.invisible_character")
    right = _QUOTES.get(char) or _LIKE.get(char) or unicodedata.normalize("NFKC", char)
    if right.isascii():
        return text("hint.odd_character_instead", wrong=char, right=right)
    return text("hint.odd_character")
