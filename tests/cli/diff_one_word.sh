"$ENVBUILD" diff a.tar.gz
