"""One atomic, verified commit to a repository of the Hugging Face Hub; `python -m train publish` makes one in each.

`create_commit` is used and not `upload_folder`, which makes several commits where Xet storage is on. With Xet (the
real Hub) the blobs travel first and the commit names them all at once, so it is as atomic as over plain LFS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from space.errors import HubUnreachable
from space.files import file_sha256
from train.errors import (
    PublishConflict,
    PublishFailed,
    PublishRefused,
    RepoIsPublic,
    SpaceNeedsPlan,
    TagTaken,
)

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Content = Path | bytes


@dataclass(frozen=True)
class Commit:
    """A commit to make, then made: `kind` is "model", "dataset" or "space", `revision` 40 hex digits."""

    repo: str
    kind: str
    tag: str | None = None
    revision: str = ""


def push(commit: Commit, files: dict[str, Content], private: bool) -> Commit:
    """Creates the repository if need be, commits `files` at once, compares what arrived, sets the tag.

    Files that are there already unchanged are left out; when all are, there is no new commit and the newest one is
    returned. Raises HubUnreachable, PublishRefused, SpaceNeedsPlan, RepoIsPublic, PublishConflict, TagTaken or
    PublishFailed.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi()
    with named_errors(commit.repo):
        create_repo(api, commit, private)
        parent = api.repo_info(commit.repo, repo_type=commit.kind).sha
        done = api.create_commit(
            commit.repo,
            [CommitOperationAdd(path, content) for path, content in files.items()],
            commit_message=f"Publish {commit.tag}" if commit.tag else "Publish",
            repo_type=commit.kind,
            parent_commit=parent,
        )
        made = replace(commit, revision=done.oid)
        _compare(api, made, files)
        if made.tag:
            _tag(api, made)
    return made


def create_repo(api: HfApi, commit: Commit, private: bool) -> None:
    """Makes the repository unless it exists. Raises RepoIsPublic when a private one is wanted and it is public."""
    sdk = "gradio" if commit.kind == "space" else None
    api.create_repo(commit.repo, repo_type=commit.kind, private=private or None, exist_ok=True, space_sdk=sdk)
    if private and not api.repo_info(commit.repo, repo_type=commit.kind).private:
        raise RepoIsPublic(repo=commit.repo)


def _compare(api: HfApi, commit: Commit, files: dict[str, Content]) -> None:
    from huggingface_hub import RepoFile

    tree = api.list_repo_tree(commit.repo, recursive=True, revision=commit.revision, repo_type=commit.kind)
    there = {item.path: item for item in tree if isinstance(item, RepoFile)}
    for path, content in files.items():
        item = there.get(path)
        if item is None:
            raise PublishFailed(repo=commit.repo, reason=f"{path} did not arrive")
        if item.lfs:
            same = item.lfs.sha256 == (
                file_sha256(content) if isinstance(content, Path) else _sha256(content)
            )
        else:
            same = item.blob_id == _git_blob(content.read_bytes() if isinstance(content, Path) else content)
        if not same:
            raise PublishFailed(repo=commit.repo, reason=f"{path} arrived with other bytes than were sent")


def _tag(api: HfApi, commit: Commit) -> None:
    assert commit.tag
    api.create_tag(
        commit.repo, tag=commit.tag, revision=commit.revision, repo_type=commit.kind, exist_ok=True
    )
    found = api.repo_info(commit.repo, repo_type=commit.kind, revision=commit.tag).sha
    if found != commit.revision:
        raise TagTaken(repo=commit.repo, tag=commit.tag, found=found, revision=commit.revision)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _git_blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@contextmanager
def named_errors(repo: str) -> Iterator[None]:
    """Turns the client's errors into named ones."""
    import httpx2
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    try:
        yield
    except LocalTokenNotFoundError as error:
        raise PublishRefused(repo=repo, status=401) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status == 402:
            raise SpaceNeedsPlan(repo=repo) from error
        if status in (401, 403):
            raise PublishRefused(repo=repo, status=status) from error
        if status == 412:
            raise PublishConflict(repo=repo) from error
        raise PublishFailed(repo=repo, reason=str(error)) from error
    except (httpx2.TransportError, OfflineModeIsEnabled) as error:
        raise HubUnreachable(
            endpoint=constants.ENDPOINT, reason=f"{type(error).__name__}: {error}"
        ) from error
    except (
        ValueError,
        RuntimeError,
        OSError,
    ) as error:  # a card that the Hub refuses, an upload that broke off
        raise PublishFailed(
            repo=repo, reason=f"{error}{f' ({error.__cause__})' if error.__cause__ else ''}"
        ) from error
