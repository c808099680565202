"""Judge an inbox from where its files can be seen: `python -m ... HOME NOTES` prints the verdict."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from feedback_assets.capture.inbox.open import open_reader
from feedback_assets.settings import Settings
from feedback_assets_tests.chaos.inbox_load import LOOP
from feedback_assets_tests.chaos.inbox_notes import Told, judge, rows_of


def main(home: str, notes: str) -> None:
    told = Told.read(Path(notes))  # first: what is acknowledged from here on may be read or not
    reader = open_reader(Settings(home=Path(home), inbox_url=None))
    rows = rows_of(reader, LOOP) if reader else []
    sys.stdout.write(json.dumps(asdict(judge(told, rows, LOOP))))


if __name__ == "__main__":
    main(*sys.argv[1:])
