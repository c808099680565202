"""From the files of a source to rows that keep the loop's contract, and a quarantine."""
