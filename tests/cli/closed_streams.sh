# What nobody can get is an error, and no message or document lands in a file or socket of envbuild's.
export ENVBUILD_CACHE="$PWD/cache"
"$ENVBUILD" cache info --json >&- 2>err
echo "closed stdout: $?"
cat err
"$ENVBUILD" --version >/dev/full 2>err
echo "full stdout: $?"
cat err
"$ENVBUILD" cache info --json <&- | wc -l
"$ENVBUILD" nothing <&- >&- 2>&-
echo "all closed: $?"
