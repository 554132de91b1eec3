# The shipped profiles, the Dockerfiles and the probe script are part of objects (.incbin, which -MMD does not see).
$(B)/images/targets.o: $(wildcard images/targets/*.yml)
$(B)/images/dockerfiles.o: $(wildcard Dockerfiles/*.Dockerfile)
$(B)/images/probe_script.o: images/probe.sh
