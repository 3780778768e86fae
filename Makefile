# Thin: every line calls CMake or local/. `make help` lists what there is.
PRESET ?= release
BIN := build/$(PRESET)
JOBS ?= 2
TEST_JOBS ?= 4

.DEFAULT_GOAL := help
.PHONY: help deps build demo up down status test slow unit chaos cifs compose bench deb install format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {gsub(/\$$\$$/, "$$"); printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo 'variables: PRESET=release|debug|asan|tsan  RAW=<folder> (demo)  BENCH=smoke|copy|watch|tasks|latency|slurm|sizes|store|compose (bench)  SEED=n KILLS=n (chaos)  CASES=words (cifs)  PREFIX=<folder> (install)'

deps: ## install what is missing to build and to run the local world (root or sudo)
	@local/deps

build: deps ## compile into build/$(PRESET)
	@mkdir -p build && { cmake --preset $(PRESET) -DWERROR=$(if $(CI),ON,OFF) >build/.configure.log 2>&1 || { cat build/.configure.log; exit 1; }; }
	@cmake --build --preset $(PRESET) -j $(JOBS)

demo: build ## the whole pipeline with real servers and simulated instruments; RAW=<folder> takes real files
	@local/demo $(BIN)

up: build ## start the local world and keep it; then: set -a; eval "$$(local/env)"; set +a
	@local/world up && install -D -m 755 $(BIN)/msqc/trawl-msqc "$$(local/env | sed -n 's/^TRAWL_LOCATION_SOFTWARE_CLUSTER=//p')/trawl-msqc"

down: ## stop the local world; what it holds stays
	@local/world down

status: ## what of the local world runs
	@local/world status

# Most of a test's time is waiting, so twice as many run as there are cores.
test: build ## every test but the slow ones, against real servers of its own; ends with ctest's summary
	@ctest --test-dir $(BIN) --output-on-failure -LE slow -j $(TEST_JOBS)

slow: build ## the tests that take minutes each
	@ctest --test-dir $(BIN) --output-on-failure -L slow

unit: build ## only the tests that need no server
	@ctest --test-dir $(BIN) --output-on-failure -L unit -j $(JOBS)

chaos: build ## kill, cut, pause and fill everything, then prove that nothing was lost; SEED=n (1) KILLS=n (300)
	@TRAWL_TEST_BIN=$(CURDIR)/$(BIN) python3 tests/chaos/chaos.py --store-faults --seed $(or $(SEED),1) --kills $(or $(KILLS),300)

cifs: build ## the product on real CIFS mounts, in guests of its own (tests/cifs/README.md); CASES="short" takes some
	@TRAWL_TEST_BIN=$(CURDIR)/$(BIN) tests/cifs/run $(CASES)

compose: ## images and compose.yaml in real Docker engines of its own (root)
	@tests/compose/run

bench: build ## figures as JSON lines; BENCH=smoke (default) or another name in tests/bench
	@tests/bench/run $(BIN) $(or $(BENCH),smoke)

deb: build ## the Debian package, below build/$(PRESET)
	@cd $(BIN) && cpack -G DEB >cpack.log 2>&1 || { cat cpack.log; exit 1; }; ls $(CURDIR)/$(BIN)/*.deb

install: build ## install below PREFIX (default /usr/local)
	@cmake --install $(BIN) --prefix $(or $(PREFIX),/usr/local)

format: ## lay out the C sources
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean: down ## remove what was built; the local world goes down first
	@rm -rf build
