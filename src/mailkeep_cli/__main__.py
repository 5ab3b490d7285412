"""`python -m mailkeep_cli`: the same as `mailkeep`, for a process that starts another under its own interpreter."""

from mailkeep_cli.main import main

main()
