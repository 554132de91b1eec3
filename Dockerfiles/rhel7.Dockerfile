# The root file system of target rhel7 (images/targets/rhel7.yml): CentOS 7.9, which is what RHEL 7
# last was.
FROM docker.io/library/centos:7
# The mirrors have given CentOS 7 up; its packages are kept at vault.centos.org.  yum checks their
# signatures (gpgcheck=1).
RUN sed -i -e 's|^mirrorlist=|#&|' \
        -e 's|^#*baseurl=http://mirror\.centos\.org/centos/\$releasever/|baseurl=http://vault.centos.org/7.9.2009/|' \
        /etc/yum.repos.d/CentOS-Base.repo
# git, a compiler, bzip2 and libGL.so.1 are what test scripts and packages count on.
RUN yum -y install bash coreutils findutils tar gzip bzip2 which ca-certificates git gcc mesa-libGL \
    && yum clean all
