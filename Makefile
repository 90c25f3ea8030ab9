# Every target can be run by hand; .ci/run runs them all but bench.
TARGETS ?=
GO ?= go
FUZZTIME ?= 20s
TOOLS := $(CURDIR)/.tools
STATICCHECK := $(TOOLS)/staticcheck

.PHONY: help build test race lint fuzz faults model crash powercut cross demo bench packages test-packages smb clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## the program, for this machine
	CGO_ENABLED=0 $(GO) build -trimpath -o brodaemon ./cmd/brodaemon

test: ## all tests
	$(GO) test ./...

race: ## all tests with the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race ./...

lint: $(STATICCHECK) ## gofmt, vet for Linux and Windows, staticcheck for both
	@test -z "$$(gofmt -l cmd internal packaging)" || { gofmt -l cmd internal packaging; echo "gofmt would change these"; exit 1; }
	GOOS=linux $(GO) vet ./...
	GOOS=windows $(GO) vet ./...
	GOOS=linux $(STATICCHECK) ./...
	GOOS=windows $(STATICCHECK) ./...
	GOOS=linux $(GO) vet -tags linuxroot ./internal/watch ./internal/faults
	GOOS=linux $(STATICCHECK) -tags linuxroot ./internal/watch ./internal/faults

$(STATICCHECK):
	GOBIN=$(TOOLS) $(GO) install honnef.co/go/tools/cmd/staticcheck@v0.8.2

# go test sometimes calls it a failure that the time was over in the middle of an
# input; a real one leaves that input behind and says where.
fuzz: ## each fuzz target for FUZZTIME (default 20s)
	@out=$$(mktemp) && trap 'rm -f "$$out"' EXIT && $(GO) list ./... | while read -r pkg; do \
		for target in $$($(GO) test -list '^Fuzz' "$$pkg" | grep '^Fuzz'); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg" >"$$out" 2>&1 && { tail -n 2 "$$out"; continue; }; \
			cat "$$out"; \
			grep -qx ' *context deadline exceeded' "$$out" && ! grep -q 'Failing input' "$$out" || exit 1; \
			echo "its time was over in the middle of an input; nothing was found"; \
		done; \
	done

faults: ## the daemon on file systems that fail for real (root, Linux)
	$(GO) test -count=1 -parallel 8 -tags linuxroot ./internal/watch ./internal/faults

crash: ## kill the daemon at every crash point and at random moments: ROUNDS=, DOCS=, KILLS=, SEED=
	$(GO) test -count=1 -timeout 0 -run 'TestCrash' -v ./internal/daemon -crash.rounds=$${ROUNDS:-3} \
		-crash.docs=$${DOCS:-120} -crash.kills=$${KILLS:-60} -crash.seed=$${SEED:-0}

model: ## the whole daemon against a model, for STEPS steps (default 10000): SEED=
	$(GO) test -count=1 -timeout 0 -run 'TestDeliveredOnce' -v ./internal/daemon -model.steps=$${STEPS:-10000} -rapid.seed=$${SEED:-0}

powercut: ## drop what was not synced: CUTS=, DOCS=, SEED= (root)
	$(GO) test -count=1 -timeout 0 -tags linuxroot -run 'TestPowerCut' -v ./internal/daemon \
		-cut.cuts=$${CUTS:-60} -cut.docs=$${DOCS:-80} -crash.seed=$${SEED:-0}

cross: ## the program for every system it is made for
	@for target in linux/amd64 linux/arm64 windows/amd64; do \
		echo "$$target"; \
		CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) build -trimpath -o dist/$$target/ ./cmd/brodaemon || exit 1; \
	done

demo: ## the demo, to its end
	$(GO) run ./cmd/brodaemon demo --once

bench: ## speed, fsyncs and memory against the in-process sandbox; see docs/performance.md
	$(GO) run ./internal/bench

packages: $(TOOLS)/nfpm $(TOOLS)/go-winres ## deb, rpm, MSI, zip, tar.gz, SBOM and checksums in dist/packages (needs wixl)
	TOOLS=$(TOOLS) TARGETS="$(TARGETS)" packaging/package.sh

test-packages: ## live the packages' lives: the deb under systemd, exe and MSI under Wine (root, after make packages)
	packaging/test/systemd.sh
	packaging/test/wine.sh

smb: ## deliver from kernel CIFS and NFS mounts whose server dies and freezes (root, minutes)
	packaging/test/smb.sh

$(TOOLS)/nfpm: # newer ones need a module that proxies refuse
	GOBIN=$(TOOLS) $(GO) install github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.0

$(TOOLS)/go-winres:
	GOBIN=$(TOOLS) $(GO) install github.com/tc-hib/go-winres@v0.3.3

clean: ## remove what the other targets made
	rm -rf brodaemon brodaemon.exe dist .tools
