"""Everything recorded of the Gemini format, read into the canonical form and written in the same format again."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from google.genai import types

from gaiarouter.canonical.fold import fold
from gaiarouter.dialects.base import Envelope
from gaiarouter.dialects.gemini.capabilities import CapabilityTable
from gaiarouter.dialects.gemini.chunks import StreamDecoder
from gaiarouter.dialects.gemini.decode import decode_request
from gaiarouter.dialects.gemini.encode import StreamEncoder, encode_answer
from gaiarouter.dialects.gemini.response import decode_answer
from gaiarouter.dialects.gemini.target import GeminiTarget
from gaiarouter.dialects.gemini.view import AnswerView
from gaiarouter.errors import InvalidRequest
from tests.dialects.gemini.stream import PLAN, decode
from tests.dialects.gemini.test_recorded import USABLE, responses
from tests.dialects.official import PROVIDER, google
from tests.recorded import Interaction, every, interactions

RECORDED = [
    each
    for provider in ("google", "vertex")
    for each in interactions(provider, "generate")
    if isinstance(each.request, dict) and "contents" in each.request
]
OPAQUE = {
    "args",
    "response",
    "labels",
    *(f"{kind}{form}Schema" for kind in ("response", "parameters") for form in ("", "Json")),
    "parameters",
}
SKIPPED = ("skip_thought_signature_validator", "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=")
"""Members whose own members are the caller's."""


def model_of(interaction: Interaction) -> str:
    found = re.search(r"models/([^:/?]+)", interaction.url_path)
    assert found is not None
    return found.group(1)


def written_again(interaction: Interaction) -> dict[str, Any]:
    body = json.dumps(interaction.request, ensure_ascii=False).encode()
    model, is_vertex = model_of(interaction), interaction.provider == "vertex"
    request = decode_request(body, Envelope(model=model, stream=interaction.asked_stream))
    target = GeminiTarget(CapabilityTable(), developer_api=not is_vertex, fetches_urls=is_vertex)
    written: dict[str, Any] = json.loads(target.prepare(request, model=model, strict=False).body)
    return written


def camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found.group(1).upper(), name)


def in_camel_case(value: Any) -> Any:
    """null and absent say the same in this format, and so do the two spellings of a name."""
    match value:
        case dict():
            spelt = {camel(name): item for name, item in value.items() if item is not None}
            return {name: item if name in OPAQUE else in_camel_case(item) for name, item in spelt.items()}
        case list():
            return [in_camel_case(item) for item in value]
        case _:
            return value


UNKNOWN = {"propertyOrdering", "property_ordering", "nullable"}


def as_json_schema(value: Any) -> Any:
    """Of OpenAPI's subset, the words of JSON Schema. Recorded properties are named like no keyword."""
    if isinstance(value, list):
        return [as_json_schema(item) for item in value]
    if not isinstance(value, dict):
        return value
    schema = {name: as_json_schema(item) for name, item in value.items() if name not in UNKNOWN}
    if isinstance(schema.get("type"), str):
        schema["type"] = schema["type"].lower()
        if value.get("nullable"):
            schema["type"] = [schema["type"], "null"]
    elif value.get("nullable"):
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    return schema


def normal_schemas(holder: dict[str, Any], older: str, newer: str) -> None:
    if older in holder:
        holder[newer] = as_json_schema(holder.pop(older))
    if newer in holder and not holder[newer].get("properties", True):
        del holder[newer]


def as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def normal(body: dict[str, Any]) -> dict[str, Any]:
    """What is spelt in several ways, in one."""
    body = in_camel_case(body)
    body.pop("model", None)  # it stands in the address
    config = body.setdefault("generationConfig", {})
    normal_schemas(config, "responseSchema", "responseJsonSchema")
    for name, unasked in (("candidateCount", 1), ("responseModalities", ["TEXT"])):
        if config.get(name) == unasked:
            del config[name]
    thinking = config.get("thinkingConfig", {})
    if not thinking.get("includeThoughts", True):
        del thinking["includeThoughts"]
    if "thinkingLevel" in thinking:
        thinking["thinkingLevel"] = thinking["thinkingLevel"].upper()
    if not thinking:
        config.pop("thinkingConfig", None)
    calling = body.get("toolConfig", {}).get("functionCallingConfig", {})
    if calling:
        calling["mode"] = calling["mode"].upper()
    if calling == {"mode": "AUTO"}:
        del body["toolConfig"]["functionCallingConfig"]
    if not body.get("toolConfig", True):
        del body["toolConfig"]
    normal_system(body)
    body["contents"] = [normal_content(content) for content in as_list(body["contents"])]
    normal_tools(body)
    return body


