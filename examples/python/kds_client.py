"""A client of the kds broker in Python, after docs/protocol.md; the standard library is enough.

    with Domain() as domain, domain.acquire(exclusive=["db"], shared=["config"]) as grant:
        print(grant.token)

One thread, one request at a time: enough for scripts. It neither starts a broker (any use of kds
does) nor claims what it holds from another one if the broker dies: then LostError is raised by the
next call, and what was held must not be relied upon.
"""

import json
import os
import socket
import stat


class RefusedError(Exception):
    """The broker refused; `code` says why, as in docs/errors.md."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class LostError(Exception):
    """The broker is gone, and with it all that was held."""


def default_socket_path():
    chosen = os.environ.get("KDS_SOCKET")
    if chosen:
        return chosen
    return f"/tmp/kds-{os.geteuid()}/broker.sock"


def check_directory(path):
    """Another user that could put a socket there could pose as the broker."""
    folder = os.path.dirname(path)
    found = os.lstat(folder)
    is_trusted = found.st_uid in (0, os.geteuid()) and not found.st_mode & 0o022
    if not stat.S_ISDIR(found.st_mode) or not is_trusted:
        raise PermissionError(f"{folder} is no directory that only you can write to")


class Grant:
    def __init__(self, domain, request, told):
        self._domain = domain
        self._request = request
        self.token = told["token"]
        self.recovered = told.get("recovered", [])

    def release(self):
        """Lets go; needs no answer. Once more does nothing."""
        if self._request is not None:
            self._domain._say({"do": "release", "id": self._request})
            self._request = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()


class Domain:
    def __init__(self, path=None, label=None):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path = path or default_socket_path()
        check_directory(path)
        self._socket.connect(path)
        self._lines = self._socket.makefile("r", encoding="utf-8", newline="\n")
        self._last_id = 0
        self._say({"do": "hello", "version": 2, "pid": os.getpid(), "label": label or "python"})
        self._hear("hello")

    def acquire(self, exclusive=(), shared=(), timeout_ms=None, label=None):
        """Waits until the whole set is granted. Raises RefusedError, e.g. when time is over."""
        return self._ask("acquire", exclusive, shared, timeoutMs=timeout_ms, label=label)

    def try_acquire(self, exclusive=(), shared=(), label=None):
        """The grant, or None if the set cannot be had at once."""
        return self._ask("try", exclusive, shared, label=label)

    def query(self):
        """Who holds what, and who waits for whom."""
        self._last_id += 1
        self._say({"do": "query", "id": self._last_id})
        return self._hear("snapshot")

    def close(self):
        """Releases everything, in order: nobody is told that it may be half done."""
        self._last_id += 1
        self._say({"do": "end", "id": self._last_id})
        self._hear("ended")
        self._socket.close()

    def _ask(self, verb, exclusive, shared, **terms):
        self._last_id += 1
        request = {"do": verb, "id": self._last_id}
        request["parts"] = [[name, "all"] for name in exclusive] + [[name, 1] for name in shared]
        request.update({key: value for key, value in terms.items() if value is not None})
        self._say(request)
        told = self._hear("granted", "denied")
        return None if told["is"] == "denied" else Grant(self, self._last_id, told)

    def _say(self, frame):
        # ensure_ascii keeps any name apart, also those that are no valid Unicode.
        self._socket.sendall(json.dumps(frame, ensure_ascii=True).encode("ascii") + b"\n")

    def _hear(self, *kinds):
        for line in self._lines:
            told = json.loads(line)
            if told["is"] in kinds:
                return told
            if told["is"] in ("refused", "error"):
                raise RefusedError(told["code"], told["message"])
        raise LostError("the broker is gone")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
