# The shipped profiles are part of targets.o (.incbin, which -MMD does not see).
$(B)/images/targets.o: $(wildcard images/targets/*.yml)
# So are the Dockerfiles, of dockerfiles.o.
$(B)/images/dockerfiles.o: $(wildcard Dockerfiles/*.Dockerfile)
