"""The evaluation of `make quality`: clips, the images that the services make of them, and figures of both.

`corpus` makes the clips, `dataset` sends them to the services through `clients`, `sections` holds a module
for each group of figures, `statistics` holds the arithmetic, which knows nothing of audio, images or
services, and `reports` shows the results.
"""
