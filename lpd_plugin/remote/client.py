"""A running ComfyUI, over HTTP and its WebSocket: what it answers, in our words."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import BadInput, WorkFailed

ANSWER_SECONDS = 60  # a busy host answers late
_BLOCK = 1 << 20


class HostAnswered(Exception):
    """The host answered with an HTTP error: its `status`, and the `body` as decoded JSON or text."""

    def __init__(self, status: int, body: Any):
        super().__init__(f"HTTP {status}")
        self.status, self.body = status, body


class HostClient:
    """One ComfyUI by its address, such as http://127.0.0.1:8188.

    Raises `BadInput` for an address that is none, `WorkFailed` where nobody answers, `HostAnswered` where the host refuses.
    """

    def __init__(self, address: str):
        parts = urllib.parse.urlsplit(address if "://" in address else f"http://{address}")
        try:
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # the port is no number
            usable = False
        if not usable:
            raise BadInput(f"{address} is not the address of a host; write it as http://127.0.0.1:8188.")
        self.address = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self.is_here = parts.hostname in ("127.0.0.1", "localhost", "::1")  # it sees the files that we see
        self.id = uuid.uuid4().hex

    def get(self, path: str, **query: str) -> Any:
        """The JSON at a path."""
        with self._opened(urllib.request.Request(self._url(path, query))) as answer:
            return json.load(answer)

    def post(self, path: str, content: Mapping[str, Any]) -> Any:
        """What the host says to a JSON object: JSON, or None where it says nothing."""
        body = json.dumps(content).encode()
        with self._opened(urllib.request.Request(self._url(path), body, {"Content-Type": "application/json"})) as answer:
            said = answer.read()
        return json.loads(said) if said.strip() else None

    def has_file(self, name: str, subfolder: str, kind: str) -> bool:
        """Whether a file lies in the host's "input", "output" or "temp" folder."""
        request = urllib.request.Request(self._file(name, subfolder, kind), method="HEAD")
        try:
            with self._opened(request):
                return True
        except HostAnswered:
            return False

    def fetch(self, name: str, subfolder: str, kind: str, target: Path) -> None:
        """Write a file of the host's to `target`, block by block."""
        with self._opened(urllib.request.Request(self._file(name, subfolder, kind))) as answer, open(target, "wb") as file:
            shutil.copyfileobj(answer, file, _BLOCK)

    def upload(self, path: Path, name: str, subfolder: str) -> None:
        """Put a file into the host's input folder, block by block; one of that name is replaced."""
        boundary = uuid.uuid4().hex
        fields = {"subfolder": subfolder, "type": "input", "overwrite": "true"}
        head = "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items())
        quoted = name.replace("\\", "_").replace('"', "_")
        head += f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{quoted}"\r\n'
        head += "Content-Type: application/octet-stream\r\n\r\n"
        before, after = head.encode(), f"\r\n--{boundary}--\r\n".encode()
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(before) + os.path.getsize(path) + len(after)),
        }

        def body() -> Iterator[bytes]:
            yield before
            with open(path, "rb") as file:
                while block := file.read(_BLOCK):
                    yield block
            yield after

        with self._opened(urllib.request.Request(self._url("/upload/image"), body(), headers)):
            pass

    def messages(self):
        """The host's messages about this client's work: a connection with recv(timeout), to be used in `with`."""
        from websockets.exceptions import InvalidHandshake
        from websockets.sync.client import connect

        url = self._url("/ws", {"clientId": self.id}).replace("http", "ws", 1)
        try:
            return connect(url, max_size=None, open_timeout=ANSWER_SECONDS)
        except (OSError, InvalidHandshake, TimeoutError) as error:
            raise self._nobody(error) from error

    def _url(self, path: str, query: Mapping[str, str] | None = None) -> str:
        return self.address + path + (f"?{urllib.parse.urlencode(query)}" if query else "")

    def _file(self, name: str, subfolder: str, kind: str) -> str:
        return self._url("/view", {"filename": name, "subfolder": subfolder, "type": kind})

    @contextlib.contextmanager
    def _opened(self, request: urllib.request.Request) -> Iterator[Any]:
        try:
            answer = urllib.request.urlopen(request, timeout=ANSWER_SECONDS)
        except urllib.error.HTTPError as error:
            with error:
                body = error.read().decode("utf-8", "replace")
            with contextlib.suppress(ValueError):
                body = json.loads(body)
            raise HostAnswered(error.code, body) from None
        except (OSError, ValueError) as error:
            raise self._nobody(error) from error
        with answer:
            yield answer

    def _nobody(self, error: BaseException) -> WorkFailed:
        reason = getattr(error, "reason", None) or error
        reason = getattr(reason, "strerror", None) or reason
        return WorkFailed(f"No host answers at {self.address} ({reason}); start it, or give its address with --server.")
