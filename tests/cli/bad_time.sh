"$ENVBUILD" pack --timeout soon
