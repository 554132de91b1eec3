# The static bin/conda-unpack, and what libpacker.a holds beside packer/*.c: the relocator, compiled
# a second time for envbuild itself, and the files that travel in every archive.
RELOCATOR := packer/relocator
RELOCATOR_SHARED := encoding index file tree host
UNPACK_PROGRAM := $(B)/$(RELOCATOR)/conda-unpack
EMBEDDED := $(foreach s,sh csh fish,packer/activate/activate.$(s) packer/activate/deactivate.$(s)) \
	$(UNPACK_PROGRAM)

# Neither paths nor build ids enter it: every build of one source gives the same bytes.
CFLAGS_unpack := -std=c11 -Os -Wall -Wextra -Wshadow -Werror -fstack-protector-strong \
	-ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
LDFLAGS_unpack := -static -s -Wl,--gc-sections,--build-id=none,-z,noexecstack

$(UNPACK_PROGRAM): $(RELOCATOR)/conda_unpack.c $(RELOCATOR_SHARED:%=$(RELOCATOR)/%.c) \
		$(RELOCATOR)/relocate.h $(RELOCATOR)/host.h images/libc_places.h packer/module.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(MUSL_CC) -D_GNU_SOURCE -I. $(CFLAGS_unpack) $(LDFLAGS_unpack) -o $@ $(filter %.c,$^)

$(B)/$(RELOCATOR)/embed.o: $(RELOCATOR)/embed.S $(EMBEDDED) $(B)/flags
	$(call say,CC,$@)
	$(Q)$(CC) -DCONDA_UNPACK='"$(UNPACK_PROGRAM)"' -c -o $@ $<

$(B)/libpacker.a: $(RELOCATOR_SHARED:%=$(B)/$(RELOCATOR)/%.o) $(B)/$(RELOCATOR)/embed.o
-include $(RELOCATOR_SHARED:%=$(B)/$(RELOCATOR)/%.d)
$(B)/packer/spdx.o: packer/spdx/licenses packer/spdx/exceptions
# The page of the audit is part of an object (.incbin, which -MMD does not see).
$(B)/packer/audit_html.o: $(wildcard packer/audit_html.html packer/audit_html.css packer/audit_html.js)
