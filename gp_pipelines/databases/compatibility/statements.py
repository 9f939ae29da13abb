"""Where one SQL statement ends and the next begins, as PostgreSQL's own psql sees it."""

import re
from collections.abc import Iterator

# What may hold a semicolon that ends nothing. A comment within a comment is followed by hand.
_TOKEN = re.compile(
    r"""
      (?P<line_comment>--[^\n]*)
    | (?P<comment>/\*)
    | (?P<escaped>\b[eE]'(?:[^'\\]|\\.|'')*')
    | (?P<string>'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*")
    | (?P<dollar>(?<![\w$])\$(?P<tag>(?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?)\$.*?\$(?P=tag)\$)
    | (?P<open>\()
    | (?P<close>\))
    | (?P<end>;)
    | (?P<word>[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def split(text: str) -> tuple[str, ...]:
    """The statements of a file, without what ends them; comments stay where they are in one.

    A piece that is nothing but comments is no statement.
    """
    return tuple(piece.strip() for piece in _pieces(text) if bare(piece))


def bare(statement: str) -> str:
    """A statement without its comments, on one line."""
    kept, last = [], 0
    for start, end in _comments(statement):
        kept.append(statement[last:start])
        last = end
    return " ".join(" ".join([*kept, statement[last:]]).split())


def _pieces(text: str) -> Iterator[str]:
    start = position = depth = 0
    words: list[str] = []
    block = 0  # BEGIN ATOMIC … END and the CASE … END within
    while (match := _TOKEN.search(text, position)) is not None:
        position = match.end()
        kind = match.lastgroup if match.lastgroup != "tag" else "dollar"
        if kind == "comment":
            position = _comment_end(text, position)
        elif kind in ("open", "close"):
            depth = max(0, depth + (1 if kind == "open" else -1))
        elif kind == "word":
            word = match["word"].upper()
            if word == "ATOMIC" and words[-1:] == ["BEGIN"] and words[:1] == ["CREATE"]:
                block = 1
            elif block:
                block += {"CASE": 1, "END": -1}.get(word, 0)
            words.append(word)
        elif kind == "end" and depth == 0 and block == 0:
            yield text[start : match.start()]
            start, words = position, []
    yield text[start:]


def _comments(text: str) -> Iterator[tuple[int, int]]:
    position = 0
    while (match := _TOKEN.search(text, position)) is not None:
        position = match.end()
        if match["line_comment"] is not None:
            yield match.start(), position
        elif match["comment"] is not None:
            position = _comment_end(text, position)
            yield match.start(), position


def _comment_end(text: str, position: int) -> int:
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(text, position)) is not None:
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position if depth == 0 else len(text)
