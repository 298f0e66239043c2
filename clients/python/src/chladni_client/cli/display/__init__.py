"""What a terminal shows while an image or a recording is made."""
