"""Live recordings: a microphone, or a file in its place, until somebody presses ENTER."""
