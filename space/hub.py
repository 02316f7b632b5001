"""A bundle from the Hugging Face Hub: pulled by pinned revision, verified, kept, started offline.

    python -m space pull owner/repo@<40 hex digits> [--cache DIR]

The client (huggingface_hub) downloads into its own cache (HF_HOME), where a file of a pinned revision is asked for
once and a file that `preload_from_hub` put there is found. The bundle is assembled beside it, in
CACHE/owner--repo/<revision>, by hard links where the disk allows, verified, and given its name last: a folder of that
name is a whole bundle, and makes no request. HF_ENDPOINT, HF_HOME, HF_TOKEN and HF_HUB_OFFLINE are the client's own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from index.errors import OradorError
from space.bundle import MANIFEST, Bundle
from space.errors import (
    BundleError,
    BundleFileMismatch,
    HubDownloadBroken,
    HubError,
    HubFallback,
    HubFileMissing,
    HubRefused,
    HubRepoMissing,
    HubRevisionMissing,
    HubUnreachable,
    ReferenceInvalid,
)
from space.files import REPO, REVISION, FileEntry, HubSource, link_or_copy

LAST_GOOD = "last-good"
PROBE_SECONDS = 10.0
T = TypeVar("T")


@dataclass(frozen=True)
class Reference:
    """A bundle on the Hub: `owner/repo@<40 hex digits>`."""

    repo: str
    revision: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Raises ReferenceInvalid for anything that pins no commit, such as a branch or a tag."""
        repo, _, revision = text.strip().partition("@")
        if not REPO.fullmatch(repo) or not REVISION.fullmatch(revision):
            raise ReferenceInvalid(reference=text)
        return cls(repo, revision)

    def folder(self, cache: Path) -> Path:
        """Where this repository's bundles lie in `cache`."""
        return cache / self.repo.replace("/", "--")


@dataclass(frozen=True)
class Opened:
    """A verified bundle; `warning` is set when it is the last good one instead of the one that was asked for."""

    bundle: Bundle
    warning: HubFallback | None = None


def open_bundle(reference: str, cache: Path) -> Opened:
    """The bundle that ORADOR_BUNDLE names: a folder, or a reference to the Hub.

    Raises a BundleError for a folder, ReferenceInvalid, or what `fetch_bundle` raises when no earlier bundle of the
    same repository was served from `cache`.
    """
    if Path(reference).is_dir():
        return Opened(Bundle.load(Path(reference)))
    wanted = Reference.parse(reference)
    try:
        folder = fetch_bundle(reference, cache)
    except (HubError, BundleError) as error:
        return _last_good(wanted, cache, error)
    return Opened(Bundle.load(folder, verify=False))


def fetch_bundle(reference: str, cache: Path) -> Path:
    """The folder of a verified bundle, downloaded unless `cache` has it. Raises a HubError or a BundleError."""
    wanted = Reference.parse(reference)
    parent = wanted.folder(cache)
    folder = parent / wanted.revision
    if not _is_good(folder):
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pulling-", dir=parent) as staging:
            _put(_assemble(wanted, Path(staging) / "new"), folder)
    _replace_text(parent / LAST_GOOD, wanted.revision)
    return folder


def _is_good(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    try:
        Bundle.load(folder)
    except BundleError:
        shutil.rmtree(folder)  # damaged on this disk: have it again
        return False
    return True


def _put(staging: Path, folder: Path) -> None:
    try:
        staging.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process finished the same revision first
            raise


def _assemble(wanted: Reference, staging: Path) -> Path:
    client = _Client()
    manifest = HubSource(wanted.repo, "model", wanted.revision, MANIFEST)
    link_or_copy(client.download(manifest), staging / MANIFEST)
    bundle = Bundle.load(staging, verify=False)
    for file, entry in bundle.files.items():
        source = entry.hub or HubSource(wanted.repo, "model", wanted.revision, file)
        _take(client, source, staging, file, entry)
    return staging


def _take(client: _Client, source: HubSource, staging: Path, file: str, entry: FileEntry) -> None:
    # The client compares sizes only, so a damaged file may sit in its cache for ever: forget it and ask the Hub again.
    for last in (False, True):
        path = client.download(source)
        link_or_copy(path, staging / file)
        try:
            entry.verify(staging, file)
        except BundleFileMismatch:
            for name in (path.resolve(), path, staging / file):
                name.unlink(missing_ok=True)
            if last:
                raise
        else:
            return


def _last_good(wanted: Reference, cache: Path, error: OradorError) -> Opened:
    marker = wanted.folder(cache) / LAST_GOOD
    revision = marker.read_text(encoding="utf-8").strip() if marker.is_file() else ""
    folder = marker.parent / revision
    if not revision or not folder.is_dir():
        raise error
    try:
        bundle = Bundle.load(folder)
    except BundleError:
        raise error from None
    return Opened(bundle, HubFallback(cause=error, repo=wanted.repo, revision=revision))


def _replace_text(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}")  # of this process: another may be pulling too
    part.write_text(text, encoding="utf-8")
    part.replace(path)


class _Client:
    """huggingface_hub, with its errors named. It is imported here: half a second that an embedded bundle never pays."""

    def __init__(self) -> None:
        import huggingface_hub

        self.hub = huggingface_hub
        self.probed: set[HubSource] = set()

    def download(self, source: HubSource) -> Path:
        """The path of a file in the client's cache, downloaded if it is not there."""
        repo, kind, revision, path = source.repo, source.type, source.revision, source.path
        cached = self.hub.try_to_load_from_cache(repo, path, revision=revision, repo_type=kind)
        if isinstance(cached, str):
            return Path(cached)
        self._probe(source)
        fetch = self.hub.hf_hub_download
        return Path(self._named(source, lambda: fetch(repo, path, repo_type=kind, revision=revision)))

    def _probe(self, source: HubSource) -> None:
        # A download retries an absent Hub for about 23 s; this asks once whether repository and revision are there.
        whole = HubSource(source.repo, source.type, source.revision, "")
        if whole not in self.probed:
            info = self.hub.HfApi().repo_info
            self._named(
                source,
                lambda: info(
                    source.repo, repo_type=source.type, revision=source.revision, timeout=PROBE_SECONDS
                ),
            )
            self.probed.add(whole)

    def _named(self, source: HubSource, call: Callable[[], T]) -> T:
        import httpx2

        try:
            return call()
        except (httpx2.HTTPError, OSError, self.hub.errors.XetDownloadError) as error:
            raise self._explain(source, error) from error

    def _explain(self, source: HubSource, error: Exception) -> HubError:
        import httpx2

        errors = self.hub.errors
        details = {"repo": source.repo, "revision": source.revision, "file": source.path}
        reason = f"{type(error).__name__}: {(str(error).strip() or repr(error)).splitlines()[0]}"
        status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else None
        unreachable = HubUnreachable(endpoint=self.hub.constants.ENDPOINT, reason=reason)
        if status in (401, 403):
            return HubRefused(status=status, **details)
        if isinstance(error, errors.RepositoryNotFoundError):
            return HubRepoMissing(**details)
        if isinstance(error, errors.RevisionNotFoundError):
            return HubRevisionMissing(**details)
        if isinstance(error, errors.RemoteEntryNotFoundError):
            return HubFileMissing(**details)
        if status is not None or isinstance(
            error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled
        ):
            return unreachable
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            return unreachable
        return HubDownloadBroken(reason=reason, **details)
