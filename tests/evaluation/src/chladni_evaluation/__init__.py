"""What `make quality` does: clips, the images that the services make of them, and figures about both.

`corpus` makes the clips, `material` has the services hear and paint them, `sections` holds a module for each
group of figures, `statistics` the arithmetic, which knows nothing of sounds, images or services.
"""
