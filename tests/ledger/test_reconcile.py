"""A provider's export against the ledger: each form of export, and every way to differ."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gaiarouter.cli import main
from gaiarouter.ledger.export import UnreadableExport, read_export
from gaiarouter.ledger.reconcile import Difference, differences, render
from gaiarouter.store.records import LostAttempt, Sums
from gaiarouter.store.tables.histogram import BUCKETS

OPENAI = """start_time,end_time,model,num_model_requests,input_tokens,output_tokens,input_cached_tokens
1795305600,1795392000,gpt-4o,3,1000,200,400
1795392000,1795478400,gpt-4o,2,500,100,0
1795392000,1795478400,gpt-5-mini,1,10,5,0
"""
ANTHROPIC = """\ufeffusage_date_utc,model_version,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,\
usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens
2026-11-22,claude-sonnet-4-5,100,20,3,50,70
2026-11-23,claude-sonnet-4-5,100,,,50,70
"""
NOTHING = Sums(0, 0, 0, {}, 0, (0,) * BUCKETS, (0,) * BUCKETS)


def ledger(requests: int, *tokens: int, errors: int = 0) -> Sums:
    names = ("in_uncached", "in_cache_read", "in_cache_write", "in_tool", "out_visible", "out_reasoning")
    return replace(NOTHING, requests=requests, errors=errors, tokens=dict(zip(names, tokens, strict=True)))


def test_an_export_whose_input_includes_what_was_cached() -> None:
    export = read_export(OPENAI)
    assert export.counts == {
        "gpt-4o": {"requests": 5, "fresh input": 1100, "cache read": 400, "output": 300},
        "gpt-5-mini": {"requests": 1, "fresh input": 10, "cache read": 0, "output": 5},
    }
    assert export.first_day == datetime(2026, 11, 22, tzinfo=UTC)
    assert export.window_us == (1_795_305_600_000_000, 1_795_478_400_000_000)


def test_an_export_whose_input_does_not() -> None:
    export = read_export(ANTHROPIC)
    assert export.counts == {
        "claude-sonnet-4-5": {"fresh input": 200, "cache read": 100, "cache write": 23, "output": 140}
    }
    assert export.window_us == (1_795_305_600_000_000, 1_795_478_400_000_000)


def test_reports_of_the_usage_interfaces_are_read_too() -> None:
    """As the vendors document them: OpenAI's /v1/organization/usage/completions, Anthropic's
    /v1/organizations/usage_report/messages."""
    first = {"model": "gpt-5", "input_tokens": 1000, "input_cached_tokens": 400, "output_tokens": 200}
    first |= {"object": "organization.usage.completions.result", "num_model_requests": 3, "project_id": None}
    second = {**first, "input_tokens": 500, "input_cached_tokens": 0, "input_cache_write_tokens": 100}
    pages = [
        {"object": "page", "data": [_bucket(1_795_305_600, first)], "has_more": True, "next_page": "p"},
        {"object": "page", "data": [_bucket(1_795_392_000, second)], "has_more": False, "next_page": None},
    ]
    export = read_export(json.dumps(pages))
    assert export.counts == {
        "gpt-5": {"requests": 6, "fresh input": 1000, "cache read": 400, "cache write": 100, "output": 400}
    }
    assert export.window_us == (1_795_305_600_000_000, 1_795_478_400_000_000)
    result = {
        "uncached_input_tokens": 100,
        "cache_creation": {"ephemeral_1h_input_tokens": 3, "ephemeral_5m_input_tokens": 20},
        "cache_read_input_tokens": 50,
        "output_tokens": 70,
        "server_tool_use": {"web_search_requests": 5},
        "model": "claude-sonnet-4-5",
        "service_tier": None,
    }
    bucket = {"starting_at": "2026-11-22T00:00:00Z", "ending_at": "2026-11-23T00:00:00Z", "results": [result]}
    export = read_export(json.dumps({"data": [bucket], "has_more": False, "next_page": None}))
    assert export.counts == {
        "claude-sonnet-4-5": {"fresh input": 100, "cache read": 50, "cache write": 23, "output": 70}
    }
    assert export.window_us == (1_795_305_600_000_000, 1_795_392_000_000_000)


def _bucket(start: int, result: dict[str, object]) -> dict[str, object]:
    return {"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": [result]}


def test_what_both_counted_alike_is_no_difference() -> None:
    ours = [("gpt-4o", ledger(6, 1000, 400, 0, 100, 250, 50, errors=1)), ("gpt-5-mini", ledger(1, 10, 0, 0, 0, 5, 0))]
    assert [each for each in differences(read_export(OPENAI), ours) if each.by] == []


def test_differences_come_by_model_and_class_the_largest_first() -> None:
    ours = [("gpt-4o", ledger(5, 1100, 0, 0, 0, 310, 0)), ("mine", ledger(1, 7, 0, 0, 0, 0, 0))]
    found = [each for each in differences(read_export(OPENAI), ours) if each.by]
    assert found == [
        Difference("gpt-4o", "cache read", 400, 0),
        Difference("gpt-4o", "output", 300, 310),
        Difference("gpt-5-mini", "fresh input", 10, 0),
        Difference("mine", "fresh input", 0, 7),
        Difference("gpt-5-mini", "output", 5, 0),
        Difference("gpt-5-mini", "requests", 1, 0),
        Difference("mine", "requests", 0, 1),
    ]


def test_a_class_that_the_file_does_not_tell_of_is_not_compared() -> None:
    ours = [("claude-sonnet-4-5", ledger(99, 200, 100, 23, 0, 140, 0))]
    found = differences(read_export(ANTHROPIC), ours)
    assert [(each.kind, each.by) for each in found] == [
        ("fresh input", 0),
        ("cache read", 0),
        ("cache write", 0),
        ("output", 0),
    ]


def test_the_table_is_for_a_person() -> None:
    ours = [("gpt-4o", ledger(5, 1100, 400, 0, 0, 330, 0))]
    lines = render(read_export(OPENAI), differences(read_export(OPENAI), ours)).splitlines()
    assert lines[0] == "2026-11-22 to 2026-11-23, whole days in UTC"
    assert lines[1].split() == ["MODEL", "CLASS", "PROVIDER", "LEDGER", "MAY", "BE", "BILLED", "DIFFERENCE"]
    assert lines[2].split() == ["gpt-4o", "output", "300", "330", "0", "+30", "(+10.0%)"]


def test_what_was_billed_without_an_answer_explains_as_much_and_no_more() -> None:
    lost = LostAttempt("openai", "gpt-4o", "timeout_first_byte", 100, 0, 0, 0, estimated=True, cost_nano_usd=None)
    ours = [("gpt-4o", ledger(4, 1050, 400, 0, 0, 300, 0)), ("gpt-5-mini", ledger(1, 10, 0, 0, 0, 5, 0))]
    found = {(each.model, each.kind): each for each in differences(read_export(OPENAI), ours, [lost])}
    assert [each.by for each in found.values()] == [0] * len(found)
    assert found["gpt-4o", "fresh input"] == Difference("gpt-4o", "fresh input", theirs=1100, ours=1050, lost=100)
    assert Difference("m", "requests", theirs=9, ours=5, lost=3).by == -1
    assert Difference("m", "requests", theirs=4, ours=5, lost=3).by == 1
    (alone,) = [each for each in differences(read_export(OPENAI), [], [replace(lost, model="other")]) if each.lost > 1]
    assert (alone.model, alone.theirs, alone.ours, alone.by) == ("other", 0, 0, 0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no rows"),
        ("day,input_tokens\n2026-11-22,1\n", "no column for the model"),
        ('{"data": 1}', "no usage report"),
        ("[1]", "no usage report"),
        ("{", "no usage report"),
        ('{"data": [], "has_more": false}', "no rows"),
        ('{"data": [], "has_more": true}', "more pages"),
        ('{"data": [{"start_time": 1, "results": [{"model": null, "input_tokens": 1}]}]}', "not by model"),
        ("model,input_tokens\nm,1\n", "no column for the day"),
        ("model,date,input_tokens\n", "no rows"),
        ("model,date,input_tokens\nm,yesterday,1\n", "line 2"),
        ("model,date,input_tokens\nm,2026-11-22,many\n", "line 2: 'many' is not a number"),
        ("model,date,input_tokens\nm,2026-11-22,inf\n", "line 2: 'inf' is not a number"),
        ("model,date,input_tokens\nm,2026-11-22,1e400\n", "line 2: '1e400' is not a number"),
        ("model,start_time,input_tokens\nm,99999999999999999999,1\n", "line 2"),
        ("model,date,input_tokens\nm,9999-12-31,1\n", "line 2: '9999-12-31' is no day"),
        ("model,start_time,input_tokens\nm,67768036191676800,1\n", "line 2"),
        ("[" * 100_000, "no usage report"),
        ("model,date,colour\nm,2026-11-22,red\n", "counts tokens, requests or costs: its columns are model, date, col"),
        ("a;b\n1;2\n", "no column for the model .*: its columns are a;b"),
        ('model,date,input_tokens\n"m,2026-11-22', "no column|is no CSV|line 2"),
        (
            "Service description,SKU description,Usage start date,Cost ($)\nVertex,Gemini,2026-11-22,2\n",
            "export of billing, by SKU",
        ),
        ('{"data": [{"start_time": 1, "results": [{"object": "organization.costs.result"}]}]}', "usage/completions"),
        ('{"data": [{"starting_at": 1, "results": [{"amount": "1", "cost_type": null}]}]}', "`group_by` description"),
    ],
)
def test_a_file_that_is_no_export_is_told_so(text: str, why: str) -> None:
    with pytest.raises(UnreadableExport, match=why):
        read_export(text)


OPENROUTER = """generation_id,created_at,cost_total,tokens_prompt,tokens_completion,tokens_reasoning,\
tokens_cached,model_permaslug
gen-1,2026-11-22 18:54:30.040,0.01234567,1000,200,50,400,z-ai/glm-4.6
gen-2,2026-11-22 19:54:30.040,0.5,500,"1,100",0,,z-ai/glm-4.6
"""


def test_an_export_with_a_row_for_each_request_and_what_it_cost() -> None:
    export = read_export(OPENROUTER)
    assert export.counts == {
        "z-ai/glm-4.6": {"requests": 2, "fresh input": 1100, "cache read": 400, "output": 1300, "cost": 512_345_670}
    }
    assert export.window_us == (1_795_305_600_000_000, 1_795_392_000_000_000)


def test_rows_of_days_whose_input_does_not_say_what_came_from_a_cache_are_compared_as_a_whole() -> None:
    """OpenRouter's /api/v1/activity."""
    row = {"date": "2026-11-22 00:00:00", "model": "openai/gpt-5", "model_permaslug": "openai/gpt-5-2025-08-07"}
    row |= {"usage": 1.25, "byok_usage_inference": 0, "requests": 3, "prompt_tokens": 1000, "completion_tokens": 70}
    export = read_export(json.dumps({"data": [row | {"reasoning_tokens": 20}]}))
    assert export.counts == {"openai/gpt-5": {"requests": 3, "input": 1000, "output": 70, "cost": 1_250_000_000}}
    ours = replace(ledger(3, 300, 600, 90, 10, 50, 20), cost_nano_usd=1_245_000_000)
    assert [(each.kind, each.by) for each in differences(export, [("openai/gpt-5", ours)])] == [
        ("cost", 0),
        ("requests", 0),
        ("input", 0),
        ("output", 0),
    ]


