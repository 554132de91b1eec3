# envbuild: `make help` lists what there is.
MODE    ?= release
BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
CC      := $(if $(filter fuzz,$(MODE)),clang,gcc)
MUSL_CC ?= musl-gcc
# V=1 shows the commands.
Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-6s %s\n' $(1) $(2))
VERSION := $(shell cat VERSION)

B := $(BUILD)/$(MODE)
ROOMS := base solver images builder packer cli

PKGS := libsolv libarchive libcurl yaml-0.1 libzstd libcrypto libdeflate libsquashfs1

CPPFLAGS := -D_GNU_SOURCE -I. -DENVBUILD_VERSION='"$(VERSION)"'
CFLAGS_common  := -std=c11 -g -pthread -Wall -Wextra -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wimplicit-fallthrough -Werror
CFLAGS_release := -O2 -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
	-fcf-protection -fPIE
CFLAGS_debug   := -O0 -fPIE
CFLAGS_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
CFLAGS_fuzz    := -O1 -fsanitize=fuzzer-no-link,address,undefined -DFUZZING
CFLAGS_cov     := -O0 --coverage
LDFLAGS_release := -pie -Wl,-z,relro,-z,now,-z,noexecstack
LDFLAGS_debug   := -pie
LDFLAGS_asan    := -fsanitize=address,undefined
LDFLAGS_fuzz    := -fsanitize=address,undefined
LDFLAGS_cov     := --coverage

CFLAGS  := $(CFLAGS_common) $(CFLAGS_$(MODE))
LDFLAGS := -pthread $(LDFLAGS_$(MODE))
# Asked when first needed, and once: `make deps` may have to bring pkg-config itself.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PKGS)) \
	-DSQUASHFS_VERSION='"$$(shell pkg-config --modversion libsquashfs1)"')$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $$(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)

# Rooms a room may use, itself included: the include direction of the house.
USES_base    := base
USES_solver  := solver base
USES_images  := images base
USES_builder := builder solver images base
USES_packer  := packer builder solver images base
USES_cli     := cli packer builder solver images base

