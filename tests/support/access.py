"""Tokens of made-up people, and daemons that ask for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ringback.errors import AuditError
from ringback.ports import Deed

__all__ = ["TOKENS", "Notebook", "bearer", "tokens_file"]

TOKENS = {
    "viewer": ("eve", "viewer-0123456789-0123456789-0123456789"),
    "operator": ("olga", "operator-0123456789-0123456789-01234567"),
    "metrics": ("prom", "metrics-0123456789-0123456789-012345678"),
}
"""By role: a name and a token."""


def bearer(role: str) -> dict[str, str]:
    """Give the header of somebody with a role; of a stranger, if there is none such."""
    return {"authorization": f"Bearer {TOKENS[role][1]}"} if role in TOKENS else {}


def tokens_file(folder: Path, *more: str) -> Path:
    """Write a file of tokens for one of each role, and lines beside them."""
    path = folder / "tokens"
    lines = [f"{role} {name} {token}" for role, (name, token) in TOKENS.items()]
    path.write_text("\n".join([*lines, *more]) + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


class Notebook:
    """An audit trail in memory, which can be told to fail."""

    def __init__(self) -> None:
        self.noted: list[Deed] = []
        self.full = False

    async def note(self, who: str, action: str, subject: str, **facts: Any) -> None:
        """Keep one deed."""
        if self.full:
            raise AuditError("the disk is full")
        number = len(self.noted) + 1
        deed = Deed(number=number, time="", who=who, action=action, subject=subject, **facts)
        self.noted.append(deed)

    async def deeds(
        self, before: int | None, most: int, wish: Callable[[Deed], bool]
    ) -> list[Deed]:
        """Give the newest."""
        found = [one for one in self.noted if wish(one) and (not before or one.number < before)]
        return found[::-1][:most]
