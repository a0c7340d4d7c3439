"""The filters of analytics queries: clauses of predicates, each about one dimension."""

from collections.abc import Collection, Mapping
from typing import Literal

import msgspec

from ringback.simulator.genesys.problems import bad_request

__all__ = ["Filter", "check", "matches"]

Facts = Mapping[str, object]


class Predicate(msgspec.Struct):
    """One condition."""

    dimension: str
    type: Literal["dimension"] = "dimension"
    operator: Literal["matches", "exists", "notExists"] = "matches"
    value: str | None = None


class Clause(msgspec.Struct):
    """Conditions of which all, or any, must hold."""

    type: Literal["and", "or"]
    predicates: list[Predicate]


class Filter(msgspec.Struct):
    """Clauses and conditions of which all, or any, must hold."""

    type: Literal["and", "or"]
    clauses: list[Clause] = []
    predicates: list[Predicate] = []


def check(asked: Filter, dimensions: Collection[str]) -> None:
    """Raise `Problem` when a filter is empty or is about something else."""
    predicates = [*asked.predicates, *(one for each in asked.clauses for one in each.predicates)]
    if not predicates:
        raise bad_request("A filter must have at least one predicate.")
    for one in predicates:
        if one.dimension not in dimensions:
            raise bad_request("The dimension {name} is not supported here.", name=one.dimension)
        if one.operator == "matches" and one.value is None:
            raise bad_request("The dimension {name} is to match no value.", name=one.dimension)


def matches(asked: Filter, facts: Facts) -> bool:
    """Whether these facts, by dimension, satisfy a filter; what is absent or None is not there."""
    held = [_clause(clause, facts) for clause in asked.clauses]
    held += [_predicate(one, facts) for one in asked.predicates]
    return all(held) if asked.type == "and" else any(held)


def _clause(clause: Clause, facts: Facts) -> bool:
    held = (_predicate(one, facts) for one in clause.predicates)
    return all(held) if clause.type == "and" else any(held)


def _predicate(one: Predicate, facts: Facts) -> bool:
    fact = facts.get(one.dimension)
    if one.operator == "exists":
        return fact is not None
    if one.operator == "notExists":
        return fact is None
    text = str(fact).lower() if isinstance(fact, bool) else fact
    return text is not None and text == one.value
