"""Every mistake of a route that the contract names: where it is reported, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.test_mistakes import only, problems_of

# name: (the entries of routes, the problem); the providers are demo and more
ROUTES: dict[str, tuple[str, str]] = {
    "a provider nobody has": (
        "- {match: a, targets: [{provider: dmeo}]}",
        "4:37: routes[0].targets[0].provider: unknown provider 'dmeo'; did you mean `demo`?",
    ),
    "the same in a fallback": (
        "- {match: a, targets: [{provider: demo}], fallbacks: [{provider: x}]}",
        "4:68: routes[0].fallbacks[0].provider: unknown provider 'x'; `providers` has demo, more",
    ),
    "the same in a group": (
        "- {match: a, targets: [{provider: demo}], fallbacks: [[{provider: demo}, {provider: x}]]}",
        "4:87: routes[0].fallbacks[0][1].provider: unknown provider 'x'",
    ),
    "no match": (
        "- {targets: [{provider: demo}]}",
        "4:5: routes[0]: `match` is missing, expected a glob, or a list of globs",
    ),
    "no targets": ("- {match: a}", "4:5: routes[0]: `targets` is missing, expected a list"),
    "empty targets": ("- {match: a, targets: []}", "4:25: routes[0].targets: found nothing in it"),
    "a number for a name": (
        "- {match: 4, targets: [{provider: demo}]}",
        "4:13: routes[0].match: found 4, expected a glob, or a list of globs",
    ),
    "a glob not closed": (
        "- {match: 'gpt-[45', targets: [{provider: demo}]}",
        "4:13: routes[0].match: Found `[` without `]` in the glob 'gpt-[45'",
    ),
    "a range run backwards": (
        "- {match: ['a', '[z-a]'], targets: [{provider: demo}]}",
        "4:19: routes[0].match[1]: Found the range `z-a`, which runs backwards",
    ),
    "a set in another spelling": (
        "- {match: 'a[^b]', targets: [{provider: demo}]}",
        "4:13: routes[0].match: the glob 'a[^b]' has `[^`",
    ),
    "{1} without a star": (
        "- {match: a, targets: [{provider: demo, model: '{1}'}]}",
        "4:50: routes[0].targets[0].model: {1} has nothing to stand for: the glob 'a' has no `*`",
    ),
    "{2} with one star": (
        "- {match: 'a*', targets: [{provider: demo, model: '{2}'}]}",
        "4:53: routes[0].targets[0].model: {2} has nothing to stand for: the glob 'a*' has only one `*`",
    ),
    "{1} where one glob has no star": (
        "- {match: ['a*', b], targets: [{provider: demo, model: '{1}'}]}",
        "4:58: routes[0].targets[0].model: {1} has nothing to stand for: the glob 'b' has no `*`",
    ),
    "{1} in a fallback": (
        "- {match: a, targets: [{provider: demo}], fallbacks: [{provider: demo, model: '{1}'}]}",
        "4:81: routes[0].fallbacks[0].model: {1} has nothing",
    ),
    "an unknown placeholder": (
        "- {match: a, targets: [{provider: demo, model: '{name}'}]}",
        "4:50: routes[0].targets[0].model: unknown placeholder {name}",
    ),
    "a weight of nothing": (
        "- {match: a, targets: [{provider: demo, weight: 0}]}",
        "4:51: routes[0].targets[0].weight: found 0, expected a whole number",
    ),
    "a fallback to nothing": (
        "- {match: a, targets: [{provider: demo}], fallbacks: [{}]}",
        "4:57: routes[0].fallbacks[0]: found neither `provider` nor `model`",
    ),
    "a fallback to itself": (
        "- {match: a, targets: [{provider: demo}], fallbacks: [{model: a}]}",
        "4:65: routes[0].fallbacks[0].model: the fallbacks run in a circle: a -> a",
    ),
    "a circle over two": (
        (
            "- {match: a, targets: [{provider: demo}], fallbacks: [{model: b}]}\n"
            "  - {match: b, targets: [{provider: demo}], fallbacks: [{model: a}]}"
        ),
        "5:65: routes[1].fallbacks[0].model: the fallbacks run in a circle: a -> b -> a",
    ),
    "a circle through a glob": (
        "- {match: 'a*', targets: [{provider: demo}], fallbacks: [{model: abc}]}",
        "4:68: routes[0].fallbacks[0].model: the fallbacks run in a circle: a* -> abc",
    ),
    "a fallback to a model nobody serves": (
        "- {match: slow, targets: [{provider: demo}], fallbacks: [{model: solw2}]}",
        "4:68: routes[0].fallbacks[0].model: no route matches the model 'solw2'; did you mean `slow`?",
    ),
    "a fallback to a placeholder": (
        "- {match: a, targets: [{provider: demo}], fallbacks: [{model: '{model}'}]}",
        "4:65: routes[0].fallbacks[0].model: found '{model}', expected the full name of another model",
    ),
    "a weight for a reference": (
        (
            "- {match: a, targets: [{provider: demo}]}\n"
            "  - {match: b, targets: [{provider: demo}], fallbacks: [{model: a, weight: 2}]}"
        ),
        "5:68: routes[1].fallbacks[0].weight: a fallback to another model has no weight",
    ),
    "an unknown condition": (
        "- {match: a, targets: [{provider: demo}], fallbacks: [{provider: demo, on: [context]}]}",
        "4:79: routes[0].fallbacks[0].on[0]: found 'context', expected one of context_length, content_policy",
    ),
    "a condition inside a group": (
        "- {match: a, targets: [{provider: demo}], fallbacks: [[{provider: demo, on: [context_length]}]]}",
        "4:75: routes[0].fallbacks[0][0].on: unknown key",
    ),
    "an affinity that the balance would break": (
        "- {match: a, balance: least_busy, affinity: prefix, targets: [{provider: demo}]}",
        "4:47: routes[0].affinity: keeps requests together, and `balance: least_busy` moves them by load",
    ),
    "an unknown affinity": (
        "- {match: a, affinity: prefixes, targets: [{provider: demo}]}",
        "4:26: routes[0].affinity: found 'prefixes', expected one of key, user, prefix; did you mean `prefix`?",
    ),
    "an unknown balance": ("- {match: a, balance: wieghted, targets: [{provider: demo}]}", "did you mean `weighted`?"),
    "no in a body": (
        "- {match: a, targets: [{provider: demo}], transform: {set: {store: no}}}",
        "4:70: routes[0].transform.set.store: some YAML readers take it for a boolean",
    ),
    "a date in a body": (
        "- {match: a, targets: [{provider: demo}], transform: {default: {d: 2026-01-01}}}",
        "4:70: routes[0].transform.default.d: some YAML readers take it for a date",
    ),
    "the model set": (
        "- {match: a, targets: [{provider: demo}], transform: {set: {model: b}}}",
        "4:63: routes[0].transform.set.model: cannot be set",
    ),
    "the stream dropped": (
        "- {match: a, targets: [{provider: demo}], transform: {drop: [stream]}}",
        "4:64: routes[0].transform.drop[0]: stream cannot be dropped",
    ),
    "a misspelled placeholder": (
        "- {match: a, targets: [{provider: demo}], transform: {set: {user: '{key.nam}'}}}",
        "4:69: routes[0].transform.set.user: unknown placeholder {key.nam}; did you mean `key.name`?",
    ),
}


@pytest.mark.parametrize("name", ROUTES)
def test_a_mistake_in_a_route_is_reported_where_it_stands(name: str, tmp_path: Path) -> None:
    text, expected = ROUTES[name]
    providers = "providers:\n  {demo: {dialect: echo}, more: {dialect: echo}}\n"
    problem = only(problems_of(f"{providers}routes:\n  {text}\n", tmp_path))
    assert expected in problem if "did you mean `weighted`" in expected else problem.startswith(expected)
