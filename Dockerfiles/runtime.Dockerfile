# envbuild as entry point, for scripts that were written for the images it replaces. It needs of BASE only a
# /bin/sh, and packs for the system that BASE is, or for a target that this satisfies (ENVBUILD_TARGET).
# In the project's folder, after build.Dockerfile:
#
#   buildah build -f Dockerfiles/runtime.Dockerfile --build-arg BASE=docker.io/library/centos:7 -t envbuild .
#   podman run --rm -e ENVIRONMENT_NAME=demo -v "$PWD/environment.yml:/tmp/environment.yml:ro" \
#     -v "$PWD:/tmp/project" -v "$PWD/run-test.sh:/tmp/run-test.sh:ro" -v "$PWD/out:/root" envbuild
#
# This leaves out/demo.tar.gz, or nothing where building or the test failed. More stands in entry.sh.
ARG PROGRAM=localhost/envbuild-program
ARG BASE=docker.io/library/debian:12-slim
FROM ${PROGRAM} AS program
FROM ${BASE}
COPY --from=program /opt/envbuild /opt/envbuild
COPY Dockerfiles/entry.sh /opt/envbuild/entry
ENTRYPOINT ["/bin/sh", "/opt/envbuild/entry"]
