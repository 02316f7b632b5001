"""Pulling a bundle from a Hub on loopback, with the genuine client in processes of its own.

pytest tests/test_hub.py
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from space.bundle import Bundle
from space.errors import ReferenceInvalid
from space.hub import Reference, open_bundle
from tests.bundles import make_bundle
from tests.hub_client import Visitor
from tests.hub_server import Hub, serving

BASE = "models/phi3-charlas-Q8_0.gguf"
OPEN = """
import sys
from pathlib import Path
from space.hub import open_bundle
opened = open_bundle(sys.argv[1], Path(sys.argv[2]))
print(opened.bundle.created, opened.bundle.folder.name)
print("WARNING", opened.warning.message("es") if opened.warning else None)
"""


@dataclass
class Site:
    """A Hub with two published versions of one bundle."""

    hub: Hub
    first: str
    second: str


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("published")
    with serving() as hub:
        maker = Visitor(hub.url, folder / "home", "hf_owner")
        references = []
        for seed in (1, 2):
            make_bundle(folder / str(seed), seed)
            done = maker.publish(folder / str(seed), "--repo", "me/charlas")
            assert done.returncode == 0, done.stderr
            references.append(done.stdout.split("ORADOR_BUNDLE=")[1].strip())
        yield Site(hub, *references)


@pytest.fixture
def site(published: Site) -> Iterator[Site]:
    published.hub.requests.clear()
    yield published
    published.hub.faults.clear()
    for repo in published.hub.store.repos.values():
        repo.private = repo.gated = False


@pytest.fixture
def visitor(site: Site, tmp_path: Path) -> Visitor:
    return Visitor(site.hub.url, tmp_path / "home")


def down(visitor: Visitor) -> Visitor:
    """The same machine, where nothing listens at the Hub's address."""
    return replace(visitor, endpoint="http://127.0.0.1:9")


def folder_of(reference: str, cache: Path) -> Path:
    return Reference.parse(reference).folder(cache) / reference.split("@")[1]


