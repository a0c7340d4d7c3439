"""What can be configured, and how it is read: TOML, with the environment on top.

`schema` declares every option, `loading` reads them, `example` writes the commented file.
Only `app`, `cli` and the assembly of the platform's source read settings; they hand each part the
numbers it needs.
"""

from ringback.settings.cleanup import CleanupSettings
from ringback.settings.describing import Secret
from ringback.settings.example import example
from ringback.settings.loading import load
from ringback.settings.receivers import ReceiverSettings
from ringback.settings.schema import (
    LogSettings,
    PrivacySettings,
    RecordSettings,
    Settings,
    ShutdownSettings,
    SimulatorSettings,
    SinkSettings,
    StoreSettings,
    WatchSettings,
    WebSettings,
)
from ringback.settings.sources import SourceSettings

__all__ = [
    "CleanupSettings",
    "LogSettings",
    "PrivacySettings",
    "ReceiverSettings",
    "RecordSettings",
    "Secret",
    "Settings",
    "ShutdownSettings",
    "SimulatorSettings",
    "SinkSettings",
    "SourceSettings",
    "StoreSettings",
    "WatchSettings",
    "WebSettings",
    "example",
    "load",
]