def normal_system(body: dict[str, Any]) -> None:
    system = body.pop("systemInstruction", {})
    parts = as_list(system.get("parts", [])) if isinstance(system, dict) else [{"text": system}]
    texts = [part["text"] for part in parts if part.get("text")]
    if texts:
        body["systemInstruction"] = texts


def normal_content(content: dict[str, Any]) -> dict[str, Any]:
    parts = [dict(part) for part in as_list(content.get("parts", []))]
    for part in parts:
        if not part.get("thought", True):
            del part["thought"]
        for holder in (part, *part.get("functionResponse", {}).get("parts", ())):
            if "inlineData" in holder:
                holder["inlineData"]["data"] = holder["inlineData"]["data"].replace("-", "+").replace("_", "/")
                holder["inlineData"].pop("displayName", None)
        for name in ("functionCall", "functionResponse"):
            if name in part:
                part[name] = {key: value for key, value in part[name].items() if key != "id"}
        if "functionCall" in part:
            part["functionCall"].setdefault("args", {})
        if part.get("thoughtSignature") in SKIPPED:
            del part["thoughtSignature"]
        if "functionResponse" in part and set(part["functionResponse"]["response"]) == {"result"}:
            result = part["functionResponse"]["response"]["result"]
            if isinstance(result, str):
                part["functionResponse"]["response"] = {"output": result}
    return {"role": content.get("role", "user"), "parts": parts}


def normal_tools(body: dict[str, Any]) -> None:
    declared = [
        declaration for tool in as_list(body.get("tools", [])) for declaration in tool.get("functionDeclarations", ())
    ]
    for declaration in declared:
        normal_schemas(declaration, "parameters", "parametersJsonSchema")
        declaration.setdefault("description", "")
    hosted = [
        {name: value}
        for tool in as_list(body.get("tools", []))
        for name, value in tool.items()
        if name != "functionDeclarations"
    ]
    body["tools"] = {"functions": declared, "hosted": hosted}


# what a translation does to a request of its own format, and why
EXCEPTIONS: dict[str, str] = {
    **dict.fromkeys(
        ["05622f183460", "111d00b88f0c", "fd587c3b49d9", "707feedf305d"],
        "what was told of thinking is not sent back: the model does not read it",
    ),
    **dict.fromkeys(
        ["0c9cce41f9f8", "5ba9a7f252f8", "1aa1ec62412d", "622ecf4f8db4", "6b0335197129"],
        "results of functions stand in a content of their own",
    ),
    **dict.fromkeys(["287bc430c19c", "402849eab70b"], "calls that are answered together are one message"),
    "55f495a6496d": "a signature without a text has an empty one",
    "1794c02c373d": "`nullable` adds null to the values",
    "6368a7f1512b": "the older model takes no `additionalProperties`",
    "3a40e7b13caa": "the model knows levels of thinking, not budgets",
    "72734f58e0aa": "text is what comes unasked",
}
REFUSALS: dict[str, str] = {
    "114a1e69c65a": "there must be a message with content",
    "35e61d467486": "does not load addresses",
    "d2874a68f767": "must be `user` or `model`",
}


@every(RECORDED)
def test_a_recorded_request_is_written_as_it_was_read(interaction: Interaction) -> None:
    if interaction.id in REFUSALS:
        with pytest.raises(InvalidRequest, match=REFUSALS[interaction.id]):
            written_again(interaction)
        return
    written, sent = normal(written_again(interaction)), normal(interaction.request)
    if interaction.id in EXCEPTIONS:
        assert written != sent, "no exception any more"
    else:
        assert written == sent


VIEW = AnswerView(fallback_id="")
STREAMS = [each for each in USABLE if each.is_stream]
WHOLE = [each for each in USABLE if not each.is_stream]
COUNTS = {
    *("promptTokenCount", "cachedContentTokenCount", "toolUsePromptTokenCount", "candidatesTokenCount"),
    *("thoughtsTokenCount",),
}
UNREAD = {"createTime", "finishMessage", "index", "sdkHttpResponse"}


def told(response: dict[str, Any]) -> dict[str, Any]:
    """An answer as its reader sees it."""
    response = in_camel_case(response)
    usage = response.pop("usageMetadata", {})
    candidates = [told_candidate(each) for each in response.pop("candidates", [])]
    rest = {name: value for name, value in response.items() if name not in UNREAD and value not in ("", [], {})}
    return rest | {"candidates": candidates, "counts": {name: usage.get(name) or 0 for name in COUNTS}}


