#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"

#include <stdlib.h>

/* FIPS 180-4 examples and RFC 1321, section A.5. */
static const struct {
	enum hash_kind kind;
	const char *text;
	unsigned times;
	const char *hex;
} vectors[] = {
	{HASH_SHA256, "", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{HASH_SHA256, "abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{HASH_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	{HASH_SHA256, "aaaaaaaaaa", 100000,
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
	{HASH_MD5, "", 1, "d41d8cd98f00b204e9800998ecf8427e"},
	{HASH_MD5, "abc", 1, "900150983cd24fb0d6963f7d28e17f72"},
	{HASH_MD5, "message digest", 1, "f96b697d7cb7938d525a2f31aaf161d0"},
	{HASH_MD5, "1234567890", 8, "57edf4a22be3c955ac49da2e2107b67a"},
};

static void published_vectors_hold(void **state)
{
	struct hash *sha256 = hash_new(HASH_SHA256), *md5 = hash_new(HASH_MD5);

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		bool is_md5 = vectors[i].kind == HASH_MD5;
		struct hash *h = is_md5 ? md5 : sha256; /* used again after each final */
		uint8_t sum[SHA256_LEN];
		char hex[SHA256_HEX + 1];

		for (unsigned k = 0; k < vectors[i].times; k++)
			hash_update(h, vectors[i].text, strlen(vectors[i].text));
		hash_final(h, sum);
		hex_encode(sum, is_md5 ? MD5_LEN : SHA256_LEN, hex);
		assert_string_equal(hex, vectors[i].hex);
	}
	hash_free(sha256);
	hash_free(md5);
	hash_free(NULL);
}

static void one_call_gives_the_same(void **state)
{
	uint8_t sum[SHA256_LEN], want[SHA256_LEN];

	(void)state;
	sha256_of("abc", 3, sum);
	assert_int_equal(hex_decode(str_of(vectors[1].hex), want, SHA256_LEN), 0);
	assert_memory_equal(sum, want, SHA256_LEN);
}

static void hex_is_exact(void **state)
{
	uint8_t out[2] = {0};

	(void)state;
	assert_int_equal(hex_decode(STR("a0Ff"), out, 2), 0);
	assert_int_equal(out[0], 0xa0);
	assert_int_equal(out[1], 0xff);
	assert_int_equal(hex_decode(STR("a0f"), out, 2), -1);
	assert_int_equal(hex_decode(STR("a0ff0"), out, 2), -1);
	assert_int_equal(hex_decode(STR("a0fg"), out, 2), -1);
	assert_int_equal(hex_decode(STR(" a0f"), out, 2), -1);
	assert_int_equal(hex_decode(STR(""), out, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors_hold),
		cmocka_unit_test(one_call_gives_the_same),
		cmocka_unit_test(hex_is_exact),
	};

	return cmocka_run_group_tests_name("base/hash", tests, NULL, NULL);
}
