"""A small Hugging Face Hub on loopback that the genuine client talks to: repositories, commits, LFS, errors.

    python -m tests.hub_server [--port 0]      prints `HF_ENDPOINT=http://127.0.0.1:PORT`, serves until it is stopped

Clients set HF_ENDPOINT, HF_TOKEN=hf_owner (the user `me`), an HF_HOME of their own, and HF_HUB_DISABLE_XET=1 to
publish: this Hub has no Xet storage. `Hub.faults` makes it fail as networks and servers do.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from threading import Thread
from typing import Any

from tests.hub_http import Answers
from tests.hub_store import File, Refused, Repo, Store, card_errors

ID = r"(?P<repo>[^/]+/[^/]+)"
KIND = r"/api/(?P<kind>model|dataset|space)s/"
PREFIX = r"/(?:(?P<kind>dataset|space)s/)?"


class Hub(ThreadingHTTPServer):
    """The server. `requests` lists what was asked, as "METHOD /path"; `faults` maps a file name to a failure:

    "missing" (404), "flip" (other bytes of the same size), "short" (a body that ends early, its length to match),
    "cut" (the connection breaks in mid-body, once), "break" (the connection breaks each time), "garble" (an upload is
    stored with other bytes); and a repository to "race" (someone else commits to it before the client does).
    """

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.store = Store()
        self.requests: list[str] = []
        self.faults: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in mid-answer is no error here."""


@contextmanager
def serving(port: int = 0) -> Iterator[Hub]:
    """A Hub in a thread of this process, closed at the end."""
    hub = Hub(port)
    thread = Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()


