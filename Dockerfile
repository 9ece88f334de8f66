# A connector and nothing else: a static program, run by a user without rights.
#
#   docker build -t ilp-connector .
#   docker run -v books:/data -e CONNECTOR_ILP_ADDRESS=test.alice -e CONNECTOR_ACCOUNTS='{}' ilp-connector
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/ilp-connector ./cmd/ilp-connector && mkdir /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/ilp-connector /ilp-connector
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
VOLUME /data
ENV CONNECTOR_STORE_PATH=/data/connector.db CONNECTOR_ADMIN_API=true
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/ilp-connector", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/ilp-connector"]
