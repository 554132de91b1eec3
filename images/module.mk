# The shipped profiles, the Dockerfiles and the probe script are part of objects (.incbin, which -MMD does not see).
$(B)/images/targets.o: $(wildcard images/targets/*.yml)
$(B)/images/dockerfiles.o: $(wildcard Dockerfiles/*.Dockerfile)
$(B)/images/probe_script.o: images/probe.sh

# The first process of containers (images/inside/inside.h): static, for roots of any age.
INSIDE_INIT := $(B)/images/inside/init
$(INSIDE_INIT): images/inside/init.c images/inside/inside.h images/module.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(MUSL_CC) -D_GNU_SOURCE -I. -std=c11 -Os -Wall -Wextra -Wshadow -Werror \
		-fstack-protector-strong -static -s -Wl,--build-id=none,-z,noexecstack -o $@ $<
$(B)/images/inside/embed.o: images/inside/embed.S $(INSIDE_INIT) $(B)/flags
	$(call say,CC,$@)
	$(Q)$(CC) -DINSIDE_INIT='"$(INSIDE_INIT)"' -c -o $@ $<
$(B)/libimages.a: $(B)/images/inside/embed.o
