"$ENVBUILD" install