def test_a_pulled_bundle_is_the_published_one(site: Site, visitor: Visitor, tmp_path: Path) -> None:
    done = visitor.pull(site.first, tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    folder = folder_of(site.first, tmp_path / "cache")
    assert f"folder {folder}" in done.stdout
    pulled, original = Bundle.load(folder), make_bundle(tmp_path / "original", seed=1)
    assert {file: entry.sha256 for file, entry in pulled.files.items()} == {
        file: entry.sha256 for file, entry in original.files.items()
    }
    assert pulled.generators == original.generators
    index = pulled.files["indexes/charlas/vectors.faiss"].hub
    assert index is not None
    assert (index.repo, index.type, len(index.revision)) == ("me/charlas-index", "dataset", 40)
    assert pulled.files[BASE].hub is None
    assert pulled.base.stat().st_nlink > 1  # one file on the disk, here and in the client's cache


def test_a_cached_bundle_makes_no_request_and_starts_offline(
    site: Site, visitor: Visitor, tmp_path: Path
) -> None:
    assert visitor.pull(site.first, tmp_path / "cache").returncode == 0
    site.hub.requests.clear()
    assert visitor.pull(site.first, tmp_path / "cache").returncode == 0
    assert site.hub.requests == []
    assert replace(visitor, offline=True).pull(site.first, tmp_path / "cache").returncode == 0
    start = time.monotonic()
    done = down(visitor).run("-c", OPEN, site.first, tmp_path / "cache")
    assert done.stdout.splitlines()[1] == "WARNING None", done.stderr
    assert time.monotonic() - start < 5


def test_files_that_the_client_has_already_are_not_asked_for(
    site: Site, visitor: Visitor, tmp_path: Path
) -> None:
    """As after `preload_from_hub`: the client's cache is full, ours is empty, the Hub is down."""
    assert visitor.pull(site.first, tmp_path / "cache").returncode == 0
    done = down(visitor).pull(site.first, tmp_path / "other")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "reference", ["me/charlas-gguf", "me/charlas-gguf@main", "me/charlas-gguf@abc123", "nowhere"]
)
def test_only_a_pinned_revision_is_pulled(reference: str, tmp_path: Path) -> None:
    with pytest.raises(ReferenceInvalid, match="40 hexadecimal digits") as caught:
        open_bundle(reference, tmp_path)
    assert "40 dígitos" in caught.value.message("es")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_a_reference_too(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    assert open_bundle(str(tmp_path), tmp_path / "cache").bundle.name == "charlas-es"


def refused(done: subprocess.CompletedProcess[str], *expected: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for text in ("error: ", *expected):
        assert text in done.stderr


def nothing_kept(reference: str, cache: Path) -> None:
    assert not folder_of(reference, cache).exists()
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_a_hub_that_is_down(site: Site, visitor: Visitor, tmp_path: Path) -> None:
    start = time.monotonic()
    refused(down(visitor).pull(site.first, tmp_path / "cache"), "cannot be reached", "127.0.0.1:9")
    refused(
        replace(visitor, offline=True).pull(site.first, tmp_path / "cache"), "cannot be reached", "Offline"
    )
    assert time.monotonic() - start < 15  # the client's own retries would take 23 s each
    nothing_kept(site.first, tmp_path / "cache")


def test_no_such_repository_or_revision(visitor: Visitor, tmp_path: Path) -> None:
    nobody, zeros = f"me/nothing@{'0' * 40}", f"me/charlas-gguf@{'0' * 40}"
    refused(visitor.pull(nobody, tmp_path), "refuses access to me/nothing (HTTP 401)", "HF_TOKEN")
    refused(replace(visitor, token="hf_owner").pull(nobody, tmp_path), "no repository me/nothing")
    refused(visitor.pull(zeros, tmp_path), "me/charlas-gguf has no revision 0000")


def test_private_and_gated(site: Site, visitor: Visitor, tmp_path: Path) -> None:
    store = site.hub.store
    store.repos["model", "me/charlas-gguf"].private = True
    refused(visitor.pull(site.first, tmp_path), "refuses access to me/charlas-gguf (HTTP 401)", "HF_TOKEN")
    refused(replace(visitor, token="hf_wrong").pull(site.first, tmp_path), "(HTTP 401)")
    store.repos["model", "me/charlas-gguf"].private = False
    store.repos["dataset", "me/charlas-index"].gated = True
    refused(visitor.pull(site.first, tmp_path), "refuses access to me/charlas-index (HTTP 403)")
    owner = replace(visitor, token="hf_owner")
    assert owner.pull(site.first, tmp_path).returncode == 0


def test_a_missing_file(site: Site, visitor: Visitor, tmp_path: Path) -> None:
    site.hub.faults["vectors.faiss"] = "missing"
    refused(
        visitor.pull(site.first, tmp_path / "cache"), "me/charlas-index has no file charlas/vectors.faiss"
    )
    nothing_kept(site.first, tmp_path / "cache")


def test_other_bytes_of_the_same_size(site: Site, visitor: Visitor, tmp_path: Path) -> None:
    site.hub.faults[Path(BASE).name] = "flip"
    expected = make_bundle(tmp_path / "original", seed=1).files[BASE].sha256
    done = visitor.pull(site.first, tmp_path / "cache")
    refused(
        done, f"{BASE} is not the file", f"expected sha256 {expected} (400000 bytes)", "(400000 bytes). Copy"
    )
    nothing_kept(site.first, tmp_path / "cache")
    site.hub.faults.clear()  # nothing bad was kept in the client's cache either
    assert visitor.pull(site.first, tmp_path / "cache").returncode == 0


def test_a_body_that_ends_early(site: Site, visitor: Visitor, tmp_path: Path) -> None:
    site.hub.faults[Path(BASE).name] = "short"
    refused(
        visitor.pull(site.first, tmp_path / "cache"),
        f"download of {BASE} from me/charlas-gguf broke off",
        "200000",
    )
    nothing_kept(site.first, tmp_path / "cache")


def test_a_connection_that_breaks_each_time(site: Site, visitor: Visitor, tmp_path: Path) -> None:
    site.hub.faults[Path(BASE).name] = "break"
    refused(visitor.pull(site.first, tmp_path / "cache"), f"download of {BASE}", "broke off")
    nothing_kept(site.first, tmp_path / "cache")


def test_a_connection_that_breaks_once_is_resumed(site: Site, visitor: Visitor, tmp_path: Path) -> None:
    site.hub.faults[Path(BASE).name] = "cut"
    done = visitor.pull(site.first, tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    gets = [line for line in site.hub.requests if line.startswith("GET") and line.endswith(BASE)]
    assert len(gets) == 2


def test_a_killed_pull_goes_on_where_it_was(site: Site, visitor: Visitor, tmp_path: Path) -> None:
    site.hub.faults["report.json"] = "break"  # the last file of the bundle: all others are there by then
    command = [sys.executable, "-m", "space", "pull", site.first, "--cache", str(tmp_path / "cache")]
    with subprocess.Popen(command, env=visitor.environment(), stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 30
        while not any(line.startswith("GET") and "report.json" in line for line in site.hub.requests):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert not folder_of(site.first, tmp_path / "cache").exists()
    site.hub.faults.clear()
    site.hub.requests.clear()
    assert visitor.pull(site.first, tmp_path / "cache").returncode == 0
    asked = [line for line in site.hub.requests if "/resolve/" in line and line.startswith("GET")]
    assert [line.rsplit("/", 1)[1] for line in asked] == ["report.json"]


def test_a_damaged_cache_is_pulled_again(site: Site, visitor: Visitor, tmp_path: Path) -> None:
    assert visitor.pull(site.first, tmp_path / "cache").returncode == 0
    base = folder_of(site.first, tmp_path / "cache") / BASE
    with base.open("r+b") as file:  # in place: the client's blob, which is the same file, is damaged too
        file.write(b"damaged")
    assert visitor.pull(site.first, tmp_path / "cache").returncode == 0
    Bundle.load(base.parents[1])


def test_the_last_good_bundle_is_served_with_a_warning(site: Site, visitor: Visitor, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    site.hub.faults[Path(BASE).name] = "flip"
    refused_first = visitor.run("-c", OPEN, site.first, cache)
    assert "BundleFileMismatch" in refused_first.stderr  # there is no earlier one to fall back to
    site.hub.faults.clear()
    assert visitor.run("-c", OPEN, site.first, cache).stdout.startswith("2026-11-21T05:00:01Z")
    site.hub.faults[Path(BASE).name] = "flip"
    done = visitor.run("-c", OPEN, site.second, cache)
    served, warning = done.stdout.splitlines()
    assert served == f"2026-11-21T05:00:01Z {site.first.split('@')[1]}"
    assert "se esperaba sha256" in warning
    assert (
        f"Se sirve el último paquete bueno de me/charlas-gguf, revisión {site.first.split('@')[1]}" in warning
    )
    fallen = down(visitor).run("-c", OPEN, site.second, cache)
    assert "no se puede acceder al Hub" in fallen.stdout
    site.hub.faults.clear()
    good = visitor.run("-c", OPEN, site.second, cache)
    assert good.stdout.splitlines() == [f"2026-11-21T05:00:02Z {site.second.split('@')[1]}", "WARNING None"]
    other = down(visitor).run("-c", OPEN, f"me/other-gguf@{'1' * 40}", cache)
    assert "HubUnreachable" in other.stderr  # another repository's bundle is never served instead


def test_two_pulls_at_once(site: Site, visitor: Visitor, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "space", "pull", site.first, "--cache", str(tmp_path / "cache")]
    running = [
        subprocess.Popen(command, env=visitor.environment(), stdout=subprocess.DEVNULL) for _ in range(2)
    ]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    Bundle.load(folder_of(site.first, tmp_path / "cache"))
    left = [path.name for path in (tmp_path / "cache" / "me--charlas-gguf").iterdir()]
    assert sorted(left) == sorted([site.first.split("@")[1], "last-good"])
