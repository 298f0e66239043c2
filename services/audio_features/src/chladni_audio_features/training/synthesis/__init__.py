"""A small synthesiser: music, percussion, noises, machines and (through espeak-ng) speech.

Everything is a pure function of its arguments and of the random generator passed in, so that the
sounds can be made again. Sounds are float64 arrays, mono, near full scale 1 before mastering.
"""
