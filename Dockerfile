# The image of the operator: one static binary and the certificates of public authorities, on nothing. It is compiled on
# the builder's own architecture, whichever it is for, so that no emulator is needed.
FROM --platform=$BUILDPLATFORM docker.io/library/rust:1.95.0-slim-bookworm AS build
# Without what rust-toolchain.toml asks for beyond a compiler.
ENV RUSTUP_TOOLCHAIN=1.95.0
RUN rustup target add x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu
# The allocator and the cryptography are partly C.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
        gcc-x86-64-linux-gnu libc6-dev-amd64-cross gcc-aarch64-linux-gnu libc6-dev-arm64-cross make \
    && rm -rf /var/lib/apt/lists/*
# Writes the list of crates into the binary, where scanners find it.
RUN cargo install --locked cargo-auditable@0.7.7
WORKDIR /source
COPY . .
ARG TARGETARCH
RUN CARGO="cargo auditable" .cargo/release.sh "$TARGETARCH" /fluxsec

# `docker build --target binary --output .` leaves the binary that the image has.
FROM scratch AS binary
COPY --from=build /fluxsec /fluxsec

FROM scratch
LABEL org.opencontainers.image.title="Flux Security Operator" \
    org.opencontainers.image.source="https://github.com/flux-security-operator/flux-security-operator" \
    org.opencontainers.image.licenses="Apache-2.0"
COPY --chmod=0644 LICENSE /licenses/LICENSE
# For a kubeconfig that names no authority of its own.
COPY --chmod=0644 --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --chmod=0755 --from=build /fluxsec /usr/local/bin/fluxsec
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/fluxsec"]
