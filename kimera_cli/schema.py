"""JSON Schema of what kimera writes (records) and reads (profiles)."""

from __future__ import annotations

from typing import Any

import msgspec

from kimera_cli.errors import UsageError
from kimera_cli.names import did_you_mean
from kimera_cli.records import ALL, SCHEMA_VERSION, Record

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PROFILE = "profile"


def types() -> dict[str, type[Record]]:
    """Return every record type by the value of its `type` field."""
    return {str(kind.__struct_config__.tag): kind for kind in ALL}


def records_schema() -> dict[str, Any]:
    """Return the schema of one output line: any of the records."""
    refs, definitions = msgspec.json.schema_components(ALL, ref_template="#/$defs/{name}")
    return {
        "$schema": DIALECT,
        "title": f"kimera records, version {SCHEMA_VERSION}",
        "anyOf": list(refs),
        "$defs": definitions,
    }


def profile_schema() -> dict[str, Any]:
    """Return the schema of a profile, as TOML read into JSON."""
    from kimera_cli.settings import Profile

    schema = msgspec.json.schema(Profile, ref_template="#/$defs/{name}")
    return {"$schema": DIALECT, "title": "kimera profile", **schema}


def type_schema(name: str) -> dict[str, Any]:
    """Return the schema of one record type, or of profiles; UsageError names the nearest type."""
    if name == PROFILE:
        return profile_schema()
    known = types()
    if name not in known:
        raise UsageError(
            "usage.record_type",
            f"expected a record type, was '{name}'",
            did_you_mean(name, [*known, PROFILE]),
        )
    schema = msgspec.json.schema(known[name], ref_template="#/$defs/{name}")
    return {"$schema": DIALECT, "title": f"kimera record {name}", **schema}


def text(schema: dict[str, Any]) -> str:
    """Return a schema as stable, indented JSON."""
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"
