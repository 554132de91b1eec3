cat >two.lock <<'END'
version: 6
environments:
  default:
    channels:
    - url: https://conda.anaconda.org/conda-forge/
    packages:
      linux-64: []
      osx-64: []
packages: []
END
mkdir -p a/conda-meta
"$ENVBUILD" diff a two.lock
