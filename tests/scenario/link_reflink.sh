#!/bin/bash
# timeout: 120
# How files come from the cache into a prefix: reflink before hard link before copy.
. "$(dirname "$0")/../lib.sh"
need python3 zstd bzip2 cc
export ASAN_OPTIONS=detect_leaks=0
export HOME=$T ENVBUILD_NO_FSYNC=1 ENVBUILD_CACHE=$T/cache REFLINKS=$T/reflinks
unset ENVBUILD_CACHE_LOWER
cd "$T" || exit 1

# A file system that shares blocks, or one that refuses to (REFLINK_ERRNO); REFLINKS has a dot for each
# time that it was asked.
cat >reflink.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

int ioctl(int fd, unsigned long what, ...)
{
	static int (*next)(int, unsigned long, ...);
	va_list ap;
	va_start(ap, what);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	if (!next)
		next = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	if (what != FICLONE)
		return next(fd, what, arg);
	const char *refused = getenv("REFLINK_ERRNO");
	int log = open(getenv("REFLINKS"), O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (log < 0 || write(log, ".", 1) != 1 || close(log) < 0)
		abort();
	if (refused) {
		errno = atoi(refused);
		return -1;
	}
	char data[1 << 16];
	ssize_t n;
	off_t at = 0;
	while ((n = pread((int)(long)arg, data, sizeof data, at)) > 0) {
		if (pwrite(fd, data, (size_t)n, at) != n)
			return -1;
		at += n;
	}
	return (int)n;
}
C
cc -shared -fPIC -o reflink.so reflink.c -ldl || exit 1
env LD_PRELOAD="$T/reflink.so" "$ENVBUILD" --version >/dev/null 2>&1 ||
  skip_all "a program that takes no LD_PRELOAD"

python3 "$ROOT/tests/tools/small_channel.py" "$T/channel"
"$ENVBUILD" channel index "$T/channel" -q || exit 1
printf 'channels: [./channel]\ndependencies: [alpha, beta, zeta]\n' >environment.yml
sums() { (cd "$1" && find bin share -type f ! -path share/zeta/conf -printf '%p %m %T@ ' -exec sha256sum {} \; | sort); }
names() { find "$1/bin" "$1/share" -type f -printf '%n\n' | sort -u | tr '\n' ' '; } # hard links a file has
tried() { if [ -e reflinks ]; then stat -c %s reflinks; else echo 0; fi; }

expect 0 "reflinks refused, as on most disks" env LD_PRELOAD="$T/reflink.so" REFLINK_ERRNO=95 \
  "$ENVBUILD" install -t host -p linked -j 1
same "are asked for once" "$(tried)" 1
same "and files are hard links, but for the one with the prefix" "$(names linked)" "1 2 "
rm -f reflinks
expect 0 "reflinks" env LD_PRELOAD="$T/reflink.so" "$ENVBUILD" install -t host -p shared -j 1
same "are one for each file" "$(tried)" "$(find shared/bin shared/share -type f ! -name conf | wc -l)"
same "no file has two names" "$(names shared)" "1 "
same "bytes, modes and times are the same" "$(sums shared)" "$(sums linked)"
same "only the one that holds the prefix is made" "$(cat shared/share/zeta/conf)" "prefix=$T/shared"
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
  expect 0 "neither reflinks nor hard links" strace -f -qq -o "$T/trace" -e trace=linkat \
    -e inject=linkat:error=EPERM "$ENVBUILD" install -t host -p copied -j 1 --engine none
  same "files are copied" "$(names copied)" "1 "
  same "with bytes, modes and times" "$(sums copied)" "$(sums linked)"
else
  skip "neither reflinks nor hard links" "strace may not trace here"
fi
expect 0 "the cache is as it was" "$ENVBUILD" cache verify
done_testing
