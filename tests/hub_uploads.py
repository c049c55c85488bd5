"""How a hub answers those who bring something: repositories, tags, branches, files, commits."""

import base64
import hashlib
import json

from .hub_store import Repository

STORED_AS_LFS = (".parquet", ".safetensors", ".npz")


class UploadAnswers:
    """Answers of the request handler, which has `hub`, `headers`, `body` and the means to send."""

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
