"""What stands in a mail, as text: headers, names of files, bodies, in whatever encoding they came.

Two things that mail programs in China do, and the standard library's decoding does not expect: text in GB18030 that is
labelled gb2312, and names of files as RFC 2047 words within quotes, where RFC 2231 would have parameters of their own.

# SECURITY: all of it is the sender's word. Nothing here fails on it, and what is long is cut before it is looked at.
"""

from __future__ import annotations

import codecs
import html
import re
from binascii import Error as BadBase64
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message

MOST_HEADER = 4000  # characters; folded over lines, a list of many addresses has as many
MOST_BODY = 200_000  # bytes; who pastes code into a mail pastes less
_SURROGATE = re.compile("[\ud800-\udfff]")
# By their names in Python. Not every codec there is: of some (punycode) the time grows with the square of the length.
_CHARSETS = re.compile(r"utf-(8|16|16-le|16-be)|ascii|gb2312|gbk|gb18030|hz|big5|big5hkscs|iso8859-\d+|cp125\d|koi8-r"
                       r"|shift_jis|euc_jp|euc_kr|iso2022_jp")  # fmt: skip
_CHINESE = {"gb2312", "gbk"}
_UNKNOWN_CHINESE = re.compile(r"(x-)?(gb|cp936|ms936|chinese)", re.IGNORECASE)


def text_of(content: bytes, charset: str = "") -> str:
    """Return bytes as text: by what they say they are, else UTF-8, else GB18030, else with replacements."""
    for encoding in (*_named(charset), "utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("utf-8", errors="replace")


def _named(charset: str) -> tuple[str, ...]:
    try:
        name = codecs.lookup(charset.strip()[:40]).name
    except (LookupError, ValueError):
        return ("gb18030",) if _UNKNOWN_CHINESE.match(charset) else ()
    if name in _CHINESE:
        return ("gb18030",)
    return (name,) if _CHARSETS.fullmatch(name) else ()


def header(message: Message, name: str) -> str:
    """Return a header as it is meant to be read; empty where there is none."""
    return decoded(raw_header(message, name))


def raw_header(message: Message, name: str) -> str:
    """Return a header in one line, not decoded but for bytes that no header should have."""
    # Not message[name], which puts a question mark for each byte that is not ASCII.
    found = next((str(value) for key, value in message.raw_items() if key.lower() == name), "")[:MOST_HEADER]
    if _SURROGATE.search(found):
        found = text_of(found.encode("utf-8", errors="surrogateescape"))
    return re.sub(r"\s*[\r\n]\s*", " ", found)


def decoded(said: str) -> str:
    """Return a text with its RFC 2047 words decoded."""
    if "=?" not in said:
        return said
    try:
        parts = decode_header(said)
    except (HeaderParseError, BadBase64, ValueError):
        return said
    return "".join(_part(content, charset) for content, charset in parts)


def _part(content: bytes | str, charset: str | None) -> str:
    if isinstance(content, str):
        return content
    # What stands beside the words comes as the library's own escapes.
    return text_of(content, charset) if charset else content.decode("raw-unicode-escape", errors="replace")


def file_name(part: Message) -> str:
    """Return what an attachment is called, as its sender called it; empty: it has no name."""
    for place, parameter in (("content-disposition", "filename"), ("content-type", "name")):
        holder = Message()
        holder[place] = raw_header(part, place)
        try:
            said = holder.get_param(parameter, header=place)
        except (ValueError, LookupError, TypeError, AttributeError):  # what the library makes of half a parameter
            continue
        if isinstance(said, tuple):  # RFC 2231
            return text_of(said[2].encode("latin-1", errors="replace"), said[0] or "")
        if said:
            return decoded(said)
    return ""


def body_of(part: Message) -> str:
    """Return a text part's text; that of HTML without its tags, with where its links lead."""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    holder = Message()
    holder["content-type"] = raw_header(part, "content-type")
    said = text_of(content[:MOST_BODY], _charset(holder))
    return plain(said) if part.get_content_subtype() == "html" else said


def _charset(holder: Message) -> str:
    try:
        said = holder.get_param("charset")
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return said if isinstance(said, str) else ""


def plain(said: str) -> str:
    """Return what a reader of an HTML mail sees, and where its links lead.

    SECURITY: not by html.parser, which looks for the end of each of ten thousand unfinished tags up to the text's end,
    and takes minutes over a mail of 200 kB.
    """
    seen: list[str] = []
    within = 0
    for number, piece in enumerate(_TAG.split(said)):
        if number % 2 == 0:
            seen += [] if within else [_unescaped(piece)]
            continue
        name = _TAG_NAME.match(piece)
        is_end, tag = (bool(name["end"]), name["tag"].lower()) if name else (False, "")
        if tag in _UNSEEN:
            within = max(within + (-1 if is_end else 1), 0)
        if tag in _LINES:
            seen.append("\n")
        if tag == "a" and (link := _HREF.search(piece)):
            seen.append(f" {_unescaped(link[1])} ")
    return "".join(seen)


def _unescaped(said: str) -> str:
    try:
        return html.unescape(said)
    except ValueError:  # a number of thousands of digits
        return said


_TAG = re.compile(r"(<[^<>]{1,2000}>)")
_TAG_NAME = re.compile(r"<(?P<end>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9]{0,20})\b")
_HREF = re.compile(r"\shref\s{0,3}=\s{0,3}[\"']?([^\"'\s<>]+)", re.IGNORECASE)
_UNSEEN = frozenset(["script", "style", "head", "title"])
_LINES = frozenset(["br", "p", "div", "tr", "li", "h1", "h2", "h3", "pre", "table"])
