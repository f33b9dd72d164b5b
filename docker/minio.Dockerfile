# The MinIO server from its Go module: the project is archived, and its images are no longer on Docker Hub.
#   docker build -f docker/minio.Dockerfile -t localhost/merstream/minio:2026-02-12 docker    then MINIO_IMAGE=localhost/merstream/minio:2026-02-12
# Build secret, optional: ca (PEM bundle of a private authority).
ARG GO_IMAGE=golang:1.24-bookworm@sha256:1a6d4452c65dea36aac2e2d606b01b4a029ec90cc1ae53890540ce6173ea77ac
ARG BASE_IMAGE=debian:bookworm-slim@sha256:4724b8cc51e33e398f0e2e15e18d5ec2851ff0c2280647e1310bc1642182655d

FROM ${GO_IMAGE} AS build
# The newest that the Go module proxy serves: the project's last commit. Its sums are checked against Go's database.
ARG MINIO=v0.0.0-20260212201848-7aac2a2c5b7c
RUN --mount=type=cache,target=/root/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export SSL_CERT_FILE=/run/secrets/ca; fi; \
    GOPATH=/root/go GOBIN=/out CGO_ENABLED=0 go install -trimpath -ldflags="-s -w" github.com/minio/minio@${MINIO}

FROM ${BASE_IMAGE}
# curl answers the health check, as in the project's own images. Versions are Debian's newest: its mirror keeps no others.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/minio /usr/bin/minio
ARG MINIO
LABEL org.opencontainers.image.title="MinIO, built from its Go module" \
      org.opencontainers.image.licenses="AGPL-3.0" \
      org.opencontainers.image.version="2026-02-12"
EXPOSE 9000
VOLUME ["/data"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["minio"]
CMD ["server", "/data"]