def test_a_report_of_costs_is_compared_by_model_in_dollars() -> None:
    """Anthropic's /v1/organizations/cost_report with `group_by` description: amounts are cents, as text."""
    tokens = {"amount": "123.78912", "currency": "USD", "cost_type": "tokens", "model": "claude-sonnet-4-5"}
    search = {"amount": "2", "currency": "USD", "cost_type": "web_search", "model": None}
    bucket = {"starting_at": "2026-11-22T00:00:00Z", "results": [tokens, tokens, search]}
    export = read_export(json.dumps({"data": [bucket], "has_more": False}))
    assert export.counts == {"claude-sonnet-4-5": {"cost": 2_475_782_400}, "(no model)": {"cost": 20_000_000}}
    ours = replace(ledger(1, 1, 0, 0, 0, 1, 0), cost_nano_usd=2_500_000_000)
    found = differences(export, [("claude-sonnet-4-5", ours)])
    lines = render(export, found).splitlines()
    assert lines[2].split() == ["claude-sonnet-4-5", "cost", "$2.4758", "$2.5000", "$0.0000", "+$0.0242", "(+1.0%)"]
    assert lines[3].split() == ["(no", "model)", "cost", "$0.0200", "$0.0000", "$0.0000", "-$0.0200", "(-100.0%)"]
    assert len(lines) == 4


