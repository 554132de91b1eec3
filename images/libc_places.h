/*
 * Where distributions keep the C library, below a root; 64-bit folders first, so that a 32-bit one
 * is not tried before.  A list of its own, because bin/conda-unpack, which is linked with nothing
 * of this room, looks there too.
 */
#ifndef IMAGES_LIBC_PLACES_H
#define IMAGES_LIBC_PLACES_H

static const char *const libc_places[] = {
	"lib64/libc.so.6",
	"usr/lib64/libc.so.6",
	"lib/x86_64-linux-gnu/libc.so.6",
	"usr/lib/x86_64-linux-gnu/libc.so.6",
	"lib/aarch64-linux-gnu/libc.so.6",
	"usr/lib/aarch64-linux-gnu/libc.so.6",
	"lib/libc.so.6",
	"usr/lib/libc.so.6",
};

#endif
