"""Runs this project's commands as a visitor of the loopback Hub: each in a process of its own, with the genuine client.

huggingface_hub reads HF_ENDPOINT and HF_HOME when it is imported, so nothing here runs it in the tests' process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Visitor:
    """A machine with its own client cache `home` and, maybe, a token."""

    endpoint: str
    home: Path
    token: str | None = None
    offline: bool = False

    def environment(self) -> dict[str, str]:
        values = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
        values |= {"HF_ENDPOINT": self.endpoint, "HF_HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        values |= {
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
        values |= {"HF_HUB_OFFLINE": "1"} if self.offline else {}
        return values | ({"HF_TOKEN": self.token} if self.token else {})

    def run(self, *arguments: str | Path, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """`python ARGUMENTS` in this environment."""
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(
            command,
            env=self.environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def pull(self, reference: str, cache: Path) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "space", "pull", reference, "--cache", cache)

    def publish(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "train", "publish", *arguments)
