"""`python -m kimera_cli`."""

from kimera_cli.main import main

main()
