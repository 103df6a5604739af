# The front door. Meson builds, scripts/setup installs, tools/run_tests.ts counts; this file says in which order.
MAKEFLAGS += --no-print-directory --no-builtin-rules
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

BUN := node_modules/.bin/bun
JOBS := $(shell nproc)
export PKG_CONFIG_PATH := $(CURDIR)/build/deps/pkgconfig$(if $(PKG_CONFIG_PATH),:$(PKG_CONFIG_PATH))

RELEASE :=
ASAN := -Dtests=true -Dbuildtype=debug -Doptimization=1 -Db_sanitize=address,undefined
TSAN := -Dtests=true -Dbuildtype=debug -Doptimization=1 -Db_sanitize=thread
CLANG := -Dtests=true
GCC := -Dtests=true
FUZZ := -Dfuzz=true -Dbuildtype=debug -Doptimization=1 -Db_sanitize=address,undefined

# $(call compile,folder,options): configures when there is nothing yet or the list of sources has changed, then builds.
define compile
@mkdir -p build; \
{ tools/gen/sources src tests/unit tests/wire tests/fuzz; echo '$(2)'; ls -d build/deps build/web.assets src/i18n/*.json 2>/dev/null || true; } >build/$(1).list.new; \
if [ ! -f build/$(1)/build.ninja ] || ! cmp -s build/$(1).list.new build/$(1).list; then \
	rm -f build/$(1).list; \
	meson setup $$([ ! -f build/$(1)/build.ninja ] || echo --reconfigure) $(2) build/$(1) >build/$(1).log 2>&1 \
		|| { cat build/$(1).log; exit 1; }; \
	mv build/$(1).list.new build/$(1).list; \
fi; \
rm -f build/$(1).list.new; \
ninja --quiet -C build/$(1) | { grep -v 'no work to do' || true; }
endef

.PHONY: all build run test check fmt clean setup setup-test setup-all release asan tsan gcc clang \
	bench fuzz matrix web web-dev web-types pictures dist crash cluster outage faults soak agents logs traffic growth

all: build

build: setup
	@$(MAKE) web
	@$(MAKE) release

setup setup-test setup-all:
	@scripts/setup $(or $(patsubst setup-%,%,$(filter-out setup,$@)),build)

release:
	$(call compile,release,$(RELEASE))
	@[ -f src/main.c ] || { echo "no program yet: there is no src/main.c" >&2; exit 1; }
	@ln -f build/release/token-factory build/token-factory
	@ln -sfn build/release/compile_commands.json compile_commands.json

asan:
	$(call compile,asan,$(ASAN))
	@ln -sfn build/asan/compile_commands.json compile_commands.json

tsan:
	$(call compile,tsan,$(TSAN))

gcc:
	$(call compile,gcc,$(GCC))

clang: export CC := clang-19
clang:
	$(call compile,clang,$(CLANG))

run: build
	@exec build/token-factory

test: setup-test
	@$(MAKE) web
	@$(MAKE) asan tsan
	@$(BUN) tools/run_tests.ts

check: setup-all
	@$(MAKE) gcc
	@$(MAKE) clang fuzz-build
	@tools/check_all

# Which features are proven in which pair of dialects, by the cases of tests/wire.
matrix: setup-test
	@$(BUN) tools/check_dialects.ts --write

fmt: setup-all
	@find src tests bench -name '*.[ch]' -print0 2>/dev/null | xargs -0 -r clang-format-19 -i
	@node_modules/.bin/prettier --log-level warn --write .

clean:
	@if [ -d build ]; then find build -mindepth 1 -maxdepth 1 ! -name deps -exec rm -rf {} +; fi
	@rm -f compile_commands.json

# Everything that was put off is measured too: bench/README.md. QUICK=1 is for trying out.
bench: build
	@scripts/setup bench
	@ninja --quiet -C build/release bench/bench-mock bench/bench-load | { grep -v 'no work to do' || true; }
	@$(BUN) bench/run.ts

# The proofs, see tests/README.md.
PROOF := setup-test release
comma := ,

crash: $(PROOF)
	@$(BUN) tests/crash/crash.ts --rounds $(or $(ROUNDS),20)

# Real agents from npm, see tests/README.md.
agents: $(PROOF)
	@$(BUN) tests/agents/agents.ts

cluster: $(PROOF)
	@$(BUN) tests/cluster/cluster.ts --rounds $(or $(ROUNDS),8)

# The database is away for so long.
outage: $(PROOF)
	@$(BUN) tests/outage/outage.ts --minutes $(or $(MINUTES),10) --database $(or $(DATABASE),postgres)

faults: $(PROOF)
	@$(BUN) tests/faults/faults.ts

soak: $(PROOF)
	@$(BUN) tests/soak/soak.ts --minutes $(or $(MINUTES),2)

# Pages of a log of so many rows, on every database.
logs: $(PROOF)
	@$(BUN) tests/scale/logs.ts --rows $(or $(ROWS),1000000) --on $(or $(ON),sqlite$(comma)postgres$(comma)mysql)

# What the database and Redis see of a thousand requests; what a node's memory grows by.
traffic: $(PROOF)
	@$(BUN) tests/scale/traffic.ts --on $(or $(ON),postgres$(comma)mysql)

growth: $(PROOF)
	@$(BUN) tests/scale/growth.ts --keys $(or $(KEYS),100000) --channels $(or $(CHANNELS),10000)

fuzz: setup-all
	@$(MAKE) fuzz-build
	@$(BUN) tests/fuzz/fuzz.ts --seconds $(or $(SECONDS),60)

fuzz-build: export CC := clang-19
fuzz-build:
	$(call compile,fuzz,$(FUZZ))

# The console. Its packages are Bun's; what it is built from is listed here, so that nothing is done twice.
WEB_SOURCES = $(shell find web/src web/public web/index.html web/vite.config.ts -type f 2>/dev/null)

web: build/web.assets

web/node_modules/.installed: web/package.json web/bun.lock
	@cd web && ../$(BUN) install --frozen-lockfile --silent --ignore-scripts
	@touch $@

build/web.assets: web/node_modules/.installed $(WEB_SOURCES) tools/gen/assets.ts
	@mkdir -p build
	@cd web && ../$(BUN) --bun node_modules/.bin/vite build --logLevel warn >../build/web.log 2>&1 || { cat ../build/web.log; exit 1; }
	@$(BUN) tools/gen/assets.ts $@.new web/dist && mv $@.new $@

# Vite on port 5173, with everything that is not the console's from the program on BACKEND.
BACKEND := http://127.0.0.1:3000
web-dev: web/node_modules/.installed
	@cd web && BACKEND=$(BACKEND) ../$(BUN) --bun node_modules/.bin/vite

# web/src/models/api.ts from what the program says about itself.
web-types:
	@$(BUN) web/scripts/api_types.ts build/token-factory

# The README's pictures of the console, of the program that is built.
pictures:
	@$(BUN) test --timeout 60000 ./tests/web/matrix.test.ts -t README
	@for name in dashboard log; do cp build/screenshots/readme-$$name.png docs/images/console-$$name.png; done

dist:
	@echo "make $@: not built yet" >&2; exit 2
