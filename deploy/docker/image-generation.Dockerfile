# The image of image-generation: conditioning to image. One file for CPU and for GPU nodes.
# The build context is the root of the repository:
#     docker build -f deploy/docker/image-generation.Dockerfile -t chladni/image-generation:0.1.0 .
# TORCH_INDEX_ARGUMENTS chooses the build of PyTorch: "--index-url URL" with the URL that PyTorch's own
# installation page gives for CPU or for a CUDA version. Without it pip takes the index's default build,
# which on Linux brings CUDA: it runs on either kind of node, but is several gigabytes larger.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/chladni
WORKDIR /build
COPY requirements/constraints.txt requirements/
# An argument may be several words, so it stays unquoted; constraints.txt has the version.
ARG TORCH_INDEX_ARGUMENTS=""
# hadolint ignore=DL3013,SC2086
RUN python -m pip --python /opt/chladni/bin/python install -c requirements/constraints.txt \
    ${TORCH_INDEX_ARGUMENTS} torch
COPY protos/gen/python protos/gen/python
COPY protos/contract protos/contract
COPY services/runtime services/runtime
COPY services/image_generation services/image_generation
RUN python -m pip --python /opt/chladni/bin/python install -c requirements/constraints.txt \
    ./protos/gen/python ./protos/contract "./services/runtime[tracing]" ./services/image_generation
COPY deploy/docker/sbom.py ./
RUN /opt/chladni/bin/python sbom.py chladni/image-generation 0.1.0 > /opt/chladni/sbom.cdx.json

FROM ${PYTHON_IMAGE}
ARG REVISION=""
LABEL org.opencontainers.image.title="chladni/image-generation" \
    org.opencontainers.image.description="Turns embeddings of sound into images" \
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
    CHLADNI_IMAGE_GENERATION_HOST=0.0.0.0
USER 10001:10001
EXPOSE 50052 9102
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "/opt/chladni/healthcheck.py", "127.0.0.1:50052", "chladni.image.v1.ImageGenerationService"]
ENTRYPOINT ["python", "-m", "chladni_image_generation"]
