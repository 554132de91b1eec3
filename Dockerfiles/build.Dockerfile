# An image that holds nothing but envbuild in /opt/envbuild, with its loader and libraries, so that it runs
# in an image of any x86_64 distribution. In the project's folder:
#
#   buildah build -f Dockerfiles/build.Dockerfile -t envbuild-program .
#
# The runtime image is made from it (runtime.Dockerfile); `docker cp` takes the program out of it.
FROM docker.io/library/debian:12 AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends make ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY . /src
WORKDIR /src
RUN tools/deps build && make portable \
    && mv build/portable/envbuild-*-x86_64 /opt/envbuild \
    && cp /etc/ssl/certs/ca-certificates.crt /opt/envbuild/certificates.crt

FROM scratch
COPY --from=build /opt/envbuild /opt/envbuild
ENTRYPOINT ["/opt/envbuild/envbuild"]
