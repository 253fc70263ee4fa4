"""A hub of model files, Hugging Face's or a mirror of it: where a file is, and what to do where it is not given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self
from urllib.parse import quote, urlsplit

from restyle.models.files.line import Source, failed, is_loopback

PUBLIC = "https://huggingface.co"
GATED = "Read access to contents of all public gated repos you can access"
"""The box of a fine-grained token without which it opens no repository that asks for an agreement."""


@dataclass(frozen=True, slots=True)
class Hub:
    """``endpoint`` is its address, without a slash at the end; ``token`` goes to its host and to no other.

    The addresses are those of the hub's documentation: ``ENDPOINT/REPOSITORY/resolve/REVISION/PATH``.
    """

    endpoint: str = PUBLIC
    token: str = field(default="", repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """The hub that ``HF_ENDPOINT`` names, with the token of ``HF_TOKEN``: what other programs read as well.

        Raises RestyleError (5000) where either is none.
        """
        endpoint = environment.get("HF_ENDPOINT", "").strip().rstrip("/") or PUBLIC
        parts = urlsplit(endpoint)
        if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            raise failed(
                "HF_ENDPOINT is no address of a hub; give one such as https://hub.example.org, or leave it out"
            )
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
            raise failed(f"HF_ENDPOINT is {endpoint}; models are fetched by https alone")
        token = environment.get("HF_TOKEN", "").strip()
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise failed("HF_TOKEN is no token: it holds characters that none has")
        return cls(endpoint, token)

    def source(self, repository: str, revision: str, path: str) -> Source:
        """Where the file ``path`` of ``repository`` (OWNER/NAME) at that revision is had."""
        return Source(
            f"{self.endpoint}/{quote(repository)}/resolve/{quote(revision, safe='')}/{quote(path)}",
            {"Authorization": f"Bearer {self.token}"} if self.token else {},
            self._advice(repository),
            loopback=urlsplit(self.endpoint).scheme == "http",
        )

    def page(self, repository: str) -> str:
        """The page of ``repository``, for people."""
        return f"{self.endpoint}/{repository}"

    def _advice(self, repository: str) -> Mapping[int, str]:
        page, tokens = self.page(repository), f"{self.endpoint}/settings/tokens"
        box = f'a token of the kind Read, or a fine-grained one with the box "{GATED}"'
        if self.token:
            known = f"HF_TOKEN is not, or no longer, a token of this hub: make another at {tokens}, {box}"
        else:
            known = (
                f"open {page}: if it asks for an agreement, log in and give it; make {box} at {tokens}, and set "
                "HF_TOKEN to it"
            )
        return {
            HTTPStatus.UNAUTHORIZED: known,
            HTTPStatus.FORBIDDEN: (
                f"open {page} with the account of HF_TOKEN and give the agreement it asks for; a fine-grained token "
                f'needs the box "{GATED}" at {tokens}'
            )
            if self.token
            else known,
            HTTPStatus.NOT_FOUND: f"the repository has no such file, or is gone: look at {page}",
        }
