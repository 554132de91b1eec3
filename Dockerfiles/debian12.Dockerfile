# The root file system of target debian12 (images/targets/debian12.yml).
FROM docker.io/library/debian:12
RUN apt-get update \
    && apt-get install -y --no-install-recommends bash coreutils findutils tar gzip git ca-certificates \
    && rm -rf /var/lib/apt/lists/*
