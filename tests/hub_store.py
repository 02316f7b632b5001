"""What the loopback Hub keeps: repositories of commits, files as bytes, tags, tokens; in memory, one lock."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import RLock

import yaml

LARGE = (
    ".gguf",
    ".safetensors",
    ".faiss",
    ".npy",
    ".npz",
    ".bin",
    ".model",
    ".tar",
    ".gz",
    ".zip",
    ".pt",
    ".whl",
)
LARGE_BYTES = 10_000_000


class Refused(Exception):
    """An answer with an error status, as the Hub gives it."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class File:
    """One file of a commit; `lfs` files are known by SHA-256, others by git's blob id."""

    data: bytes
    lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def blob_id(self) -> str:
        body = self.data
        if self.lfs:
            body = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(body)}\n".encode()
        return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()

    @property
    def oid(self) -> str:
        """What the client compares its own file with, to leave an unchanged one out of a commit."""
        return self.sha256 if self.lfs else self.blob_id


@dataclass
class Repo:
    """A repository: `commits` maps a 40-hex id to its files, `refs` a branch or tag to an id."""

    kind: str
    id: str
    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, File], message: str) -> str:
        parent = self.refs.get("main", "")
        listing = json.dumps([parent, message, sorted((path, file.oid) for path, file in files.items())])
        oid = hashlib.sha1(f"{datetime.now(UTC).isoformat()}{listing}".encode()).hexdigest()
        self.commits[oid] = files
        self.refs["main"] = oid
        self.messages.append(message)
        return oid

    def resolve(self, revision: str) -> str:
        """The commit id of a branch, tag or id."""
        oid = self.refs.get(revision, revision)
        if oid not in self.commits:
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return oid

    def file(self, revision: str, path: str) -> tuple[str, File]:
        oid = self.resolve(revision)
        if path not in self.commits[oid]:
            raise Refused(404, "Entry not found", "EntryNotFound")
        return oid, self.commits[oid][path]


@dataclass
class Store:
    """All repositories, the tokens that may write (token → user), and uploaded objects not yet committed."""

    tokens: dict[str, str] = field(default_factory=lambda: {"hf_owner": "me"})
    paid: bool = False
    repos: dict[tuple[str, str], Repo] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)

    def create(self, kind: str, repo_id: str, private: bool) -> Repo:
        if (kind, repo_id) in self.repos:
            raise Refused(409, "You already created this repo")
        if kind == "space" and not self.paid:
            raise Refused(402, "Gradio Spaces on cpu-basic need a paid plan")
        repo = Repo(kind, repo_id, private)
        repo.commit(
            {".gitattributes": File(b"*.gguf filter=lfs diff=lfs merge=lfs -text\n", False)}, "initial commit"
        )
        self.repos[kind, repo_id] = repo
        return repo

    def repo(self, kind: str, repo_id: str, user: str | None) -> Repo:
        """The repository as `user` may see it. The Hub does not tell a stranger whether a private one exists."""
        found = self.repos.get((kind, repo_id))
        owned = found is not None and user == repo_id.split("/")[0]
        if found is None or (found.private and not owned):
            if user is None:
                raise Refused(401, "Invalid username or password.")
            raise Refused(404, "Repository not found", "RepoNotFound")
        return found

    def upload_mode(self, path: str, size: int) -> str:
        return "lfs" if size > LARGE_BYTES or path.endswith(LARGE) else "regular"


def card_errors(text: str, kind: str | None) -> list[str]:
    """What the Hub would refuse in a README.md."""
    match = re.match(r"---\r?\n(.*?)\r?\n---", text, re.DOTALL)
    try:
        data = yaml.safe_load(match[1]) if match else {}
    except yaml.YAMLError as error:
        return [f"invalid YAML: {error}"]
    errors = []
    if kind == "space" and len(data.get("short_description") or "") > 60:
        errors.append('"short_description" length must be less than or equal to 60 characters long')
    if "license" in data and not re.fullmatch(r"[a-z0-9.-]+", str(data["license"])):
        errors.append('"license" is not a known identifier')
    base = data.get("base_model", [])
    for item in [base] if isinstance(base, str) else base:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", item):
            errors.append(f'"base_model" with value "{item}" is not valid')
    return errors
