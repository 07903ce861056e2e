"""A client of the kds broker in Python, after docs/protocol.md; the standard library is enough.

    with Domain() as domain, domain.acquire(exclusive=["db"], shared=["config"]) as grant:
        print(grant.token)

One thread, one request at a time: enough for scripts. It neither starts a broker (any use of kds
does) nor reclaims its grants from the next broker if the broker dies: then the next call raises
LostError, and all grants are lost.
"""

import json
import os
import socket
import stat


class RefusedError(Exception):
    """The broker refused the request, with a `code` of docs/errors.md."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class LostError(Exception):
    """The connection to the broker has ended, and all grants are lost."""


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


def units_of(answer):
    """Names or numbers of units, by resource."""
    return {
        each["resource"]: each.get("names")
        or [number for first, count in each["ranges"] for number in range(first, first + count)]
        for each in answer.get("units", [])
    }


class Grant:
    def __init__(self, domain, request, answer):
        self._domain = domain
        self._request = request
        self.token = answer["token"]
        self.recovered = answer.get("recovered", [])
        self.units = units_of(answer)

    def try_upgrade(self, *part):
        """Makes these resources exclusive, or none of them if others are in the way: False."""
        members = {"grant": self._request, "part": part}
        answer = self._domain._call("upgrade", ("upgraded", "denied"), **members)
        self.units.update(units_of(answer))
        return answer["is"] == "upgraded"

    def downgrade(self, **units):
        """Leaves that many units of each resource, and gives back the highest."""
        left = list(units.items())
        self._domain._send({"do": "downgrade", "id": self._request, "units": left})
        for name, count in left:
            self.units[name] = self.units[name][:count]

    def release(self):
        """Releases the set, without an answer. A second call does nothing."""
        if self._request is not None:
            self._domain._send({"do": "release", "id": self._request})
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
        self._send({"do": "hello", "version": 2, "pid": os.getpid(), "label": label or "python"})
        self._receive("hello")

    def acquire(self, exclusive=(), shared=(), units=None, timeout_ms=None, label=None):
        """Waits until the whole set is granted. Raises RefusedError, e.g. after timeout_ms.

        units: a number for each resource, or a pair of that and the capacity to assert.
        """
        terms = {"timeoutMs": timeout_ms, "label": label}
        return self._request("acquire", exclusive, shared, units or {}, terms)

    def try_acquire(self, exclusive=(), shared=(), units=None, label=None):
        """The grant, or None if the set is not free."""
        return self._request("try", exclusive, shared, units or {}, {"label": label})

    def set_capacity(self, resource, capacity):
        """Declares a number of units, or the list of their names."""
        self._call("declare", ("declared",), resource=resource, capacity=capacity)

    def capacity(self, resource):
        """A dict with capacity, taken, waiting, and names if there are some; or None."""
        return self._call("capacity", ("capacity",), resource=resource).get("capacity")

    def query(self):
        """The held and the waiting sets."""
        return self._call("query", ("snapshot",))

    def close(self):
        """Releases all grants in good order: no recovered flag is set."""
        self._call("end", ("ended",))
        self._socket.close()

    def _request(self, verb, exclusive, shared, units, terms):
        parts = [[name, "all"] for name in exclusive] + [[name, 1] for name in shared]
        for name, count in units.items():
            parts.append([name, *(count if isinstance(count, tuple) else (count, 0))])
        given = {key: value for key, value in terms.items() if value is not None}
        answer = self._call(verb, ("granted", "denied"), parts=parts, **given)
        return None if answer["is"] == "denied" else Grant(self, self._last_id, answer)

    def _call(self, verb, kinds, **members):
        self._last_id += 1
        self._send({"do": verb, "id": self._last_id, **members})
        return self._receive(*kinds)

    def _send(self, frame):
        # ensure_ascii keeps all names different, also those that are not valid Unicode.
        self._socket.sendall(json.dumps(frame, ensure_ascii=True).encode("ascii") + b"\n")

    def _receive(self, *kinds):
        for line in self._lines:
            answer = json.loads(line)
            if answer["is"] in kinds:
                return answer
            if answer["is"] in ("refused", "error"):
                raise RefusedError(answer["code"], answer["message"])
        raise LostError("the connection to the broker has ended")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
