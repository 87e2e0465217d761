"""A tiny reading of Graphviz's language, as far as hopcheck writes it; anything else is an error.

After the grammar of https://graphviz.org/doc/info/lang.html; undirected graphs, anonymous subgraphs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([A-Za-z_][A-Za-z0-9_]*|-?[0-9.]+)|(--|[{}\[\];=,]))', re.DOTALL)


@dataclass
class Graph:
    """A graph or subgraph: its attributes, nodes, edges and subgraphs, in the order of the text."""

    attributes: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    edges: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    rows: list[Graph] = field(default_factory=list)


class Reader:
    """Takes tokens one by one; raises ValueError at what is not the language."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        at = 0
        while text[at:].strip():
            found = TOKEN.match(text, at)
            if found is None:
                raise ValueError(f"no token at {text[at : at + 20]!r}")
            self.tokens.append(found[1] or found[2] or found[3])
            at = found.end()

    def take(self, *wanted: str) -> str:
        """The next token, which must be one of those wanted, or where none is a name."""
        token = self.tokens.pop(0) if self.tokens else ""
        if token not in wanted if wanted else not re.match(r'[A-Za-z0-9_"]', token):
            raise ValueError(f"{token!r} instead of {wanted or 'a name'}")
        return unquoted(token) if not wanted else token

    def block(self) -> Graph:
        """``{ statements }``."""
        graph = Graph()
        self.take("{")
        while self.tokens[:1] != ["}"]:
            self.statement(graph)
        self.take("}")
        return graph

    def statement(self, graph: Graph) -> None:
        """A subgraph, an attribute, the attributes of all, a node or an edge."""
        if self.tokens[:1] == ["{"]:
            graph.rows.append(self.block())
            return
        name = self.take()
        if self.tokens[:1] == ["="]:
            self.take("=")
            graph.attributes[name] = self.take()
        elif self.tokens[:1] == ["--"]:
            self.take("--")
            graph.edges.append((name, self.take(), self.attributes()))
        elif name not in ("graph", "node", "edge"):
            graph.nodes[name] = self.attributes()
        else:
            graph.attributes |= {f"{name}.{key}": value for key, value in self.attributes().items()}
        self.take(";")

    def attributes(self) -> Mapping[str, str]:
        """``[a=b, c=d]``."""
        found: dict[str, str] = {}
        self.take("[")
        while True:
            key = self.take()
            self.take("=")
            found[key] = self.take()
            if self.take(",", "]") == "]":
                return found


def unquoted(token: str) -> str:
    """A name, or a quoted one's text; the escapes of labels stay, but for quotes and backslashes."""
    return re.sub(r'\\(["\\])', r"\1", token[1:-1], flags=re.DOTALL) if token.startswith('"') else token


def read(text: str) -> Graph:
    """The one graph that a text is; raises ValueError where it is none."""
    reader = Reader(text)
    reader.take("graph")
    reader.take()
    graph = reader.block()
    if reader.tokens:
        raise ValueError(f"{reader.tokens[0]!r} behind the graph")
    return graph


def names(graphs: Sequence[Graph]) -> list[list[str]]:
    """The nodes of each graph."""
    return [list(graph.nodes) for graph in graphs]
