"""`python -m ringback.settings > config/ringback.toml` writes the commented settings file."""

import sys

from ringback.settings.example import example

if __name__ == "__main__":
    sys.stdout.write(example())
