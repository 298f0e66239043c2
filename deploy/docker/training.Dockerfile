# The image of the training jobs: that of image-generation, with chladni-train.
# The build context is the root of the repository; SERVICE_IMAGE is the image of image-generation to build on:
#     docker build -f deploy/docker/training.Dockerfile -t chladni/training:0.1.0 .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG SERVICE_IMAGE=chladni/image-generation:0.1.0

# hadolint ignore=DL3006
FROM ${SERVICE_IMAGE} AS service

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
COPY --from=service /opt/chladni /opt/chladni
WORKDIR /build
COPY requirements/constraints.txt requirements/
COPY services/training services/training
RUN python -m pip --python /opt/chladni/bin/python install -c requirements/constraints.txt ./services/training scipy
COPY deploy/docker/sbom.py ./
RUN /opt/chladni/bin/python sbom.py chladni/training 0.1.0 > /opt/chladni/sbom.cdx.json

# hadolint ignore=DL3006
FROM ${SERVICE_IMAGE}
LABEL org.opencontainers.image.title="chladni/training" \
    org.opencontainers.image.description="Trains the models of Chladni"
COPY --from=build /opt/chladni /opt/chladni
HEALTHCHECK NONE
ENTRYPOINT ["chladni-train"]
