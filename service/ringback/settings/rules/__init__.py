"""The file of rules: TOML of its own, because it is changed by others, and while the daemon runs.

`schema` declares every key, `loading` reads and checks, `example` writes the commented file.
"""

from ringback.settings.rules.example import rules_example
from ringback.settings.rules.loading import load_rules

__all__ = ["load_rules", "rules_example"]
