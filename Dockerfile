# An image of the dynamic build with OpenSSL 3.5 of Debian 13, whose private operations with 3072 and 4096
# bits take half of the time of OpenSSL 3.0:
#
#	docker build -t sealane .
#	docker run --rm sealane version
#
# It runs as the user sealane (10001) and reads /etc/sealane/sealane.yaml. docs/gateway-running.md says which
# folders it needs.
FROM golang:1.26-trixie AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -tags sealane_dlopen -trimpath -o /sealane ./cmd/sealane

FROM debian:trixie-slim
RUN apt-get update \
	&& apt-get install -y --no-install-recommends ca-certificates libssl3t64 \
	&& rm -rf /var/lib/apt/lists/* \
	&& useradd --uid 10001 --home-dir /var/lib/sealane --create-home sealane
COPY --from=build /sealane /usr/local/bin/sealane
ENV SEALANE_RSA=openssl
USER sealane
WORKDIR /var/lib/sealane
ENTRYPOINT ["/usr/local/bin/sealane"]
CMD ["serve", "-c", "/etc/sealane/sealane.yaml"]
