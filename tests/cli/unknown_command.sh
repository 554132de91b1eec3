"$ENVBUILD" frobnicate
