"""Sound in, features out: decoding, log-mel spectrograms, descriptors and the embedding.

The domain modules (everything but `servicer`, `conversion`, `config` and `__main__`) know nothing
of gRPC. The path of a clip through them::

    bytes --decoding--> AudioClip --+--> spectrogram --> rendering (PNG)
                                    |         +--------> initial_latents
                                    +--> descriptors --> embedding
                                    +--> clap --> clap_to_clip
    PCM chunks --streaming--> frames of the same spectrogram, as they arrive
"""
