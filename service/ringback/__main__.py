"""`python -m ringback` is the command `ringback`."""

from ringback.cli import main

if __name__ == "__main__":
    main()
