"""Extensions that are defined here: where each may stand.

What enters: a StructureDefinition of the type Extension. What leaves: a rule.
Supported contexts: `element` with a type or a path (`Patient.contact`), and `extension` with
the url of the extension around it. A FHIRPath as context is refused.
"""

from typing import Final

from gateway.fhir.primitives import PRIMITIVES
from gateway.fhir.profiles.library import Library
from gateway.fhir.profiles.model import ExtensionRule, Profile
from gateway.fhir.profiles.problems import File
from gateway.fhir.profiles.tree import Node
from gateway.fhir.tables import Tables
from gateway.referral.json import objects, string

_PLACE: Final = "StructureDefinition.context"


def extension_rule(profile: Profile, root: Node, file: File, library: Library) -> ExtensionRule:
    """Read where an extension may stand, telling the library's problems what is wrong."""
    elements, extensions = set(), set()
    for index, context in enumerate(objects(file.tree, "context")):
        kind, expression = string(context, "type"), string(context, "expression") or ""
        place = f"{_PLACE}[{index}]"
        if kind == "extension":
            extensions.add(expression)
        elif kind != "element":
            library.problems.add(
                file.name, f"{place}.type", "only element and extension are supported."
            )
        elif not _is_path(expression, library.tables):
            library.problems.add(
                file.name, f"{place}.expression", "this is neither a type nor a path of R4."
            )
        else:
            elements.add(expression.replace("[x]", ""))
    _check_url(profile, root, library)
    is_modifier, most = False, None
    for source in root.sources:
        is_modifier = is_modifier or source.element.get("isModifier") is True
        limit = string(source.element, "max") or "*"
        most = int(limit) if limit.isdigit() else most
    return ExtensionRule(
        profile=profile,
        is_modifier=is_modifier,
        most=most,
        elements=frozenset(elements),
        extensions=frozenset(extensions),
    )


def _check_url(profile: Profile, root: Node, library: Library) -> None:
    url = root.children.get("url", Node())
    for source in url.sources:
        if source.element.get("fixedUri", profile.url) != profile.url:
            library.problems.add(
                source.file.name, f"{source.place}.fixedUri", "this must be the url of the profile."
            )


def _is_path(expression: str, tables: Tables) -> bool:
    """Say whether an expression names a type, or an element of one."""
    name, *steps = expression.split(".")
    spec = tables.types.get(name)
    if not steps:
        return spec is not None or name in tables.resources or name in PRIMITIVES
    for step in steps:
        label = step.removesuffix("[x]")
        elements = spec.elements.values() if spec else ()
        element = next((each for each in elements if each.label == label), None)
        if element is None:
            return False
        spec = element.inner
    return True
