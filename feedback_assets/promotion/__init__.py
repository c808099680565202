"""Whether a candidate replaces the champion, and the record of why."""
