/* SHA-256 and MD5 over libcrypto's EVP, streaming. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

enum hash_kind { HASH_SHA256, HASH_MD5 };
enum { SHA256_LEN = 32, MD5_LEN = 16, SHA256_HEX = 64, MD5_HEX = 32 };

struct hash; /* one running sum; one thread at a time */

struct hash *hash_new(enum hash_kind kind);
void hash_update(struct hash *h, const void *p, size_t n);
/* Writes SHA256_LEN or MD5_LEN bytes and starts over, ready for the next sum. */
void hash_final(struct hash *h, uint8_t *out);
void hash_free(struct hash *h); /* NULL is allowed */

void sha256_of(const void *p, size_t n, uint8_t out[SHA256_LEN]);
/* Lower-case hex and a NUL: out holds 2 * n + 1 bytes. */
void hex_encode(const uint8_t *p, size_t n, char *out);
/* Exactly 2 * n hex digits of either case; -1 otherwise. */
int hex_decode(struct str hex, uint8_t *out, size_t n);

#endif
