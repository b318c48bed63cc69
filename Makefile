CARGO ?= cargo

.PHONY: help test lint generate
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

test: ## run every test
	$(CARGO) test --locked

lint: ## formatting and clippy
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

generate: ## write CRDs and RBAC from the code
	$(CARGO) run --locked --quiet -- generate
