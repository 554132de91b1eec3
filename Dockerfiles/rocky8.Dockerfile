# The root file system of target rocky8 (images/targets/rocky8.yml).
FROM docker.io/library/rockylinux:8
# git, a compiler, bzip2 and libGL.so.1 are what test scripts and packages count on.  The image has
# coreutils-single, which the package coreutils would conflict with.
RUN dnf -y install bash findutils tar gzip bzip2 which ca-certificates git gcc mesa-libGL \
    && dnf clean all
