# The root file system of target rhel6 (images/targets/rhel6.yml): CentOS 6.10, which is what RHEL 6
# last was.  A kernel with vsyscall=none cannot run its programs; vsyscall=emulate can.
FROM docker.io/library/centos:6
# The mirrors have given CentOS 6 up; its packages are kept at vault.centos.org.  Over http, as its
# TLS is too old for today's servers: yum checks the packages' signatures (gpgcheck=1).
RUN sed -i -e 's|^mirrorlist=|#&|' \
        -e 's|^#*baseurl=http://mirror\.centos\.org/centos/\$releasever/|baseurl=http://vault.centos.org/6.10/|' \
        /etc/yum.repos.d/CentOS-Base.repo
# git, a compiler, bzip2 and libGL.so.1 are what test scripts and packages count on.
RUN yum -y install bash coreutils findutils tar gzip bzip2 which ca-certificates git gcc mesa-libGL \
    && yum clean all
