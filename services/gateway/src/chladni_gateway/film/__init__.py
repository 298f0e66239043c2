"""Films of songs: what moves when, the frames, their encoding, and the films in progress."""
