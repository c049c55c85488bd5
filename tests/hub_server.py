"""A hub on localhost: as much of the Hugging Face protocol as uploads, downloads and `load_dataset` use, in memory."""

import base64
import hashlib
import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from .hub_store import HubStore, Repository

STORED_AS_LFS = (".parquet", ".safetensors", ".npz")
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


class _Handler(BaseHTTPRequestHandler):
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

    def create(self):
        wanted = json.loads(self.body)
        repo = f"{wanted.get('organization') or 'me'}/{wanted['name'].rsplit('/', 1)[-1]}"
        kind = f"{wanted.get('type') or 'model'}s"
        told = {"url": f"{self.hub.url}/{'datasets/' if kind == 'datasets' else ''}{repo}", "name": repo}
        if self._token() not in self.hub.writers:
            self._fail(403, "Forbidden", f"You don't have the rights to create a repository in {repo.split('/')[0]}.")
        elif (kind, repo) in self.hub.repositories:
            self._fail(409, "RepoExists", "You already created this repository", told)
        else:
            self.hub.repositories[kind, repo] = Repository()
            self._json(told)

    def tag(self, kind, repo, revision):
        found = self._find_to_write(kind, repo, revision)
        if found is not None:
            found.tags[json.loads(self.body)["tag"]] = found.commit_of(revision)
            self._json({})

    def branch(self, kind, repo, revision):
        found = self._find_to_write(kind, repo)
        if found is not None:
            start = json.loads(self.body or b"{}").get("startingPoint", "main")
            found.branches[revision] = found.commit_of(start)
            self._json({})

    def who(self):
        self._json({"type": "user", "name": "me", "orgs": [], "auth": {"type": "access_token"}})

    def valid(self):
        self._json({"errors": [], "warnings": []})

    def preupload(self, kind, repo, revision):
        if self._find_to_write(kind, repo, revision) is None:
            return
        named = [item["path"] for item in json.loads(self.body)["files"]]
        modes = {path: "lfs" if path.endswith(STORED_AS_LFS) else "regular" for path in named}
        self._json({"files": [{"path": p, "uploadMode": m, "shouldIgnore": False} for p, m in modes.items()]})

    def lfs_batch(self, kind, repo):
        objects = []
        for item in json.loads(self.body)["objects"]:
            upload = {"href": f"{self.hub.url}/lfs/{item['oid']}", "header": {}}
            # As Git LFS has it: no action for what is stored already.
            actions = {} if item["oid"] in self.hub.blobs else {"actions": {"upload": upload}}
            objects.append({**item, "authenticated": True, **actions})
        self._json({"transfer": "basic", "objects": objects})

    def lfs_upload(self, oid):
        if hashlib.sha256(self.body).hexdigest() != oid:
            self._fail(400, "BadRequest", "the content is not what its hash says")
            return
        self.hub.blobs[oid] = self.body
        self.hub.uploads += 1
        self._send(b"")

    def commit(self, kind, repo, revision):
        found = self._find_to_write(kind, repo, revision)
        if found is None:
            return
        changed, deleted = {}, set()
        for line in self.body.splitlines():
            operation = json.loads(line)
            value = operation["value"]
            if operation["key"] == "file":
                changed[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                changed[value["path"]] = self.hub.blobs[value["oid"]]
            elif operation["key"] == "deletedFile":
                deleted.add(value["path"])
        name = found.add(revision, changed, deleted, self.body)
        page = f"{self.hub.url}/{'datasets/' if kind == 'datasets' else ''}{repo}/commit/{name}"
        self._json({"success": True, "commitOid": name, "commitUrl": page})

    def info(self, kind, repo, revision=None):
        found, commit = self._find(kind, repo, revision)
        if found is not None:
            siblings = [{"rfilename": path} for path in sorted(found.commits[commit])]
            told = {"id": repo, "sha": commit, "siblings": siblings, "private": True, "tags": [], "downloads": 0}
            self._json({**told, "modelId": repo, "likes": 0, "lastModified": "2026-01-01T00:00:00.000Z"})

    def refs(self, kind, repo):
        found, _ = self._find(kind, repo)
        if found is not None:
            told = {
                key: [{"name": n, "ref": f"refs/{place}/{n}", "targetCommit": commit} for n, commit in names.items()]
                for key, place, names in (("branches", "heads", found.branches), ("tags", "tags", found.tags))
            }
            self._json({**told, "converts": []})

    def tree(self, kind, repo, revision, folder=None):
        found, commit = self._find(kind, repo, revision)
        if found is None:
            return
        files = found.commits[commit]
        recursive = self.query.get("recursive", [""])[0].lower() in ("1", "true")
        prefix = f"{folder}/" if folder else ""
        below = [path for path in sorted(files) if path.startswith(prefix)]
        folders = {prefix + path[len(prefix) :].split("/")[0] for path in below if "/" in path[len(prefix) :]}
        if not below and folder:
            self._fail(404, "EntryNotFound", "Entry not found")
            return
        shown = [path for path in below if recursive or "/" not in path[len(prefix) :]]
        self._json([_folder(path) for path in sorted(folders)] + [_entry(path, files[path]) for path in shown])

    def paths_info(self, kind, repo, revision):
        found, commit = self._find(kind, repo, revision)
        if found is None:
            return
        files = found.commits[commit]
        if "json" in self.headers.get("Content-Type", ""):
            wanted = json.loads(self.body)["paths"]
        else:
            wanted = parse_qs(self.body.decode()).get("paths", [])
        wanted = [wanted] if isinstance(wanted, str) else wanted
        entries = [_entry(path, files[path]) for path in wanted if path in files]
        entries += [_folder(path) for path in wanted if any(name.startswith(f"{path}/") for name in files)]
        self._json(entries)

    def resolve(self, kind, repo, revision, path):
        found, commit = self._find(kind, repo, revision)
        if found is None:
            return
        content = found.commits[commit].get(path)
        if content is None:
            # The commit is told here, too, so that clients remember what is not in it.
            self._fail(404, "EntryNotFound", "Entry not found", commit=commit)
            return
        headers = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": commit,
            "Accept-Ranges": "bytes",
        }
        fault = self.hub.faults.get((repo, path)) if self.command == "GET" else None
        if fault == "flip":
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        status = 200 if span is None else 206
        if span is not None:
            first, last = int(span[1]), min(int(span[2] or len(content) - 1), len(content) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            content = content[first : last + 1]
        if fault in ("cut", "always cut"):
            if fault == "cut":
                del self.hub.faults[repo, path]
            self._break_off(content, status, headers)
        else:
            self._send(content, status, headers, "application/octet-stream")

    def _break_off(self, content, status, headers):
        """Promise all of it, send half, and hang up."""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _entry(path, content):
    entry = {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
    if path.endswith(STORED_AS_LFS):
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return entry


def _folder(path):
    return {"type": "directory", "path": path, "size": 0, "oid": hashlib.sha1(path.encode()).hexdigest()}


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
