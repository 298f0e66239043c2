"""How well films of songs keep their promises."""
