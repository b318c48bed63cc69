# The image of the operator: one static binary and the certificates of public authorities. It is compiled on the
# builder's own architecture, whichever it is for, so that no emulator is needed.
FROM --platform=$BUILDPLATFORM docker.io/library/rust:1.95.0-slim-bookworm AS build
# Without what rust-toolchain.toml asks for beyond a compiler.
ENV RUSTUP_TOOLCHAIN=1.95.0
# The allocator and the cryptography are partly C.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        gcc-x86-64-linux-gnu libc6-dev-amd64-cross gcc-aarch64-linux-gnu libc6-dev-arm64-cross make \
    && rm -rf /var/lib/apt/lists/*
# Writes the list of crates into the binary, where scanners find it.
RUN cargo install --locked cargo-auditable@0.7.7
WORKDIR /source
COPY . .
ARG TARGETARCH
# Pages of arm64 are up to 64 KiB large.
RUN case "$TARGETARCH" in \
        amd64) target=x86_64-unknown-linux-gnu cc=x86_64-linux-gnu-gcc ;; \
        arm64) target=aarch64-unknown-linux-gnu cc=aarch64-linux-gnu-gcc; export JEMALLOC_SYS_WITH_LG_PAGE=16 ;; \
        *) echo "no target for the architecture '$TARGETARCH'" >&2; exit 1 ;; \
    esac; \
    variable=$(echo "$target" | tr a-z- A-Z_) \
    && export "CARGO_TARGET_${variable}_LINKER=$cc" "CC_$(echo "$target" | tr - _)=$cc" \
    && export RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=$CARGO_HOME=cargo --remap-path-prefix=/source=." \
    && rustup target add "$target" \
    && cargo auditable build --locked --release --target "$target" --bin fluxsec \
    && cp "target/$target/release/fluxsec" /fluxsec

# `docker build --target binary --output .` leaves the binary that the image has.
FROM scratch AS binary
COPY --from=build /fluxsec /fluxsec

FROM gcr.io/distroless/static-debian12:nonroot
COPY LICENSE /licenses/LICENSE
COPY --from=build /fluxsec /usr/local/bin/fluxsec
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/fluxsec"]
