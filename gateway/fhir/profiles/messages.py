"""MessageDefinitions: which resources a message carries, how many, and of which profile.

What enters: MessageDefinition trees, valid as FHIR; and the index of a message. What leaves:
rules, and faults. Source: FHIR R4, MessageDefinition.focus; BaRS, bundle processing: a
message with too few or too many is refused whole.

Not kept to here: responses, graph and parent; they describe.
"""

from collections.abc import Iterator

from gateway.errors import Fault, IssueCode
from gateway.fhir.profiles.library import Library
from gateway.fhir.profiles.model import Focus, MessageRule
from gateway.fhir.profiles.problems import File
from gateway.fhir.references import Index
from gateway.referral.json import JsonObject, child, objects, string

_TOO_MANY = "Leave out what is more, or send one message for each referral"


def message_rule(file: File, library: Library) -> MessageRule:
    """Compile one MessageDefinition, telling the library's problems what is wrong with it."""
    tree = file.tree
    coding = child(tree, "eventCoding") or {}
    event = string(coding, "system") or "", string(coding, "code") or ""
    if "eventCoding" in tree and "" in event:
        library.problems.add(
            file.name, "MessageDefinition.eventCoding", "a system and a code are needed."
        )
    names = [string(each, "code") for each in objects(tree, "focus")]
    if len(set(names)) < len(names):
        library.problems.add(file.name, "MessageDefinition.focus", "name each type once.")
    return MessageRule(
        url=string(tree, "url") or "",
        version=string(tree, "version"),
        name=string(tree, "name") or string(tree, "id") or "",
        event=event if coding else ("", string(tree, "eventUri") or ""),
        focus=tuple(
            _focus(each, f"MessageDefinition.focus[{index}]", file, library)
            for index, each in enumerate(objects(tree, "focus"))
        ),
    )


def _focus(each: JsonObject, place: str, file: File, library: Library) -> Focus:
    name = string(each, "code") or ""
    least, most = each.get("min"), string(each, "max") or "*"
    profile = None
    canonical = string(each, "profile")
    if canonical is not None:
        target = library.structure(canonical, file, f"{place}.profile")
        if target is not None and target.type != name:
            library.problems.add(file.name, f"{place}.profile", f"this is no profile of {name}.")
        profile = target.profile if target else None
    focus = Focus(
        type=name,
        least=least if isinstance(least, int) else 0,
        most=int(most) if most.isdigit() else None,
        profile=profile,
    )
    if focus.most is not None and focus.least > focus.most:
        library.problems.add(file.name, place, "min may not be above max.")
    return focus


def focus_faults(rule: MessageRule, parts: Index) -> Iterator[Fault]:
    """Compare how many resources of each type a message has with what its definition asks."""
    for focus in rule.focus:
        if focus.type == "Bundle":  # the message itself, which is there
            continue
        found = parts.of_type(focus.type)
        least, most = focus.least, focus.most
        is_short, is_over = len(found) < least, most is not None and len(found) > most
        if not (is_short or is_over):
            continue
        yield Fault(
            code=IssueCode.REQUIRED if is_short else IssueCode.INVALID,
            expression=found[most].path if most is not None and is_over else "Bundle.entry",
            diagnostics=f"The message {rule.name} carries {_wanted(least, most)} {focus.type}; this"
            f" one has {len(found)}. {'Add what is missing' if is_short else _TOO_MANY}.",
        )


def _wanted(least: int, most: int | None) -> str:
    if most is None:
        return f"{least} or more"
    return f"{least}" if most == least else f"{least} to {most}"
