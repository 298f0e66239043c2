"""What image files of Chladni carry: text in their metadata, and the colours of spectrograms."""
