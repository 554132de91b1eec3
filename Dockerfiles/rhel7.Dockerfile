# The root file system of target rhel7 (images/targets/rhel7.yml).
FROM docker.io/library/centos:7
# The distribution is closed; its packages are kept at vault.centos.org, so nothing is installed here.
