"""Repositories of models and datasets in memory: commits, branches, tags, and who may read and write them."""

import hashlib


class Repository:
    """One repository: every commit keeps its files.

    Attributes:
        commits: commit -> path -> content.
        branches, tags: name -> commit.
        access: "public", "private" (readers need a token) or "gated" (nobody has been let in).
    """

    def __init__(self):
        empty = "0" * 40
        self.commits, self.branches, self.tags, self.access = {empty: {}}, {"main": empty}, {}, "public"

    def commit_of(self, revision):
        """Commit of a branch, tag or commit; `None` if there is none of that name."""
        revision = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        known = {**self.tags, **self.branches}.get(revision, revision)
        return known if known in self.commits else None

    def add(self, branch, changed, deleted, salt):
        """Add a commit to a branch and return its name."""
        files = {path: content for path, content in self.commits[self.branches[branch]].items() if path not in deleted}
        name = hashlib.sha1(self.branches[branch].encode() + salt).hexdigest()
        self.commits[name] = {**files, **changed}
        self.branches[branch] = name
        return name


class HubStore:
    """What a hub holds.

    Attributes:
        repositories: `(kind, repo_id)` -> [`Repository`]; kind is "models" or "datasets".
        blobs: SHA-256 -> content, of all uploads by Git LFS.
        writers: tokens that may write.
    """

    def __init__(self):
        self.repositories, self.blobs, self.writers = {}, {}, {"hf_test"}

    @property
    def files(self):
        """`(kind, repo_id)` -> path -> content, of the last commit of main."""
        return {key: repo.commits[repo.branches["main"]] for key, repo in self.repositories.items()}
