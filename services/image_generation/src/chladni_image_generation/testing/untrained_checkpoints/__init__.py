"""Untrained, tiny checkpoints of the model families: the true architectures and files, without the gigabytes.

One module for each family holds ``save_untrained_<family>(directory, *, seed=0, ...)``, which writes a
diffusers directory that loads as a real one does. Images of such a model show nothing, but they depend on
everything that those of a real one depend on: that makes them good for tests and for trying out a deployment.
"""
