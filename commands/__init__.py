"""One thin module per subcommand, installed as `kimera_cli.commands`."""

if __name__ != "kimera_cli.commands":
    raise ImportError(
        "commands/ is installed as kimera_cli.commands; import it under that name "
        "(pip install -e .)"
    )
