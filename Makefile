VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 10s

.PHONY: help build test cases planted vulncheck test-fast test-race test-heavy test-deploy test-k8s image man fault-worker lint fmt fuzz bench bench-go bench-footprint bench-peers fault-hooks bench-worker bench-latency bench-api bench-hooks bench-okq chaos services services-down

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## All binaries, into bin/
	go build -ldflags "-X main.version=$(VERSION)" -o bin/ ./cmd/...

test: ## Everything, with real services that are started and stopped (root on Debian; see CONTRIBUTING.md)
	@scripts/test

test-fast: ## The tests that need no services, without the race detector
	go test ./...

test-race: ## All tests but the heavy ones, against services that run already
	go test -race -shuffle=on -parallel 4 -timeout 15m ./...

test-heavy: ## The tests that take minutes (TestHeavy…) and a short chaos, against services that run already
	@packages=$$(grep -rl 'testenv\.Heavy(' --include='*_test.go' . | xargs -r dirname | sort -ru); \
	[ -z "$$packages" ] || PM_HEAVY=1 go test -run '^TestHeavy' -parallel 4 -timeout 60m $$packages
	cd bench && go vet ./... && go run ./chaos -d 20s -rows local

cases: ## The small inputs that once failed, one by one, with a table of what came (PM_BIN=folder tries other binaries)
	@scripts/cases

planted: ## Old faults put back one by one, and the tests that see each (with services of its own)
	@scripts/services run scripts/plant

test-deploy: ## The Kubernetes manifests, against strict schemas and the programs' own flags; no services needed
	@scripts/services deploy go test -count=1 ./deploy/...

test-k8s: ## The manifests on a real API server with its controllers (some 18 minutes and 4 GB the first time)
	@scripts/services deploy scripts/k8s go test -tags k8s -count=1 -v -timeout 15m ./deploy/k8s

man: ## Man pages and completions of all programs, into dist/man and dist/completions
	@scripts/man

image: ## Container images without Docker, as OCI layouts in dist/, and what is inside them
	@go run ./deploy/image --version "$(VERSION)" --out dist

fault-worker: ## 20,000 mails while SendGrid errs and processes are killed (PM_FAULT_SEED repeats a run)
	PM_HEAVY=1 PM_FAULT_MAILS=$${PM_FAULT_MAILS:-20000} go test -count=1 -parallel 1 -run '^TestHeavy' -v -timeout 60m ./internal/worker/faulttest

vulncheck: ## Known vulnerabilities of what the programs call (asks vuln.go.dev, or GOVULNDB)
	@scripts/vulncheck

lint: ## The linter, at the version that scripts/lint pins
	@scripts/lint

fmt: ## Format all Go files
	gofmt -w $$(git ls-files '*.go')

fuzz: ## Each fuzz target for FUZZTIME (10s)
	@scripts/fuzz $(FUZZTIME)

bench: ## Everything that is measured, onto bench/RESULTS.md, with services of its own; keep the machine quiet
	@scripts/services run scripts/bench

bench-go: ## The benchmarks beside the code
	go test -run '^$$' -bench . -benchmem ./...

bench-footprint: ## Each process' file, start and memory
	cd bench && go run ./footprint

bench-peers: ## postmaster against hibiken/asynq and riverqueue/river (PM_TEST_MONGO, PM_TEST_POSTGRES, PM_TEST_REDIS_SERVER)
	cd bench && go run ./peers

fault-hooks: ## 20,000 mails' events, shuffled and tripled, while pm-hooks and okqd are killed (PM_FAULT_SEED repeats a run)
	PM_HEAVY=1 PM_FAULT_MAILS=20000 go test -count=1 -run '^TestHeavyKilledHooks' -v -timeout 60m ./e2e

chaos: ## The whole system while everything goes wrong, with services of its own: CHAOS="-d 30m -seed 1"
	@scripts/services run sh -c 'cd bench && exec go run ./chaos $(CHAOS)'

bench-worker: ## pm-worker: drain and fold, against MongoDB (PM_TEST_MONGO)
	cd bench && go run ./worker

bench-latency: ## One email at a time, Enqueue to SendGrid: p50, p99 and the parts (PM_TEST_MONGO)
	cd bench && go run ./latency

bench-api: ## pm-api: Enqueue of 1 KiB onto okqd's disk, against a net/http server that only reads and answers
	cd bench && go run ./api

bench-hooks: ## pm-hooks: signed POSTs of 1,000 events onto okqd's disk, against a handler that only verifies
	cd bench && go run ./hooks

bench-okq: ## okqd, both engines, against the disk's and Redis' own speed (PM_TEST_REDIS_SERVER)
	cd bench && go run ./okq

services: ## Start Redis and a MongoDB server for tests, and leave them running
	@scripts/services up
	@scripts/services env

services-down: ## Stop them
	@scripts/services down
