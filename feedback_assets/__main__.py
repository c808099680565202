"""`python -m feedback_assets`."""

from feedback_assets.cli import main

main()
