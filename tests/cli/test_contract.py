"""What scripts may rely on, declared a second time: records may not change in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, get_type_hints

import pytest

from kimera_cli import records, schema

if TYPE_CHECKING:
    from conftest import Kimera


class CheckLine(TypedDict):
    type: str
    check: str
    dataset: str
    passed: int
    total: int
    ok: bool


class RunSummaryLine(TypedDict):
    type: str
    run: str
    events: int
    orders: int
    fills: int
    denied: int
    pnl: float
    fees: float
    max_drawdown: float
    trade_hash: str
    events_per_s: float
    fidelity: dict[str, Any]


class DoctorLine(TypedDict):
    type: str
    item: str
    status: str
    found: str
    advice: str


class EndLine(TypedDict):
    type: str
    status: str
    rows: int
    code: int


class ErrorLine(TypedDict):
    type: str
    code: str
    message: str
    hint: str


LINES: dict[str, type] = {
    "check": CheckLine,
    "run_summary": RunSummaryLine,
    "doctor": DoctorLine,
    "end": EndLine,
    "error": ErrorLine,
}
JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


@pytest.mark.parametrize("name", LINES)
def test_promised_fields_are_in_the_published_schema_with_their_types(name: str) -> None:
    definition = next(iter(schema.type_schema(name)["$defs"].values()))
    for field, kind in get_type_hints(LINES[name]).items():
        published = definition["properties"][field]
        if field == "type":
            assert published["enum"] == [name]
        elif "enum" in published:
            assert kind is str
        else:
            assert published["type"] == JSON_TYPES.get(kind, "object"), field


@pytest.mark.parametrize("name", ["order", "fill", "denial"])
def test_promised_types_exist(name: str) -> None:
    assert name in schema.types()


def test_statuses_are_the_documented_ones() -> None:
    statuses = schema.type_schema("doctor")["$defs"]["Doctor"]["properties"]["status"]["enum"]
    assert set(statuses) == {"ok", "warning", "failed"}
    ends = schema.type_schema("end")["$defs"]["End"]["properties"]["status"]["enum"]
    assert set(ends) == {"ok", "partial", "error", "interrupted"}


def test_every_record_has_a_description_and_a_snake_case_type() -> None:
    for name, kind in schema.types().items():
        assert kind.__doc__, name
        assert name == name.lower()
        assert name.isidentifier()


@pytest.mark.parametrize(
    ("file", "arguments"),
    [("records-v1.json", ["schema"]), ("profile-v1.json", ["schema", "profile"])],
)
def test_published_schema_is_the_generated_one(
    kimera: Kimera, repository: Path, file: str, arguments: list[str]
) -> None:
    published = (repository / "schemas" / file).read_text(encoding="utf-8")
    assert kimera(*arguments).out == published, (
        "make generate, and see docs/reference/json-lines.md"
    )


def test_lines_of_a_real_command_satisfy_the_published_schema(kimera: Kimera) -> None:
    """The required fields and the types of every line, checked without kimera's own decoder."""
    published = json.loads(kimera("schema").out)["$defs"]
    properties = {name: d.get("properties", {}) for name, d in published.items()}
    by_type = {
        has["type"]["enum"][0]: published[name] for name, has in properties.items() if "type" in has
    }
    lines = kimera("doctor").json + kimera("profile", "show").json
    assert {"doctor", "profile_value", "end"} <= {line["type"] for line in lines}
    for line in lines:
        definition = by_type[line["type"]]
        assert set(definition["required"]) <= set(line)
        assert set(line) <= set(definition["properties"])


def test_adding_a_record_type_needs_no_registration() -> None:
    assert set(records.ALL) == set(records.Record.__subclasses__())
