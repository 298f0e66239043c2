"""Sound in, features out: spectrograms, descriptors, embeddings and initial latents.

The way of a clip through the packages::

    bytes --audio--> AudioClip --analysis--> spectrogram --> rendering (PNG)
                                    |            +---------> latents
                                    +--> descriptors ------> embeddings.descriptors
                     AudioClip -----------> embeddings.clap -> embeddings.clap_to_clip
    PCM chunks --audio.pcm--> live: frames of the same spectrogram as they arrive, a summary at the end

`extraction` walks it for `grpc_api`, the only package that knows gRPC; `composition` puts the service
together. `training`, `tools` and `testing` import what serves, never the reverse.
"""
