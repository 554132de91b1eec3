# The shipped profiles are part of targets.o (.incbin, which -MMD does not see).
$(B)/images/targets.o: $(wildcard images/targets/*.yml)
