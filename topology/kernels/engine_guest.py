"""The guest's own container engine: started inside by the agent, spoken to through it."""

from __future__ import annotations

import io
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

from docker import APIClient
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.exceptions import ConnectionError as Unreachable
from requests.structures import CaseInsensitiveDict

from topology.errors import EngineError, EnvironmentBroken
from topology.kernels.engine import TIMEOUT_S, Engine
from topology.kernels.link import CALL_TIMEOUT_S, Agent
from topology.wait import scaled, wait_for

API_VERSION = "1.41"
"""API version of Debian 12's engine in the guest image."""
ADDRESS = "http://guest:80"
SOCKET, BUSYBOX = "/run/docker.sock", "/bin/busybox"
START = (
    "modprobe overlay && mount -t tmpfs tmpfs /etc/docker && "
    "exec setsid dockerd --data-root /run/docker-data --bridge=none --iptables=false --ip6tables=false"
    " --ip-forward=false >/run/dockerd.log 2>&1 </dev/null &"
)
"""Everything but memory is read-only in a guest. The engine makes no bridge and changes nothing of the network."""
START_TIMEOUT_S = 90.0
"""Start: 3 to 5 s under software emulation on two cores."""


class AgentAdapter(BaseAdapter):
    """Carries requests to the engine's socket through the agent, one connection each."""

    def __init__(self, agent: Agent, path: str) -> None:
        super().__init__()
        self._agent, self._path = agent, path

    def send(self, request: PreparedRequest, **_: Any) -> Response:  # type: ignore[override]
        """Ask, and give the whole answer; the agent's failure is the connection's."""
        data, until_s = spelled_out(request), TIMEOUT_S + CALL_TIMEOUT_S
        try:
            reply = self._agent.call("exchange", data, until_s, path=self._path, deadline_s=scaled(TIMEOUT_S))
        except EnvironmentBroken as error:
            raise Unreachable(str(error), request=request) from error
        return response(request, reply.body)

    def close(self) -> None:
        """There is nothing to close: the agent's stream is the kernel's."""


def spelled_out(request: PreparedRequest) -> bytes:
    """A request as bytes (RFC 9112); the connection ends with the answer."""
    body = request.body or b""
    data = body.encode() if isinstance(body, str) else cast(bytes, body)
    headers = {**request.headers, "Host": "guest", "Connection": "close", "Content-Length": str(len(data))}
    lines = [
        f"{request.method} {request.path_url} HTTP/1.1",
        *(f"{name}: {_text(value)}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + data


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


class _Answer:
    """A socket that has received everything already."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: object) -> io.BytesIO:
        """A file for HTTPResponse."""
        return io.BytesIO(self._data)


def response(request: PreparedRequest, data: bytes) -> Response:
    """An answer's bytes as the client library wants them; anything else is a broken connection."""
    parsed = HTTPResponse(cast(Any, _Answer(data)), method=request.method)
    try:
        parsed.begin()
        content = parsed.read()
    except (HTTPException, OSError, ValueError) as error:
        raise Unreachable(f"the engine's answer is no HTTP: {data[:80]!r}", request=request) from error
    made = Response()
    made.status_code, made.reason = parsed.status, parsed.reason
    made.headers = CaseInsensitiveDict(parsed.getheaders())
    made.url, made.request = str(request.url), request
    made.raw = io.BytesIO(content)
    made._content = content
    return made


def engine_at(agent: Agent, path: str, version: str = API_VERSION) -> Engine:
    """The engine that answers at a socket of the machine behind an agent."""
    client = APIClient(base_url=ADDRESS, version=version, timeout=TIMEOUT_S)
    client.mount(ADDRESS, AgentAdapter(agent, path))
    return Engine(client, ADDRESS)


def engine_of(agent: Agent, path: str) -> Engine:
    """The same where the engine's version is not known beforehand; EngineError says why none answers."""
    return engine_at(agent, path, engine_at(agent, path).api_version)


def engine_behind(agent: Agent, progress: Any = lambda _: None) -> Engine:
    """The engine of the guest behind an agent, started unless it runs."""
    engine = engine_at(agent, SOCKET)
    if agent.run(["test", "-S", SOCKET]).code:
        progress("starting the guest's container engine")
        agent.run(["sh", "-c", START])

        def answers() -> bool:
            try:
                return bool(engine.version)
            except EngineError:
                return False

        try:
            wait_for(answers, START_TIMEOUT_S, "the guest's container engine", pause_s=0.2)
        except EnvironmentBroken as error:
            said = agent.run(["tail", "-n", "3", "/run/dockerd.log"]).stdout
            raise EngineError(f"{error} - {' '.join(said.split())[:300]}") from error
    return engine
