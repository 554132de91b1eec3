"$ENVBUILD" pack a b
