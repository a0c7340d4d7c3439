"""Tokens of made-up people, and daemons that ask for them."""

from pathlib import Path

__all__ = ["TOKENS", "bearer", "tokens_file"]

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