def told_candidate(candidate: dict[str, Any]) -> dict[str, Any]:
    parts = [told_part(part) for part in (candidate.get("content") or {}).get("parts") or ()]
    rest = {name: value for name, value in candidate.items() if name not in (*UNREAD, "content", "logprobsResult")}
    return {name: value for name, value in rest.items() if value not in ([], {})} | {
        "parts": [part for part in parts if part not in ({"text": ""}, {"text": "", "thought": True})],
        "finishReason": "STOP" if candidate.get("finishReason") in (1, "STOP") else candidate.get("finishReason"),
    }


def told_part(part: dict[str, Any]) -> dict[str, Any]:
    if "functionCall" not in part:
        return part if part.get("thought", True) else {name: part[name] for name in part if name != "thought"}
    call = part["functionCall"]
    return part | {"functionCall": {"name": call["name"], "args": call.get("args", {})}}


@every(WHOLE)
def test_a_recorded_answer_is_written_as_it_was_read(interaction: Interaction) -> None:
    written = json.loads(encode_answer(decode_answer(interaction.body, PLAN), VIEW))
    (answer,) = responses(interaction)
    if "candidates" not in answer:
        # there was none, and clients that look for one find it, with the reason
        answer = answer | {"candidates": [{"finishReason": answer["promptFeedback"]["blockReason"]}]}
    assert told(written) == told(answer)


def official(stream: bytes) -> dict[str, Any]:
    """What Google's own client makes of a stream: what the model said, its ending, its counts."""

    said: dict[str, Any] = {"text": "", "thought": "", "calls": [], "others": [], "signatures": []}
    PROVIDER.body, PROVIDER.stream = stream, True
    for chunk in google().models.generate_content_stream(model="m", contents="x"):
        said["last"] = chunk.model_version, chunk.response_id
        for candidate in chunk.candidates or ():
            for part in (candidate.content and candidate.content.parts) or ():
                take(part, said)
            if candidate.finish_reason is not None:
                said["finish"] = candidate.finish_reason.name
        if chunk.usage_metadata is not None:
            counts = chunk.usage_metadata.model_dump(mode="json", by_alias=True)
            said.setdefault("counts", {}).update({name: n for name, n in counts.items() if name in COUNTS and n})
    return said


def take(part: types.Part, said: dict[str, Any]) -> None:
    if part.thought_signature:
        said["signatures"].append(part.thought_signature)
    if part.function_call is not None:
        said["calls"].append((part.function_call.name, part.function_call.args or {}))
    elif part.text is not None:
        said["thought" if part.thought else "text"] += part.text
    else:
        said["others"].append(part.model_dump(exclude_none=True, exclude={"thought_signature"}))


EVENTS = [each for each in STREAMS if each.body.lstrip().startswith(b"data:")]


@every(EVENTS)
def test_the_official_client_reads_a_rewritten_stream_as_it_reads_the_recorded_one(interaction: Interaction) -> None:
    rewritten = StreamEncoder(VIEW).encode(decode(interaction.body))
    assert official(rewritten) == official(interaction.body)
    assert fold(decode(rewritten)).choices[0].finish == fold(decode(interaction.body)).choices[0].finish


@every(EVENTS[::5])
def test_a_rewritten_stream_says_the_same_however_its_source_is_cut(interaction: Interaction) -> None:
    data, chance = interaction.body, random.Random(interaction.id)
    expected = official(StreamEncoder(VIEW).encode(decode(data)))
    every_byte = [data[at : at + 1] for at in range(len(data))]
    cut = sorted(chance.choices(range(len(data) + 1), k=20))
    pieces = [data[start:end] for start, end in zip([0, *cut], [*cut, len(data)], strict=True)]
    for fed in (every_byte, pieces):
        decoder, encoder = StreamDecoder(PLAN), StreamEncoder(VIEW)
        rewritten = b"".join(encoder.encode(decoder.feed(each)) for each in fed) + encoder.encode(decoder.close())
        assert official(rewritten) == expected


@every(EVENTS)
def test_t47_a_rewritten_stream_is_data_lines_alone(interaction: Interaction) -> None:
    """Google's clients read any other line as JSON, and one without the blank behind its colon not at all."""
    rewritten = StreamEncoder(VIEW).encode(decode(interaction.body))
    assert rewritten.endswith(b"\r\n\r\n")
    for event in rewritten.removesuffix(b"\r\n\r\n").split(b"\r\n\r\n"):
        assert event.startswith(b"data: {")
        assert b"\n" not in event
        assert json.loads(event.removeprefix(b"data: "))["candidates"][0]["content"]["parts"]
