# The root file system of target rocky9 (images/targets/rocky9.yml).
FROM docker.io/library/rockylinux:9
# git, a compiler, bzip2 and libGL.so.1 are what test scripts and packages count on.  The image has
# coreutils-single, which the package coreutils would conflict with.
RUN dnf -y install bash findutils tar gzip bzip2 which ca-certificates git gcc mesa-libGL \
    && dnf clean all
