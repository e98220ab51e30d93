# SPDX-License-Identifier: Apache-2.0
"""The Hugging Face hub: its mirrors, its tokens, and what its refusals mean."""

from __future__ import annotations

import os
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from dens3r_ros.model_store.manifest import ModelEntry

HUB = "https://huggingface.co"


def on_hub(url: str) -> bool:
    """Whether an address of the manifest is the hub's."""
    return url.startswith(HUB + "/")


def mirrored(url: str) -> str:
    """The same file on the mirror that `HF_ENDPOINT` names, if it names one."""
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/")
    return endpoint + url.removeprefix(HUB) if endpoint and on_hub(url) else url


def token() -> str | None:
    """`HF_TOKEN`, else what `hf auth login` left."""
    given = os.environ.get("HF_TOKEN", "").strip()
    if given:
        return given
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    file = Path(os.environ.get("HF_TOKEN_PATH") or Path(home) / "token")
    try:
        return file.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def authorization(url: str) -> dict[str, str]:
    """The header that signs a request to the hub; none for any other host."""
    secret = token() if on_hub(url) else None
    return {"Authorization": f"Bearer {secret}"} if secret else {}


def refusal(entry: ModelEntry, code: int) -> str | None:
    """What to do about an answer of 401 or 403 from the hub; None where that is not plain."""
    if code not in (401, 403) or entry.url is None or not on_hub(entry.url):
        return None
    sign = f"sign in at {entry.page} and accept the terms there" if entry.gated else ""
    if token() is None:
        steps = [sign, f"make a token at {HUB}/settings/tokens", "give it as HF_TOKEN=..."]
        return f"{entry.name} wants a token: " + ", ".join(filter(None, steps))
    return f"the token is not let in to {entry.name} (answer {code}): " + (
        sign or "look whether it is still valid"
    )


class TokenStaysHome(urllib.request.HTTPRedirectHandler):
    """Follows redirections without sending the token to another host."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """As usual, but unsigned where the host changes."""
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        if new is not None and _host(newurl) != _host(req.full_url):
            new.remove_header("Authorization")
        return new


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc
