"$ENVBUILD" pack --frobnicate
