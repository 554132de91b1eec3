# The root file system of target rocky8 (images/targets/rocky8.yml).
FROM docker.io/library/rockylinux:8
RUN dnf -y install bash coreutils findutils tar gzip git ca-certificates && dnf clean all
