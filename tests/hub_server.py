"""A hub on localhost: as much of the Hugging Face protocol as uploads, downloads and `load_dataset` use, in memory."""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

STORED_AS_LFS = (".parquet", ".safetensors", ".npz")
REPO = r"(?P<kind>models|datasets)/(?P<repo>[^/]+/[^/]+)"
PAGE = r"/(?P<kind>datasets/)?(?P<repo>[^/]+/[^/]+)"


class HubServer:
    """Serve repositories of models and datasets at `url`, in a thread, as a context manager.

    Attributes:
        files: `(kind, repo_id)` -> path -> content, of the last commit; kind is "models" or "datasets".
        uploads: number of files that came by Git LFS.
        requests: `"METHOD path"` of all requests.
    """

    def __init__(self):
        self.files, self.commits, self.blobs, self.requests, self.uploads = {}, {}, {}, [], 0
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

    def _fail(self, status, code, message, told=None):
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        self._send(json.dumps({"error": message, **(told or {})}).encode(), status, headers)

    def _find(self, kind, repo, path=None):
        """Return the repository's files, or answer that it, or the path in it, is not there."""
        files = self.hub.files.get((kind, repo))
        if files is None:
            self._fail(404, "RepoNotFound", "Repository not found")
        elif path is not None and path not in files:
            self._fail(404, "EntryNotFound", "Entry not found")
            files = None
        return files

    def create(self):
        wanted = json.loads(self.body)
        repo = f"{wanted.get('organization') or 'me'}/{wanted['name'].rsplit('/', 1)[-1]}"
        kind = f"{wanted.get('type') or 'model'}s"
        told = {"url": f"{self.hub.url}/{'datasets/' if kind == 'datasets' else ''}{repo}", "name": repo}
        if (kind, repo) in self.hub.files:
            self._fail(409, "RepoExists", "You already created this repository", told)
            return
        self.hub.files[kind, repo], self.hub.commits[kind, repo] = {}, "0" * 40
        self._json(told)

    def who(self):
        self._json({"type": "user", "name": "me", "orgs": [], "auth": {"type": "access_token"}})

    def valid(self):
        self._json({"errors": [], "warnings": []})

    def preupload(self, kind, repo, revision):
        if self._find(kind, repo) is None:
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
        files = self._find(kind, repo)
        if files is None:
            return
        for line in self.body.splitlines():
            operation = json.loads(line)
            value = operation["value"]
            if operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
            elif operation["key"] == "deletedFile":
                del files[value["path"]]
        digest = hashlib.sha1(self.hub.commits[kind, repo].encode() + self.body).hexdigest()
        self.hub.commits[kind, repo] = digest
        page = f"{self.hub.url}/{'datasets/' if kind == 'datasets' else ''}{repo}/commit/{digest}"
        self._json({"success": True, "commitOid": digest, "commitUrl": page})

    def info(self, kind, repo, revision=None):
        files = self._find(kind, repo)
        if files is not None:
            siblings = [{"rfilename": path} for path in sorted(files)]
            sha = self.hub.commits[kind, repo]
            told = {"id": repo, "sha": sha, "siblings": siblings, "private": True, "tags": [], "downloads": 0}
            self._json({**told, "modelId": repo, "likes": 0, "lastModified": "2026-01-01T00:00:00.000Z"})

    def refs(self, kind, repo):
        if self._find(kind, repo) is not None:
            main = {"name": "main", "ref": "refs/heads/main", "targetCommit": self.hub.commits[kind, repo]}
            self._json({"branches": [main], "tags": [], "converts": []})

    def tree(self, kind, repo, revision, folder=None):
        files = self._find(kind, repo)
        if files is None:
            return
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
        files = self._find(kind, repo)
        if files is None:
            return
        if "json" in self.headers.get("Content-Type", ""):
            wanted = json.loads(self.body)["paths"]
        else:
            wanted = parse_qs(self.body.decode()).get("paths", [])
        wanted = [wanted] if isinstance(wanted, str) else wanted
        found = [_entry(path, files[path]) for path in wanted if path in files]
        found += [_folder(path) for path in wanted if any(name.startswith(f"{path}/") for name in files)]
        self._json(found)

    def resolve(self, kind, repo, revision, path):
        kind = "datasets" if kind else "models"
        files = self._find(kind, repo, path)
        if files is None:
            return
        content = files[path]
        headers = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": self.hub.commits[kind, repo],
            "Accept-Ranges": "bytes",
        }
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if span is None:
            self._send(content, headers=headers, kind="application/octet-stream")
            return
        first, last = int(span[1]), min(int(span[2] or len(content) - 1), len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        self._send(content[first : last + 1], 206, headers, "application/octet-stream")


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
    (("POST",), rf"/api/{REPO}/paths-info/(?P<revision>[^/]+)", _Handler.paths_info),
    (("GET",), rf"/api/{REPO}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?", _Handler.tree),
    (("GET",), rf"/api/{REPO}/refs", _Handler.refs),
    (("GET",), rf"/api/{REPO}(?:/revision/(?P<revision>[^/]+))?", _Handler.info),
    (("GET", "HEAD"), rf"{PAGE}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", _Handler.resolve),
]
