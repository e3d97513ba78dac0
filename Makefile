# Swift's own commands work as ever (`swift build`, `swift test`); these add set-up, servers and checks.

# One debug build serves the package and its examples.
swift_examples := swift build --package-path Examples --scratch-path $(CURDIR)/.build --disable-build-manifest-caching
ONLY ?=
# How many tests run at once. Without a bound all of them do, and each waits longer for its turn than any limit in it allows for.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 8

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo smoke test lint format bench tsan docs services-up services-down clean

help: ## this text
	@echo "make TARGET, where TARGET is"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## the profile service on embedded stores: needs no server, runs until Ctrl-C (installs what is missing)
	@Scripts/setup demo
	@echo "The first build takes some minutes."
	@$(swift_examples) --product profile-service
	@exec .build/debug/profile-service demo

smoke: ## the scripted scenario through the profile service, embedded and on real servers, which are killed
	@Scripts/setup test
	@Scripts/python
	@Scripts/with-services Scripts/smoke

test: ## all tests, against private servers; fails where one is skipped (installs what is missing)
	@Scripts/setup test
	@Scripts/python
	@Scripts/with-services Scripts/test

lint: ## format, warnings and undeclared imports as errors, the arrows between targets
	@Scripts/setup test
	@Scripts/lint

format: ## rewrites the sources by .swift-format
	@git ls-files -z '*.swift' | xargs -0 swift format --in-place --parallel

bench: ## the benchmarks beside their peers; ONLY=redis runs one of them
	@Scripts/setup bench
	@Scripts/python
	@Scripts/with-services Scripts/bench $(ONLY)

tsan: ## the tests under the thread sanitizer, in .build-tsan
	@Scripts/setup test
	@Scripts/python
	@Scripts/with-services Scripts/tsan

docs: ## the reference of every library, in .build/docs
	@Scripts/docs

services-up: ## the tests' private servers; then: source .services/env && swift test
	@Scripts/setup test
	@Scripts/python
	@Scripts/services up

services-down: ## ends them
	@Scripts/services down

clean: services-down ## removes what builds and servers have left
	@rm -rf .build .build-* .services Examples/.build Benchmarks/.build Tests/Linkage/.build