SRC   := $(foreach r,$(ROOMS),$(wildcard $(r)/*.c))
OBJ   := $(SRC:%.c=$(B)/%.o)
LIBS  := $(ROOMS:%=$(B)/lib%.a)
UNIT  := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/*.c))
TOOLS := $(patsubst tests/tools/%.c,$(B)/tools/%,$(wildcard tests/tools/*.c))
FUZZ  := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(filter-out %/replay.c,$(wildcard tests/fuzz/*.c)))
MAN   := $(patsubst docs/man/%.scd,$(BUILD)/man/%,$(wildcard docs/man/*.scd))
libs_of = $(patsubst %,$(B)/lib%.a,$(USES_$(1)))
room_of = $(firstword $(subst _, ,$(notdir $(1))))
# The libraries of the rooms whose headers a file includes.
libs_in = $(sort $(foreach r,$(shell sed -n 's,^\#include "\([a-z]*\)/.*,\1,p' $(1)),$(call libs_of,$(r))))
link    = -Wl,--start-group $(filter %.a,$^) -Wl,--end-group
# A recipe's own make: in parallel unless somebody has decided.
SUBMAKE = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: all
all: $(B)/envbuild ## build the program: build/envbuild
	@if [ $(MODE) = release ]; then ln -sf $(MODE)/envbuild $(BUILD)/envbuild; fi

# Whole archives: a name that two rooms define is an error here, not a silent choice.
$(B)/envbuild: $(LIBS) $(B)/flags
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ -Wl,--whole-archive $(LIBS) -Wl,--no-whole-archive $(PKG_LIBS)

include $(wildcard */module.mk)

define ROOM_LIB
$(B)/lib$(1).a: $$(patsubst %.c,$(B)/%.o,$$(wildcard $(1)/*.c))
	@rm -f $$@
	$$(call say,AR,$$@)
	$$(Q)ar rcsD $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call ROOM_LIB,$(r))))

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

# A unit test tests/unit/ROOM_what.c sees that room and those below it; a test tool and a fuzz
# target those that they include.
.PHONY: unit tools fuzz
unit: $(UNIT) ## build the unit tests
tools: $(TOOLS)
fuzz: $(FUZZ) ## build the fuzz targets (MODE=fuzz: libFuzzer; else: replay of inputs)
.SECONDEXPANSION:
$(B)/tests/%: tests/unit/%.c $(B)/flags $$(call libs_of,$$(call room_of,$$*))
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(link) -lcmocka $(PKG_LIBS)
$(B)/tools/%: tests/tools/%.c $(B)/flags $$(call libs_in,tests/tools/$$*.c)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(link) $(PKG_LIBS) $(LIBS_$*)
# What only a test is linked with.
LIBS_elf_judge := -lelf
FUZZ_MAIN := $(if $(filter fuzz,$(MODE)),-fsanitize=fuzzer,tests/fuzz/replay.c)
$(B)/fuzz/%: tests/fuzz/%.c $(wildcard tests/fuzz/replay.c tests/*.h) $(B)/flags $$(call libs_in,tests/fuzz/$$*.c)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) $(LDFLAGS) -o $@ $< $(FUZZ_MAIN) $(link) $(PKG_LIBS)

# What makes calls fail under the program (tests/fault/sweep.py).
$(B)/fault/shim.so: tests/fault/shim.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -g -O1 -Wall -Wextra -Werror -fPIC -shared -o $@ $<

# What the set-up commands of the README do; each installs what it needs first.
.PHONY: deps test check fuzz-run lint demo demo-target portable
deps: ## install the Debian packages that building and testing need
	tools/deps build test
TEST_PROGRAMS = unit tools fuzz $(B)/fault/shim.so $(if $(wildcard cli/*.c),all)
test: ## run every test, ending with `N passed, N failed, N skipped`
	tools/deps build test
	$(SUBMAKE) $(TEST_PROGRAMS)
	@tests/run --build $(BUILD) --mode $(MODE) $(TESTS)
check: ## the tests that are not slow, under ASan and UBSan
	tools/deps build test
	$(SUBMAKE) MODE=asan $(TEST_PROGRAMS)
	@tests/run --build $(BUILD) --mode asan --short $(TESTS)
.PHONY: fault
fault: ## fail every file system call in turn, and see what is left (slow)
	tools/deps build test
	$(SUBMAKE) all $(B)/fault/shim.so
	tests/fault/sweep.py $(B)/envbuild $(B)/fault/shim.so $(WAYS)
.PHONY: test-engines
test-engines: ## the sandbox, podman and docker side by side, at length
	tools/deps build test
	$(SUBMAKE) all tools
	@tests/run --build $(BUILD) --mode $(MODE) --jobs 1 scenario/engines scenario/engines_long scenario/prompts
.PHONY: bench
bench: ## time envbuild beside yardsticks of the same work, into build/bench.json
	tools/deps build test bench
	$(SUBMAKE) all tools
	@tests/bench/run $(BUILD) $(PARTS)
SECONDS ?= 60
fuzz-run: ## fuzz every target for SECONDS (60) each
	tools/deps build fuzz
	$(SUBMAKE) MODE=fuzz fuzz
	tools/fuzz $(BUILD)/fuzz/fuzz $(SECONDS)
lint: ## formatting, static analysis, include direction, banned names
	tools/deps build lint
	tools/lint
demo: ## build, make the demo channel, pack examples/python, run what was packed
	tools/deps build demo
	$(SUBMAKE) all
	examples/demo $(BUILD) host
demo-target: ## the same file packed for an older host, and refused for rhel6
	tools/deps build demo target
	$(SUBMAKE) all
	examples/demo $(BUILD) targets
portable: ## build/portable/: a program for every x86_64 host from glibc 2.17 on
	tools/deps build
	$(SUBMAKE) all
	portable/make $(BUILD)/envbuild $(BUILD)/portable
test-fresh: ## `make demo` and `make test` in a fresh Debian 12 chroot (slow)
	tools/deps test
	tests/scenario/chroot.sh

.PHONY: man install
man: $(MAN) ## build the manual pages
$(BUILD)/man/%: docs/man/%.scd
	@mkdir -p $(@D)
	$(call say,MAN,$@)
	$(Q)scdoc < $< > $@
install: all man ## install program, target profiles and manual pages below PREFIX
	install -D -m 755 $(B)/envbuild $(DESTDIR)$(PREFIX)/bin/envbuild
	install -d $(DESTDIR)$(PREFIX)/share/envbuild/targets $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 images/targets/*.yml $(DESTDIR)$(PREFIX)/share/envbuild/targets
	install -m 644 $(MAN) $(DESTDIR)$(PREFIX)/share/man/man1

# Changed flags rebuild everything of their mode.
FLAGS_NOW := $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)
.PHONY: force
$(B)/flags: force
	@pkg-config --exists $(PKGS) 2>/dev/null && command -v $(MUSL_CC) >/dev/null || { \
		echo "the libraries that envbuild is built with are not all here: run 'make deps'" >&2; exit 1; }
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || echo '$(subst ','\'',$(FLAGS_NOW))' > $@

.PHONY: clean help
clean: ## remove what was built
	rm -rf $(BUILD)
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

-include $(OBJ:.o=.d) $(UNIT:=.d) $(TOOLS:=.d)
