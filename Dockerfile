# sextant alone: one binary, no shell, not root. The store is in /var/lib/sextant, so mount a volume there.
FROM rust:1.95-slim-bookworm AS build
# ring, aws-lc and SQLite are C.
RUN apt-get update && apt-get install -y --no-install-recommends cmake g++ make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin sextant && mkdir -p /empty/sextant

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/sextant /usr/local/bin/sextant
COPY --from=build --chown=65532:65532 /empty/sextant /var/lib/sextant
USER 65532:65532
WORKDIR /var/lib/sextant
EXPOSE 9469
HEALTHCHECK --interval=30s --timeout=6s --start-period=60s CMD ["/usr/local/bin/sextant", "health"]
ENTRYPOINT ["/usr/local/bin/sextant"]
CMD ["run", "--config", "/etc/sextant/sextant.toml"]
