# shellcheck shell=sh
# Read by bin/activate; an added file does not know where it lies: the environment says so.
export FACILITY_HOME="$CONDA_PREFIX"
export PROJ_DATA="$CONDA_PREFIX/share/proj"
