"""Writes the commented files of `config/`: the settings, or with the argument `rules` the rules."""

import sys

from ringback.core.policy import Policy
from ringback.core.watch.defaults import built_in
from ringback.settings.example import example
from ringback.settings.rules import rules_example

if __name__ == "__main__":
    policy = Policy()
    rules = built_in(policy.due_grace, policy.not_dialled)
    sys.stdout.write(rules_example(rules) if sys.argv[1:] == ["rules"] else example())
