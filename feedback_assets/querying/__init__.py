"""What to ask people: how much each row would teach, and a draw with known chances; pure functions."""
