"""A hub on localhost: as much of the Hugging Face protocol as uploads, downloads and `load_dataset` use, in memory."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from .hub_downloads import DownloadAnswers
from .hub_store import HubStore
from .hub_uploads import UploadAnswers

REPO = r"(?P<kind>models|datasets)/(?P<repo>[^/]+/[^/]+)"
PAGE = r"/(?P<kind>datasets/)?(?P<repo>[^/]+/[^/]+)"


class HubServer(HubStore):
    """Serve repositories of models and datasets at `url`, in a thread, as a context manager.

    Attributes:
        uploads: number of files that came by Git LFS.
        requests: `"METHOD path"` of all requests.
        faults: `(repo_id, path)` -> "cut" (the connection breaks half-way, once), "always cut" or "flip" (a byte
            is another one).
    """

    def __init__(self):
        super().__init__()
        self.requests, self.uploads, self.faults = [], 0, {}
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class _Handler(UploadAnswers, DownloadAnswers, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _route(self):
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        self.query = parse_qs(urlsplit(self.path).query)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        for method, pattern, answer in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and self.command in method:
                answer(self, **match.groupdict())
                return
        self._fail(404, "EntryNotFound", f"no route for {self.command} {path}")

    do_GET = do_HEAD = do_POST = do_PUT = _route

    def _send(self, content: bytes, status=200, headers=None, kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _json(self, value):
        self._send(json.dumps(value).encode())

    def _fail(self, status, code, message, told=None, commit=None):
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        if commit is not None:
            headers["X-Repo-Commit"] = commit
        self._send(json.dumps({"error": message, **(told or {})}).encode(), status, headers)

    def _token(self):
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _find(self, kind, repo, revision="main"):
        """Return repository and commit, or answer why they are not to be seen."""
        kind = {None: "models", "datasets/": "datasets"}.get(kind, kind)
        found = self.hub.repositories.get((kind, repo))
        if found is None or (found.access == "private" and not self._token()):
            # The real one does not tell strangers whether a private repository exists.
            self._fail(404 if self._token() else 401, "RepoNotFound", "Repository not found")
            return None, None
        if found.access == "gated" and self._token() not in self.hub.writers:
            self._fail(403, "GatedRepo", f"Access to model {repo} is restricted. You are not in the authorized list.")
            return None, None
        commit = found.commit_of(revision or "main")
        if commit is None:
            self._fail(404, "RevisionNotFound", "Invalid rev id: " + revision)
            return None, None
        return found, commit

    def _find_to_write(self, kind, repo, revision="main"):
        if self._token() not in self.hub.writers:
            self._fail(403, "Forbidden", f"You don't have the rights to write to {repo}.")
            return None
        return self._find(kind, repo, revision)[0]

    def who(self):
        self._json({"type": "user", "name": "me", "orgs": [], "auth": {"type": "access_token"}})

    def valid(self):
        self._json({"errors": [], "warnings": []})


ROUTES = [
    (("POST",), "/api/repos/create", _Handler.create),
    (("GET",), "/api/whoami-v2", _Handler.who),
    (("POST",), "/api/validate-yaml", _Handler.valid),
    (("POST",), rf"/api/{REPO}/preupload/(?P<revision>[^/]+)", _Handler.preupload),
    (("POST",), rf"{PAGE}\.git/info/lfs/objects/batch", _Handler.lfs_batch),
    (("PUT",), "/lfs/(?P<oid>[0-9a-f]{64})", _Handler.lfs_upload),
    (("POST",), rf"/api/{REPO}/commit/(?P<revision>[^/]+)", _Handler.commit),
    (("POST",), rf"/api/{REPO}/tag/(?P<revision>[^/]+)", _Handler.tag),
    (("POST",), rf"/api/{REPO}/branch/(?P<revision>[^/]+)", _Handler.branch),
    (("POST",), rf"/api/{REPO}/paths-info/(?P<revision>[^/]+)", _Handler.paths_info),
    (("GET",), rf"/api/{REPO}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?", _Handler.tree),
    (("GET",), rf"/api/{REPO}/refs", _Handler.refs),
    (("GET",), rf"/api/{REPO}(?:/revision/(?P<revision>[^/]+))?", _Handler.info),
    (("GET", "HEAD"), rf"{PAGE}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", _Handler.resolve),
]
