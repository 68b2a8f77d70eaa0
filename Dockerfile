# syntax=docker/dockerfile:1
# docker build -t keysweep .                    the program alone: no shell, no git, no network code
# docker build -t keysweep --target shell .     with a shell and git, for CI services that run scripts in the image
#
#     docker run --rm --network none --user "$(id -u):$(id -g)" -v "$PWD:/src:ro" keysweep git /src
#
# Rust's Alpine image builds for musl: the program is static.
FROM rust:1.95-alpine AS build
WORKDIR /keysweep
COPY . .
ENV CARGO_PROFILE_RELEASE_DEBUG=none CARGO_PROFILE_RELEASE_STRIP=symbols
RUN cargo build --locked --release --no-default-features --bin keysweep \
    && cp target/release/keysweep /usr/local/bin/keysweep

FROM alpine:3.23 AS shell
# hadolint ignore=DL3018
RUN apk add --no-cache git && adduser -D -H -u 65532 keysweep
COPY --from=build /usr/local/bin/keysweep /usr/local/bin/keysweep
USER 65532:65532
WORKDIR /src
CMD ["keysweep", "scan", "."]

# The last stage is what a plain `docker build` gives. No certificates: nothing here reaches out.
FROM scratch
COPY --from=build /usr/local/bin/keysweep /usr/local/bin/keysweep
COPY LICENSE-APACHE LICENSE-MIT /licenses/
USER 65532:65532
WORKDIR /src
ENV PATH=/usr/local/bin
ENTRYPOINT ["/usr/local/bin/keysweep"]
CMD ["scan", "."]
