# envbuild: `make help` lists what there is.
MODE    ?= release
BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
CC      := $(if $(filter fuzz,$(MODE)),clang,gcc)
MUSL_CC ?= musl-gcc
VERSION := $(shell cat VERSION)

B := $(BUILD)/$(MODE)
ROOMS := base solver images builder packer cli

PKGS := libsolv libarchive libcurl yaml-0.1 libzstd libcrypto libelf libdeflate

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
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   = $(shell pkg-config --libs $(PKGS))

# Rooms a room may use, itself included: the include direction of the house.
USES_base    := base
USES_solver  := solver base
USES_images  := images base
USES_builder := builder solver images base
USES_packer  := packer builder solver images base
USES_cli     := cli packer builder solver images base

SRC  := $(foreach r,$(ROOMS),$(wildcard $(r)/*.c))
OBJ  := $(SRC:%.c=$(B)/%.o)
LIBS := $(ROOMS:%=$(B)/lib%.a)
UNIT := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/*.c))
libs_of = $(patsubst %,$(B)/lib%.a,$(USES_$(1)))
room_of = $(firstword $(subst _, ,$(notdir $(1))))

.PHONY: all
all: $(B)/envbuild ## build the program: build/envbuild
	@if [ $(MODE) = release ]; then ln -sf $(MODE)/envbuild $(BUILD)/envbuild; fi

$(B)/envbuild: $(LIBS) $(B)/flags
	$(CC) $(LDFLAGS) -o $@ -Wl,--start-group $(LIBS) -Wl,--end-group $(PKG_LIBS)

define ROOM_LIB
$(B)/lib$(1).a: $$(patsubst %.c,$(B)/%.o,$$(wildcard $(1)/*.c))
	@rm -f $$@
	ar rcsD $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call ROOM_LIB,$(r))))

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

# A unit test tests/unit/ROOM_what.c sees that room and those below it.
.PHONY: unit
unit: $(UNIT) ## build the unit tests
.SECONDEXPANSION:
$(B)/tests/%: tests/unit/%.c $(B)/flags $$(call libs_of,$$(call room_of,$$*))
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lcmocka $(PKG_LIBS)

# Changed flags rebuild everything of their mode.
FLAGS_NOW := $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)
.PHONY: force
$(B)/flags: force
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || echo '$(subst ','\'',$(FLAGS_NOW))' > $@

.PHONY: clean help
clean: ## remove what was built
	rm -rf $(BUILD)
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

-include $(OBJ:.o=.d) $(UNIT:=.d)
