# The root file system of target debian12 (images/targets/debian12.yml).
FROM docker.io/library/debian:12
# git, a compiler, bzip2 and libGL.so.1 are what test scripts and packages count on; gcc compiles
# nothing without libc6-dev, which is but a recommendation of it.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        bash coreutils findutils tar gzip bzip2 debianutils ca-certificates git gcc libc6-dev libgl1 \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/*
