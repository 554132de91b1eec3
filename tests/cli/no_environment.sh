"$ENVBUILD" pack
