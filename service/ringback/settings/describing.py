"""What options are described with: their meaning, their bounds, and texts that nobody may see."""

from msgspec import Meta

__all__ = ["A_NAME", "NAME", "Secret", "between", "listed", "means"]

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
A_NAME = "1 to 64 letters, digits, dots, dashes and underscores, a letter or digit first"


class Secret:
    """A text that shows itself to nobody who did not ask by name. Empty is false."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text itself. Hand it on; never log, format or store it."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    __hash__ = None  # type: ignore[assignment]  # nobody needs a set of secrets

    def __repr__(self) -> str:
        return "***" if self._text else "''"

    __str__ = __repr__


def means(text: str, allowed: str = "", pattern: str | None = None) -> Meta:
    """Describe an option; `allowed` says what its type does not."""
    return Meta(description=text, pattern=pattern, extra={"allowed": allowed} if allowed else None)


def between(least: float, most: float, text: str) -> Meta:
    """Describe a number and its bounds, which are both allowed. Its name ends in its unit."""
    return Meta(ge=least, le=most, description=text)


def listed(text: str) -> list[str]:
    """Give what stands between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
