# The root file system of target rocky9-gpu (images/targets/rocky9-gpu.yml).
FROM docker.io/library/rockylinux:9
RUN dnf -y install bash coreutils findutils tar gzip git ca-certificates && dnf clean all
