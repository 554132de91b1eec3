# The root file system of target rhel6 (images/targets/rhel6.yml).
FROM docker.io/library/centos:6
# The distribution is closed; its packages are kept at vault.centos.org, so nothing is installed here.
