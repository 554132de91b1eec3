#!/bin/bash
# Runs with `bash -e` in the target's image before anything is packed, the environment active and
# writable: what it leaves there is in the archive.
mkdir -p "$CONDA_PREFIX/etc/facility"
(cd "$CONDA_PREFIX/conda-meta" && ls ./*.json) | sed 's/^..//; s/\.json$//' >"$CONDA_PREFIX/etc/facility/packages"
