"""How a hub answers those who look for something: what is there, and the files themselves, faults included."""

import hashlib
import json
import re
import socket
from urllib.parse import parse_qs

from huggingface_hub import ModelCard

from .hub_uploads import STORED_AS_LFS


class DownloadAnswers:
    """Answers of the request handler, which has `hub`, `headers`, `query`, `body` and the means to send."""

    def info(self, kind, repo, revision=None):
        found, commit = self._find(kind, repo, revision)
        if found is not None:
            siblings = [{"rfilename": path} for path in sorted(found.commits[commit])]
            told = {"id": repo, "sha": commit, "siblings": siblings, "private": True, "tags": [], "downloads": 0}
            if b"pipeline_tag" in (card := found.commits[commit].get("README.md", b"")):
                data = ModelCard(card.decode()).data
                told |= {"pipeline_tag": data.pipeline_tag, "library_name": data.library_name}
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