def test_what_providers_round_is_no_difference() -> None:
    cent = 10_000_000
    assert [Difference("m", "cost", 100 * cent, 100 * cent + by).by for by in (cent - 1, 1 - cent)] == [0, 0]
    assert [Difference("m", "cost", 100 * cent, 100 * cent + by).by for by in (cent, -cent)] == [cent, -cent]
    assert Difference("m", "cost", theirs=104 * cent, ours=100 * cent, lost=4 * cent).by == 0


def test_the_command_ends_as_diff_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, export, store = tmp_path / "gaiarouter.yaml", tmp_path / "usage.csv", tmp_path / "gaia.db"
    table.write_text(json.dumps({"store": f"sqlite:///{store}", "providers": {"demo": {"dialect": "echo"}}}))
    export.write_text("model,date,input_tokens\nechoing,2026-11-22,7\n")

    def said(*more: str) -> tuple[int, str]:
        code = main(["reconcile", str(export), "-c", str(table), *more])
        out, err = capsys.readouterr()
        return code, out + err

    code, text = said()
    assert (code, store.exists()) == (2, False)
    assert "There is no file" in text
    assert main(["migrate", "-c", str(table)]) == 0
    code, text = said("--provider", "dem")
    assert code == 2
    assert "no provider 'dem', only demo" in text
    code, text = said("--provider", "demo")
    assert code == 1
    assert text.splitlines()[-1].split() == ["echoing", "input", "7", "0", "0", "-7", "(-100.0%)"]
    export.write_text("model,date,input_tokens\nechoing,2026-11-22,0\n")
    assert said()[0] == 0
    export.write_text("")
    code, text = said()
    assert code == 2
    assert text == f"{export}: it has no rows\n"
    assert main(["reconcile", str(tmp_path / "absent.csv"), "-c", str(table)]) == 2
