"""Kimera's own benchmarks and side-by-side runs against peers, installed as `kimera_cli.bench`.

Modules here import each other by sibling name, because a type checker sees this folder as `bench`.
"""

if __name__ != "kimera_cli.bench":
    raise ImportError(
        "bench/ is installed as kimera_cli.bench; import it under that name (pip install -e .)"
    )