class Handler(Answers):
    """The routes of the Hub."""

    server: Hub

    @property
    def user(self) -> str | None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if token and token not in self.server.store.tokens:
            raise Refused(401, "Invalid credentials in Authorization header")
        return self.server.store.tokens.get(token)

    def readable(self, kind: str | None, repo: str) -> Repo:
        return self.server.store.repo(kind or "model", repo, self.user)

    def writable(self, kind: str | None, repo: str) -> Repo:
        found = self.readable(kind, repo)
        if self.user != repo.split("/")[0]:
            raise Refused(403, "You don't have the rights to write here")
        return found

    # accounts and repositories

    def whoami(self) -> Callable[[], None]:
        if self.user is None:
            raise Refused(401, "Invalid username or password.")
        return lambda: self._json(
            {"type": "user", "name": self.user, "orgs": [], "auth": {"type": "access_token"}}
        )

    def create(self) -> Callable[[], None]:
        wanted = json.loads(self.body)
        if self.user is None:
            raise Refused(401, "Invalid username or password.")
        kind, owner = wanted.get("type", "model"), wanted.get("organization") or self.user
        repo_id = f"{owner}/{wanted['name']}"
        if owner != self.user:
            raise Refused(403, f"You don't have the rights to create a {kind} under the namespace {owner}")
        prefix = "" if kind == "model" else f"{kind}s/"
        url = {"url": f"{self.server.url}/{prefix}{repo_id}", "name": repo_id}
        try:
            self.server.store.create(
                kind, repo_id, wanted.get("visibility") == "private" or wanted.get("private", False)
            )
        except Refused as refused:
            message, status = str(refused), refused.status
            return lambda: self._json({"error": message, **url}, status, {"X-Error-Message": message})
        return lambda: self._json(url)

    def validate(self) -> Callable[[], None]:
        wanted = json.loads(self.body)
        errors = card_errors(wanted["content"], wanted.get("repoType"))
        found = {"errors": [{"message": error} for error in errors], "warnings": []}
        return lambda: self._json(found, 400 if errors else 200)

    def info(self, kind: str, repo: str, rev: str = "main") -> Callable[[], None]:
        found = self.readable(kind, repo)
        oid = found.resolve(rev)
        names = [{"rfilename": path} for path in sorted(found.commits[oid])]
        value = {
            "id": repo,
            "sha": oid,
            "private": found.private,
            "gated": found.gated,
            "siblings": names,
            "tags": [],
        }
        return lambda: self._json(value)

    def tree(self, kind: str, repo: str, rev: str) -> Callable[[], None]:
        found = self.readable(kind, repo)
        entries = []
        for path, file in sorted(found.commits[found.resolve(rev)].items()):
            entry: dict[str, Any] = {
                "type": "file",
                "path": path,
                "size": len(file.data),
                "oid": file.blob_id,
            }
            if file.lfs:
                entry["lfs"] = {"oid": file.sha256, "size": len(file.data), "pointerSize": 134}
            entries.append(entry)
        return lambda: self._json(entries)

    def tag(self, kind: str, repo: str, rev: str) -> Callable[[], None]:
        found, name = self.writable(kind, repo), json.loads(self.body)["tag"]
        if name in found.refs:
            raise Refused(409, f"Tag {name} already exists")
        found.refs[name] = found.resolve(rev)
        return lambda: self._json({})

    def variables(self, repo: str) -> Callable[[], None]:
        found, wanted = self.writable("space", repo), json.loads(self.body)
        found.variables[wanted["key"]] = wanted["value"]
        value = {key: {"value": text, "updatedAt": None} for key, text in found.variables.items()}
        return lambda: self._json(value)

    # uploads

    def preupload(self, kind: str, repo: str, rev: str) -> Callable[[], None]:
        found, files = self.writable(kind, repo), []
        if self.server.faults.pop(repo, None) == "race":
            found.commit(
                {**found.commits[found.refs["main"]], "NOTES.md": File(b"mine", False)}, "by someone else"
            )
        present = found.commits[found.resolve(rev)]
        for wanted in json.loads(self.body)["files"]:
            path, mode = wanted["path"], self.server.store.upload_mode(wanted["path"], wanted["size"])
            oid = present[path].oid if path in present else None
            files.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return lambda: self._json({"files": files})

    def batch(self, kind: str | None, repo: str) -> Callable[[], None]:
        self.writable(kind, repo)
        wanted = json.loads(self.body)["objects"]
        auth = {"Authorization": self.headers["Authorization"]}
        answers = []
        for item in wanted:
            answer: dict[str, Any] = {"oid": item["oid"], "size": item["size"]}
            if item["oid"] not in self.server.store.objects:
                href = f"{self.server.url}/lfs/{item['oid']}"
                answer["actions"] = {
                    "upload": {"href": href},
                    "verify": {"href": f"{href}/verify", "header": auth},
                }
            answers.append(answer)
        return lambda: self._json({"transfer": "basic", "objects": answers})

    def put(self, oid: str) -> Callable[[], None]:
        if File(self.body, True).sha256 != oid:
            raise Refused(400, f"the body is not the object {oid}")
        self.server.store.objects[oid] = self.body
        return lambda: self._send(b"", 200, {})

    def verify(self, oid: str) -> Callable[[], None]:
        if len(self.server.store.objects.get(oid, b"")) != json.loads(self.body)["size"]:
            raise Refused(404, "no such object of that size")
        return lambda: self._json({})

    def commit(self, kind: str, repo: str, rev: str) -> Callable[[], None]:
        found = self.writable(kind, repo)
        if rev != "main":
            raise Refused(400, "this Hub has one branch, main")
        lines = [json.loads(line) for line in self.body.splitlines()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        if header.get("parentCommit") not in (None, found.refs["main"]):
            raise Refused(412, "A commit has happened since. Please refresh and try again.")
        files = dict(found.commits[found.refs["main"]])
        for line in lines:
            self._apply(files, line["key"], line["value"])
        oid = found.commit(files, header["summary"])
        return lambda: self._json(
            {"success": True, "commitOid": oid, "commitUrl": f"{self.server.url}/{repo}/commit/{oid}"}
        )

    def _apply(self, files: dict[str, File], key: str, value: dict[str, Any]) -> None:
        if key == "file":
            files[value["path"]] = File(base64.b64decode(value["content"]), False)
        elif key == "lfsFile":
            if value["oid"] not in self.server.store.objects:
                raise Refused(400, f"object {value['oid']} was not uploaded")
            files[value["path"]] = File(self.server.store.objects[value["oid"]], True)
            if self.server.faults.get(value["path"].rsplit("/", 1)[-1]) == "garble":
                files[value["path"]] = File(b"garbled", True)
        elif key == "deletedFile":
            files.pop(value["path"])
        elif key != "header":
            raise Refused(400, f"unknown operation {key}")

    # downloads

    def resolve(self, kind: str | None, repo: str, rev: str, path: str) -> Callable[[], None]:
        found = self.readable(kind, repo)
        if found.gated and self.user != repo.split("/")[0]:
            raise Refused(403, f"Access to {repo} is restricted", "GatedRepo")
        oid, file = found.file(rev, path)
        fault = self.server.faults.get(path.rsplit("/", 1)[-1])
        if fault == "missing":
            raise Refused(404, "Entry not found", "EntryNotFound")
        if fault == "cut" and self.command == "GET":
            del self.server.faults[path.rsplit("/", 1)[-1]]
        headers = {"X-Repo-Commit": oid, "ETag": f'"{file.oid}"', "Accept-Ranges": "bytes"}
        if file.lfs:
            headers |= {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(len(file.data))}
        return lambda: self._serve(file.data, headers, fault if self.command == "GET" else None)

    def _serve(self, data: bytes, headers: dict[str, str], fault: str | None) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        status = 206 if wanted else 200
        if wanted:
            headers = {**headers, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        if fault == "flip":
            data = bytes(byte ^ 1 for byte in data)
        if fault == "short":
            data = data[: len(data) // 2]
        body = data[start:]
        if fault in ("cut", "break"):
            keep = len(body) // 2 if fault == "cut" else 0
            self._send(body[:keep], status, {**headers, "Content-Length": str(len(body))})
            self.close_connection = True
        else:
            self._send(body, status, headers)


Handler.routes = [
    ("GET", "/api/whoami-v2", Handler.whoami),
    ("POST", "/api/repos/create", Handler.create),
    ("POST", "/api/validate-yaml", Handler.validate),
    ("POST", KIND + ID + "/preupload/(?P<rev>[^/]+)", Handler.preupload),
    ("POST", PREFIX + ID + r"\.git/info/lfs/objects/batch", Handler.batch),
    ("PUT", "/lfs/(?P<oid>[0-9a-f]{64})", Handler.put),
    ("POST", "/lfs/(?P<oid>[0-9a-f]{64})/verify", Handler.verify),
    ("POST", KIND + ID + "/commit/(?P<rev>[^/]+)", Handler.commit),
    ("POST", KIND + ID + "/tag/(?P<rev>[^/]+)", Handler.tag),
    ("POST", "/api/spaces/" + ID + "/variables", Handler.variables),
    ("GET", KIND + ID, Handler.info),
    ("GET", KIND + ID + "/revision/(?P<rev>[^/]+)", Handler.info),
    ("GET", KIND + ID + "/tree/(?P<rev>[^/]+)", Handler.tree),
    ("GET HEAD", PREFIX + ID + "/resolve/(?P<rev>[^/]+)/(?P<path>.+)", Handler.resolve),
]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--paid", action="store_true", help="an account that may create Gradio Spaces")
    args = parser.parse_args()
    hub = Hub(args.port)
    hub.store.paid = args.paid
    print(f"HF_ENDPOINT={hub.url}", flush=True)
    hub.serve_forever()


if __name__ == "__main__":
    main()
