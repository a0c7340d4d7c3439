"""Ringback follows every callback of a Genesys Cloud contact centre in real time.

    sources/ ──frame──▶ wire/ ──snapshot──▶ core/ ──changes──▶ stores/ ──position──▶ web/, sinks/
    (listens)          (translates)        (decides)          (remembers)           (shows, tells)

`core` is synchronous, knows no clock and does no I/O: it is handed `now` and says what changed and
when it wants to be woken. `runtime` owns every task and every wait. `app` composes the parts, which
meet only through `ports`; `settings` says how. What is not committed is told to nobody. Imports go
one way, and a linter keeps it so:

    cli → app → adapters | runtime → settings → ports → wire → core → errors
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
