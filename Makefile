CARGO ?= cargo

.PHONY: help demo test lint generate
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: ## the operator at work, on a Kubernetes of its own or on the cluster of KUBECONFIG
	$(CARGO) build --locked --bin fluxsec
	$(CARGO) run --locked --quiet --example demo

test: ## run every test
	$(CARGO) test --locked

lint: ## formatting and clippy
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

generate: ## write CRDs and RBAC from the code
	$(CARGO) run --locked --quiet -- generate
