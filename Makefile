CARGO ?= cargo

.PHONY: help demo test test-browser test-faults fuzz bench bench-secrets lint generate image release-check
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: ## the operator at work, on a Kubernetes of its own or on the cluster of KUBECONFIG
	$(CARGO) build --locked --bin fluxsec
	$(CARGO) run --locked --quiet --example demo

test: ## run every test
	$(CARGO) test --locked

test-browser: ## the page of `fluxsec audit -o html` in Chromium
	$(CARGO) test --locked --test formats -- --ignored

test-faults: ## the faults that take minutes
	$(CARGO) test --locked --test faults -- --ignored

# How long `make fuzz` looks at each target, in seconds; which targets, and what finds more than panics: address costs memory
# and time, and finds what unsafe code of others does wrong.
FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?= audit archive files waivers reports expressions histories
FUZZ_SANITIZER ?= address
FUZZ = $(CARGO) +nightly fuzz run --fuzz-dir fuzz --sanitizer $(FUZZ_SANITIZER)
FUZZ_LIMITS = -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=20 -rss_limit_mb=1024
# What a target begins with beside its own corpus, and which words it knows.
audit_MORE = tests/shapes tests/detect -- -dict=fuzz/manifests.dict
files_MORE = tests/shapes fuzz/corpus/audit -- -dict=fuzz/manifests.dict
waivers_MORE = -- -dict=fuzz/manifests.dict
expressions_MORE = -- -dict=fuzz/expressions.dict
archive_MORE = --
reports_MORE = --
histories_MORE = --
fuzz: $(FUZZ_TARGETS:%=fuzz-%) ## what comes from outside under libFuzzer, beginning with the corpora

fuzz-%:
	@$(CARGO) +nightly fuzz --version >/dev/null 2>&1 || \
	{ echo "cargo-fuzz and a nightly toolchain are missing: cargo install cargo-fuzz; rustup toolchain install nightly"; exit 1; }
	mkdir -p fuzz/found/$*
	$(FUZZ) $* fuzz/found/$* fuzz/corpus/$* $($*_MORE) $(FUZZ_LIMITS)

bench: ## what it costs, beside what it could cost at best (docs/performance.md)
	$(CARGO) bench --locked --bench cost -- $(ARGS)

bench-secrets: ## how well secrets are found, and how fast, beside others (docs/secrets-benchmark.md)
	$(CARGO) bench --locked --bench secrets -- $(ARGS)

lint: ## formatting, clippy, and cargo-deny where it is installed
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --locked check && \
	$(CARGO) deny --locked --manifest-path fuzz/Cargo.toml --config deny.toml check; \
	else echo "cargo-deny is not installed: licences, duplicates and advisories are not checked"; fi

generate: ## write CRDs, RBAC, rules, dashboards and pages from the code
	$(CARGO) run --locked --quiet -- generate

# Of this machine, as images call it.
ARCHITECTURE ?= $(subst x86_64,amd64,$(subst aarch64,arm64,$(shell uname -m)))
COMPILED = target/compiled-$(ARCHITECTURE)
# Certificates of public authorities, where Debian has them.
AUTHORITIES ?= /etc/ssl/certs/ca-certificates.crt
# What of a release depends on time takes the commit's.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)

.PHONY: compiled
compiled:
	CARGO="$(CARGO)" .cargo/release.sh $(ARCHITECTURE) $(COMPILED)/fluxsec

image: compiled ## target/image: the image as an OCI layout, compiled here and put together by buildah
	mkdir -p $(COMPILED)/etc/ssl/certs
	cp $(AUTHORITIES) $(COMPILED)/etc/ssl/certs/ca-certificates.crt
	rm -rf target/image
	buildah build --isolation=chroot --build-context build=$(COMPILED) --platform linux/$(ARCHITECTURE) \
	--timestamp $(SOURCE_DATE_EPOCH) --tag oci:target/image .

release-check: compiled ## the release against its bounds: its size, how soon it lives, and what its image needs
	FLUXSEC=$(COMPILED)/fluxsec $(CARGO) test --locked --test release --test image -- --ignored --nocapture
