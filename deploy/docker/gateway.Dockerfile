# The image of the gateway: the REST API, the web page and the recipes.
# The build context is the root of the repository:
#     docker build -f deploy/docker/gateway.Dockerfile -t chladni/gateway:0.1.0 .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/chladni
WORKDIR /build
COPY requirements/constraints.txt requirements/
COPY protos/gen/python protos/gen/python
COPY protos/contract protos/contract
COPY services/runtime services/runtime
COPY services/gateway services/gateway
RUN python -m pip --python /opt/chladni/bin/python install -c requirements/constraints.txt \
    ./protos/gen/python ./protos/contract "./services/runtime[tracing]" "./services/gateway[film,redis,s3]"
COPY deploy/docker/sbom.py ./
RUN /opt/chladni/bin/python sbom.py chladni/gateway 0.1.0 > /opt/chladni/sbom.cdx.json

FROM ${PYTHON_IMAGE}
ARG REVISION=""
LABEL org.opencontainers.image.title="chladni/gateway" \
    org.opencontainers.image.description="The REST API, the web page and the recipes" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 chladni \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin chladni \
    && install -d -o 10001 -g 10001 /var/lib/chladni/images
COPY --from=build /opt/chladni /opt/chladni
COPY deploy/docker/healthcheck.py /opt/chladni/
ENV PATH=/opt/chladni/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OMP_WAIT_POLICY=PASSIVE \
    GRPC_VERBOSITY=NONE \
    CHLADNI_REVISION="${REVISION}" \
    CHLADNI_GATEWAY_HOST=0.0.0.0 \
    CHLADNI_GATEWAY_IMAGE_FOLDER=/var/lib/chladni/images
USER 10001:10001
EXPOSE 8000 50050 9100
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "/opt/chladni/healthcheck.py", "127.0.0.1:50050", "chladni.gateway.v1.ImageService"]
ENTRYPOINT ["python", "-m", "chladni_gateway"]
