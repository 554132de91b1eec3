#!/bin/bash
# The archive as users get it: unpacked at another path, in a fresh root of the target.
test "$FACILITY_HOME" = "$CONDA_PREFIX"
test -d "$PROJ_DATA"
test -x "$CONDA_PREFIX/bin/dbus-daemon.donotuse"
test ! -e "$CONDA_PREFIX/bin/dbus-daemon"
test ! -e "$CONDA_PREFIX/include"
grep -q '^dbus-' "$CONDA_PREFIX/etc/facility/packages"
