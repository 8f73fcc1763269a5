"""Conditions of the sharing rules: text to a tree that answers True, False or unknown.

What enters: one condition as `table` writes it. What leaves: a Condition, whose text, facts and
answer are of one tree, so that none can differ from the others. A condition that names no fact,
or a value that its fact cannot take, is refused when it is read. Source: Kleene's strong
three-valued logic for AND, OR and NOT.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from gateway.consent.facts import VOCABULARY, Codes, Count, Facts, Kind, Labels, PurposeClass, Truth

_WORD = re.compile(r"\s*(\(|\)|,|>=|=|[A-Za-z0-9_?-]+)")
_CLASS = "class"


@dataclass(frozen=True, slots=True)
class AllOf:
    """AND. Of no terms it is true: `always`."""

    terms: tuple["Condition", ...]

    def holds(self, facts: Facts) -> bool | None:
        """False if any term is, else unknown if any is, else True."""
        is_unknown = False
        for term in self.terms:
            answer = term.holds(facts)
            if answer is False:
                return False
            if answer is None:
                is_unknown = True
        return None if is_unknown else True

    def __str__(self) -> str:
        return " AND ".join(_bracketed(term, AnyOf) for term in self.terms) or "always"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """OR. Of no terms it is false."""

    terms: tuple["Condition", ...]

    def holds(self, facts: Facts) -> bool | None:
        """True if any term is, else unknown if any is, else False."""
        is_unknown = False
        for term in self.terms:
            answer = term.holds(facts)
            if answer:
                return True
            if answer is None:
                is_unknown = True
        return None if is_unknown else False

    def __str__(self) -> str:
        return " OR ".join(_bracketed(term, AllOf) for term in self.terms)


@dataclass(frozen=True, slots=True)
class Not:
    """NOT."""

    term: "Condition"

    def holds(self, facts: Facts) -> bool | None:
        """The opposite; unknown stays unknown."""
        answer = self.term.holds(facts)
        return None if answer is None else not answer

    def __str__(self) -> str:
        return f"NOT {_bracketed(self.term, AllOf, AnyOf)}"


@dataclass(frozen=True, slots=True)
class IsTrue:
    """A fact that is true or false, by its name."""

    fact: str

    def holds(self, facts: Facts) -> bool | None:
        """The fact itself."""
        value: bool | None = getattr(facts, self.fact)
        return value

    def __str__(self) -> str:
        return self.fact


@dataclass(frozen=True, slots=True)
class OneOf:
    """Whether a fact is one of some codes; `class` is that of the purpose."""

    fact: str
    codes: tuple[str, ...]

    def holds(self, facts: Facts) -> bool | None:
        """Unknown for an unknown fact."""
        value = facts.purpose_class if self.fact == _CLASS else getattr(facts, self.fact)
        return None if value is None else value in self.codes

    def __str__(self) -> str:
        if len(self.codes) == 1:
            return f"{self.fact} = {self.codes[0]}"
        return f"{self.fact} in {', '.join(self.codes)}"


@dataclass(frozen=True, slots=True)
class NotBelow:
    """Whether a count has come so far."""

    fact: str
    least: int

    def holds(self, facts: Facts) -> bool | None:
        """Unknown for an unknown fact."""
        value: int | None = getattr(facts, self.fact)
        return None if value is None else value >= self.least

    def __str__(self) -> str:
        return f"{self.fact} >= {self.least}"


@dataclass(frozen=True, slots=True)
class Beyond:
    """Whether some label is not among others. Of no labels, none is."""

    labels: str
    others: str

    def holds(self, facts: Facts) -> bool | None:
        """Unknown where either list is, unless there is no label at all."""
        labels: tuple[str, ...] | None = getattr(facts, self.labels)
        others: tuple[str, ...] | None = getattr(facts, self.others)
        if labels is None:
            return None
        if not labels:
            return False
        return None if others is None else not set(labels).issubset(others)

    def __str__(self) -> str:
        return f"some {self.labels} not in {self.others}"


Condition: TypeAlias = AllOf | AnyOf | Not | IsTrue | OneOf | NotBelow | Beyond
ALWAYS, NEVER = AllOf(()), AnyOf(())


def facts_of(condition: Condition) -> tuple[str, ...]:
    """Name the facts that a condition reads, each once; `class` is read of the purpose."""
    named = ("purpose" if name == _CLASS else name for name in _named(condition))
    return tuple(dict.fromkeys(named))


def read_condition(text: str) -> Condition:
    """Read a condition as the table writes it.

    Raises:
        ValueError: it is not one, or names what the vocabulary lacks.
    """
    words = _Words(text)
    if words.left == ["always"]:
        return ALWAYS
    condition = words.any_of()
    if words.left:
        raise ValueError(f"{text!r}: nothing is expected from {words.left[0]!r} on")
    return condition


def given(condition: Condition, purpose_class: str) -> Condition:
    """Write what is left of a condition once the purpose's class is known: often nothing."""
    match condition:
        case OneOf() if condition.fact == _CLASS:
            return ALWAYS if purpose_class in condition.codes else NEVER
        case Not():
            return _denied(given(condition.term, purpose_class))
        case AllOf():
            terms = [given(term, purpose_class) for term in condition.terms]
            return _joined(AllOf, terms, stop=NEVER)
        case AnyOf():
            terms = [given(term, purpose_class) for term in condition.terms]
            return _joined(AnyOf, terms, stop=ALWAYS)
        case IsTrue() | OneOf() | NotBelow() | Beyond():
            return condition
        case _:
            assert_never(condition)


