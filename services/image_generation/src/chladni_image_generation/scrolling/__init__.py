"""Images of moving sound: a course on an absolute grid of time, and the frames that show it gliding past.

`ScrollingScene` is the entrance: put `TimedSegment`s in, in their order, and ask for the frame of any moment.
It is the same for sound that comes in live and for a film of a finished one.
"""
