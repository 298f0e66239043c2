# The image of audio-features: sound to spectrogram, descriptors and embedding.
# The build context is the root of the repository:
#     docker build -f deploy/docker/audio-features.Dockerfile -t chladni/audio-features:0.1.0 .
# EXTRAS is what the analysis of music needs, librosa. "[clap,music]" adds what CLAP needs, PyTorch and transformers;
# "" leaves both out. INDEX_ARGUMENTS then chooses the build of PyTorch:
# "--extra-index-url URL" with the URL that PyTorch's own installation page gives for CPU or for a CUDA version.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/chladni
WORKDIR /build
COPY requirements/constraints.txt requirements/
COPY protos/gen/python protos/gen/python
COPY protos/contract protos/contract
COPY services/runtime services/runtime
COPY services/audio_features services/audio_features
# An argument may be several words, so it stays unquoted.
ARG EXTRAS="[music]"
ARG INDEX_ARGUMENTS=""
# hadolint ignore=SC2086
RUN python -m pip --python /opt/chladni/bin/python install -c requirements/constraints.txt \
    ${INDEX_ARGUMENTS} ./protos/gen/python ./protos/contract "./services/runtime[tracing]" "./services/audio_features${EXTRAS}"
COPY deploy/docker/sbom.py ./
RUN /opt/chladni/bin/python sbom.py chladni/audio-features 0.1.0 > /opt/chladni/sbom.cdx.json

FROM ${PYTHON_IMAGE}
ARG REVISION=""
LABEL org.opencontainers.image.title="chladni/audio-features" \
    org.opencontainers.image.description="Turns sound into spectrograms, descriptors and embeddings" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 chladni \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin chladni
COPY --from=build /opt/chladni /opt/chladni
COPY deploy/docker/healthcheck.py /opt/chladni/
ENV PATH=/opt/chladni/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OMP_WAIT_POLICY=PASSIVE \
    GRPC_VERBOSITY=NONE \
    CHLADNI_REVISION="${REVISION}" \
    NUMBA_CACHE_DIR=/tmp/numba \
    CHLADNI_AUDIO_FEATURES_HOST=0.0.0.0
USER 10001:10001
EXPOSE 50051 9101
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "/opt/chladni/healthcheck.py", "127.0.0.1:50051", "chladni.audio.v1.AudioFeatureService"]
ENTRYPOINT ["python", "-m", "chladni_audio_features"]