def _denied(condition: Condition) -> Condition:
    if condition in (ALWAYS, NEVER):
        return NEVER if condition == ALWAYS else ALWAYS
    return Not(condition)


def _joined(
    kind: type[AllOf] | type[AnyOf], terms: list[Condition], *, stop: Condition
) -> Condition:
    """Join terms: `stop` decides alone, and what cannot matter is left out."""
    if stop in terms:
        return stop
    nothing = kind(())
    left = [term for term in terms if term != nothing]
    return left[0] if len(left) == 1 else kind(tuple(left))


def _named(condition: Condition) -> Iterator[str]:
    match condition:
        case AllOf(terms) | AnyOf(terms):
            for term in terms:
                yield from _named(term)
        case Not(term):
            yield from _named(term)
        case Beyond(labels, others):
            yield from (labels, others)
        case IsTrue(fact) | OneOf(fact) | NotBelow(fact):
            yield fact
        case _:
            assert_never(condition)


def _bracketed(term: Condition, *kinds: type) -> str:
    return f"({term})" if isinstance(term, kinds) else str(term)


class _Words:
    """The words of a condition, read from left to right: OR of ANDs of terms."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.left: list[str] = _WORD.findall(text)
        if "".join(self.left) != "".join(text.split()):
            raise ValueError(f"{text!r}: a character that no condition has")

    def any_of(self) -> Condition:
        terms = [self._all_of()]
        while self._take_if("OR"):
            terms.append(self._all_of())
        return terms[0] if len(terms) == 1 else AnyOf(tuple(terms))

    def _all_of(self) -> Condition:
        terms = [self._term()]
        while self._take_if("AND"):
            terms.append(self._term())
        return terms[0] if len(terms) == 1 else AllOf(tuple(terms))

    def _term(self) -> Condition:
        if self._take_if("("):
            inner = self.any_of()
            self._expect(")")
            return inner
        if self._take_if("NOT"):
            return Not(self._term())
        if self._take_if("some"):
            return self._beyond()
        return self._about(self._take())

    def _beyond(self) -> Condition:
        labels = self._fact(self._take(), Labels)
        self._expect("not")
        self._expect("in")
        return Beyond(labels, self._fact(self._take(), Labels))

    def _about(self, fact: str) -> Condition:
        if self._take_if("="):
            return OneOf(fact, (self._code(fact),))
        if self._take_if("in"):
            return OneOf(fact, self._codes(fact))
        if self._take_if("not"):
            self._expect("in")
            return Not(OneOf(fact, self._codes(fact)))
        if self._take_if(">="):
            return NotBelow(self._fact(fact, Count), int(self._take()))
        return IsTrue(self._fact(fact, Truth))

    def _codes(self, fact: str) -> tuple[str, ...]:
        codes = [self._code(fact)]
        while self._take_if(","):
            codes.append(self._code(fact))
        return tuple(codes)

    def _code(self, fact: str) -> str:
        """Take one code of a fact's list: a plain text, whatever it is compared with."""
        code = self._take()
        kind = Codes(listed=PurposeClass) if fact == _CLASS else VOCABULARY.get(fact)
        if not isinstance(kind, Codes) or code not in set(kind.listed):
            raise ValueError(f"{self._text!r}: {fact!r} cannot be {code!r}")
        return code

    def _fact(self, name: str, kind: type[Kind]) -> str:
        if not isinstance(VOCABULARY.get(name), kind):
            raise ValueError(f"{self._text!r}: {name!r} is not a fact of this kind")  # noqa: TRY004  # of a text
        return name

    def _take(self) -> str:
        if not self.left:
            raise ValueError(f"{self._text!r}: it ends too early")
        return self.left.pop(0)

    def _take_if(self, word: str) -> bool:
        if self.left[:1] != [word]:
            return False
        self.left.pop(0)
        return True

    def _expect(self, word: str) -> None:
        if not self._take_if(word):
            raise ValueError(f"{self._text!r}: {word!r} is missing")
