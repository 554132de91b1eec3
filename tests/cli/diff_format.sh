mkdir -p a/conda-meta
"$ENVBUILD" diff a a --format html
