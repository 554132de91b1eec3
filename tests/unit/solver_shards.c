/* Lists of shards and shards as bytes: what is read of them, and what is wrong with hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/msgpack.h"
#include "solver/shard_read.h"

#include <stdlib.h>

static struct arena arena;

/* --- writing ------------------------------------------------------------------------------ */

/* JSON-like text to MessagePack: {a:b,...} [a,...] 'text' #HEX 123 -1 true false null. */
static const char *write_value(struct buf *to, const char *p);

static const char *write_items(struct buf *to, const char *p, char end, size_t *n)
{
	for (*n = 0; *p != end; ++*n) {
		p = write_value(to, p);
		if (*p == ':')
			p = write_value(to, p + 1);
		if (*p == ',')
			p++;
	}
	return p + 1;
}

static const char *write_list(struct buf *to, const char *p)
{
	CLEANUP_BUF items = {0};
	bool map = *p == '{';
	size_t n;

	p = write_items(&items, p + 1, map ? '}' : ']', &n);
	if (map)
		mp_map(to, n);
	else
		mp_array(to, n);
	buf_str(to, buf_view(&items));
	return p;
}

static const char *write_bytes(struct buf *to, const char *p)
{
	CLEANUP_BUF bytes = {0};
	char two[3] = "";

	for (p++; strchr("0123456789abcdef", *p) && *p; p += 2) {
		memcpy(two, p, 2);
		buf_putc(&bytes, (char)strtoul(two, NULL, 16));
	}
	mp_bin(to, bytes.p, bytes.n);
	return p;
}

static const char *write_value(struct buf *to, const char *p)
{
	const char *end = strchr(p + 1, '\'');
	char *rest;

	if (*p == '{' || *p == '[')
		return write_list(to, p);
	if (*p == '#')
		return write_bytes(to, p);
	if (*p == '\'') {
		mp_str(to, str_n(p + 1, (size_t)(end - p - 1)));
		return end + 1;
	}
	if (strncmp(p, "true", 4) == 0 || strncmp(p, "null", 4) == 0) {
		*p == 't' ? mp_bool(to, true) : mp_nil(to);
		return p + 4;
	}
	if (strncmp(p, "false", 5) == 0) {
		mp_bool(to, false);
		return p + 5;
	}
	mp_int(to, strtoll(p, &rest, 10));
	if (rest == p)
		fail_msg("test data: %s", p);
	return rest;
}

static struct str pack(const char *text)
{
	CLEANUP_BUF b = {0};

	assert_int_equal(*write_value(&b, text), 0);
	return arena_str(&arena, buf_view(&b));
}

#define SUM_A "#000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define HEX_B "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"

/* --- lists -------------------------------------------------------------------------------- */

static void a_list_tells_names_sums_and_urls(void **state)
{
	struct shard_list list;
	const struct shard_name *found;

	(void)state;
	assert_int_equal(
		shard_list_parse(&arena,
			pack("{'version':1,'info':{'base_url':'b','shards_base_url':'s/',"
			     "'created_at':'x','more':[1,{2:3}],4:5},'shards':{'a':" SUM_A
			     ",'b':'" HEX_B "','gone':null,'a':'" HEX_B "'},'new':{'k':[1]},7:8}"),
			"t", &list, NULL),
		0);
	assert_int_equal(list.n, 2);
	assert_true(str_is(list.base_url, "b"));
	assert_true(str_is(list.shards_base_url, "s/"));
	found = shard_list_find(&list, STR("a"));
	assert_non_null(found);
	assert_int_equal(found->sha256[31], 0x1f);
	found = shard_list_find(&list, STR("b"));
	assert_non_null(found);
	assert_int_equal(found->sha256[0], 0xff);
	assert_null(shard_list_find(&list, STR("gone")));
	assert_null(shard_list_find(&list, STR("")));
}

static void a_list_has_room_for_all_its_names(void **state)
{
	CLEANUP_BUF b = {0};
	struct shard_list list;
	enum { N = 5000 };

	(void)state;
	mp_map(&b, 2);
	mp_cstr(&b, "version");
	mp_uint(&b, 1);
	mp_cstr(&b, "shards");
	mp_map(&b, N);
	for (unsigned i = 0; i < N; i++) {
		uint8_t sum[32] = {(uint8_t)i, (uint8_t)(i >> 8)};

		mp_cstr(&b, arena_printf(&arena, "n%u", i));
		mp_bin(&b, sum, sizeof sum);
	}
	assert_int_equal(shard_list_parse(&arena, buf_view(&b), "t", &list, NULL), 0);
	assert_int_equal(list.n, N);
	for (unsigned i = 0; i < N; i++) {
		const struct shard_name *found =
			shard_list_find(&list, str_of(arena_printf(&arena, "n%u", i)));

		assert_non_null(found);
		assert_int_equal(found->sha256[0] | found->sha256[1] << 8, i);
	}
	assert_null(shard_list_find(&list, STR("n5000")));
}

static void a_list_of_another_version_is_not_for_us(void **state)
{
	struct shard_list list;

	(void)state;
	assert_int_equal(shard_list_parse(&arena, pack("{'version':2,'shards':7,'info':[]}"), "t",
				 &list, NULL),
		1);
}

static const struct {
	const char *list, *says;
} bad_lists[] = {
	{"[]", "an index of shards is a map"},
	{"7", "an index of shards is a map"},
	{"{}", "t: no version"},
	{"{'version':'1'}", "'version' is no number"},
	{"{'version':1}", "t: no shards"},
	{"{'version':1,'shards':[]}", "'shards' is no map"},
	{"{'version':1,'info':7,'shards':{}}", "'info' is no map"},
	{"{'version':1,'shards':{'a':7}}", "a sha256 expected"},
	{"{'version':1,'shards':{'a':#0102}}", "a sha256 expected"},
	{"{'version':1,'shards':{'a':'" HEX_B "0'}}", "a sha256 expected"},
	{"{'version':1,'shards':{'a':'x'}}", "a sha256 expected"},
	{"{'version':1,'shards':{7:" SUM_A "}}", "the name of a shard is no text"},
	{"{'version':1,'shards':{},'shards':{}}", "'shards' comes twice"},
};

static void wrong_lists_say_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_lists / sizeof *bad_lists; i++) {
		struct shard_list list;
		struct err e = {0};

		assert_int_equal(
			shard_list_parse(&arena, pack(bad_lists[i].list), "t", &list, &e), -1);
		assert_int_equal(e.code, ERR_INTEGRITY);
		if (!strstr(e.text, bad_lists[i].says))
			fail_msg("%s: %s", bad_lists[i].list, e.text);
		err_release(&e);
	}
}

/* --- shards ------------------------------------------------------------------------------- */

static size_t read_shard(const char *text, struct group_record **v)
{
	struct err e = {0};
	size_t n = 0;

	if (shard_parse(&arena, pack(text), STR("x"), "t", v, &n, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return n;
}

static void a_record_has_its_fields(void **state)
{
	struct group_record *v;
	const struct record *r;

	(void)state;
	assert_int_equal(
		read_shard("{'packages':{},'packages.conda':{'x-1.0-h_0.conda':{'name':'x',"
			   "'version':'1.0','build':'h_0','build_number':3,'depends':['a >=1','b'],"
			   "'constrains':['c'],'noarch':'python','license':'MIT','license_family':"
			   "'OK','timestamp':1600000000000,'size':77,'subdir':'noarch',"
			   "'track_features':['f','g'],'features':' h ','sha256':" SUM_A
			   ",'md5':#000102030405060708090a0b0c0d0e0f,'unknown':{1:[2]},"
			   "'python_site_packages_path':'lib/p'}}}",
			&v),
		1);
	assert_null(v->error);
	r = &v->record;
	assert_true(str_is(r->fn, "x-1.0-h_0.conda"));
	assert_true(str_is(r->name, "x"));
	assert_true(str_is(r->version, "1.0"));
	assert_true(str_is(r->build, "h_0"));
	assert_int_equal(r->build_number, 3);
	assert_int_equal(r->n_depends, 2);
	assert_true(str_is(r->depends[0], "a >=1"));
	assert_int_equal(r->n_constrains, 1);
	assert_int_equal(r->noarch, NOARCH_PYTHON);
	assert_true(str_is(r->license, "MIT"));
	assert_true(str_is(r->license_family, "OK"));
	assert_int_equal(r->timestamp, 1600000000000);
	assert_int_equal(r->size, 77);
	assert_true(str_is(r->track_features, "f g"));
	assert_true(str_is(r->features, "h"));
	assert_true(str_is(r->python_site_packages_path, "lib/p"));
	assert_true(r->has_sha256 && r->sha256[31] == 0x1f);
	assert_true(r->has_md5 && r->md5[15] == 0x0f);
}

static void a_record_is_read_as_in_json(void **state)
{
	struct group_record *v;
	const struct record *r;

	(void)state;
	/* Numbers as texts and texts as numbers, seconds, hex digits, nothing, and too much. */
	assert_int_equal(read_shard("{'packages':{'x-2-0.tar.bz2':{'name':'x','version':2,"
				    "'build':0,'build_number':'4','depends':null,'timestamp':"
				    "1600000000,'indexed_timestamp':86400,'size':-5,'noarch':true,'"
				    "track_features':null,"
				    "'license':null,'sha256':'" HEX_B "','md5':null}}}",
				 &v),
		1);
	assert_null(v->error);
	r = &v->record;
	assert_true(str_is(r->version, "2"));
	assert_true(str_is(r->build, "0"));
	assert_int_equal(r->build_number, 4);
	assert_int_equal(r->timestamp, 1600000000000);
	assert_int_equal(r->indexed, record_milliseconds(86400));
	assert_int_equal(r->size, 0);
	assert_int_equal(r->noarch, NOARCH_GENERIC);
	assert_true(r->has_sha256 && r->sha256[0] == 0xff);
	assert_false(r->has_md5);
}

static void a_record_of_v3_has_more(void **state)
{
	struct group_record *v;
	const struct record *r;

	(void)state;
	assert_int_equal(read_shard("{'v3':{'whl':{'y-1-0':7},7:8,'conda':{'x-1-0':{'name':'x',"
				    "'version':'1','extra_depends':{'a':['b >=1'],'empty':[]},"
				    "'flags':['cuda','blas:mkl'],'indexed_timestamp':1700000000}},"
				    "'tar.bz2':{'x-0-0':{'name':'x','version':'0'}}}}",
				 &v),
		2);
	assert_null(v[0].error);
	assert_null(v[1].error);
	r = &v[0].record;
	assert_true(str_is(r->fn, "x-1-0.conda"));
	assert_int_equal(r->n_extras, 3);
	assert_true(str_is(r->extras[0], "a "));
	assert_true(str_is(r->extras[1], "a b >=1"));
	assert_true(str_is(r->extras[2], "empty "));
	assert_true(str_is(r->flags, "cuda blas:mkl"));
	assert_int_equal(r->indexed, 1700000000000);
	assert_true(str_is(v[1].record.fn, "x-0-0.tar.bz2"));
}

static void what_was_removed_and_what_is_no_package_is_left_out(void **state)
{
	struct group_record *v;

	(void)state;
	assert_int_equal(read_shard("{'removed':['x-1-0.conda','x-9-9.conda'],'packages.conda':{"
				    "'x-1-0.conda':{'name':'x','version':'1'},'README':{'a':[1]},"
				    "'x-2-0.conda':{'name':'x','version':'2'}}}",
				 &v),
		1);
	assert_true(str_is(v->record.fn, "x-2-0.conda"));
	assert_int_equal(read_shard("{}", &v), 0);
	assert_int_equal(read_shard("{'packages':{},'removed':null,'later':7}", &v), 0);
}

/* One record of two is wrong: it alone is its error. */
static const struct {
	const char *record, *says;
} bad_records[] = {
	{"7", "record of 'x-1-0.conda': a record is a map"},
	{"{'name':7,'name':[1],'version':'1'}",
		"record of 'x-1-0.conda': 'name': expected a string"},
	{"{'depends':{'a':[1,2]}}", "'depends': expected a list"},
	{"{'depends':['a',['b']]}", "'depends': expected a list of strings"},
	{"{'size':[1]}", "'size': expected a number"},
	{"{'size':'x'}", "'size': expected a number"},
	{"{'sha256':#00}", "'sha256': a hash of 32 bytes expected"},
	{"{'sha256':'00'}", "'sha256': a hash of 32 bytes expected"},
	{"{'md5':" SUM_A "}", "'md5': a hash of 16 bytes expected"},
	{"{'noarch':7}", "'noarch': expected a string"},
	{"{'track_features':[7]}", "'track_features': expected a list of strings"},
	{"{'extra_depends':['a']}", "'extra_depends': expected a map"},
	{"{'extra_depends':{'A B':[]}}", "'extra_depends': a name of a group expected"},
	{"{'extra_depends':{'a':7}}", "'extra_depends': expected a list"},
	{"{'extra_depends':{'a':[7]}}", "'extra_depends': expected a list of strings"},
	{"{'indexed_timestamp':[]}", "'indexed_timestamp': expected a number"},
	{"{'name':'y','version':'1'}", "record of 'x-1-0.conda': it speaks of 'y' version '1'"},
	{"{'name':'x'}", "record of 'x-1-0.conda': it speaks of 'x' version ''"},
};

static void a_wrong_record_is_its_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_records / sizeof *bad_records; i++) {
		struct group_record *v;
		char *text = arena_printf(&arena,
			"{'packages.conda':{'x-1-0.conda':%s,"
			"'x-2-0.conda':{'name':'x','version':'2'}}}",
			bad_records[i].record);

		assert_int_equal(read_shard(text, &v), 2);
		assert_non_null(v[0].error);
		if (!strstr(v[0].error, bad_records[i].says))
			fail_msg("%s: %s", bad_records[i].record, v[0].error);
		assert_null(v[1].error);
		assert_true(str_is(v[1].record.version, "2"));
	}
}

static void expect_bad_shard(struct str bytes, const char *says)
{
	struct group_record *v;
	struct err e = {0};
	size_t n;

	assert_int_equal(shard_parse(&arena, bytes, STR("x"), "t", &v, &n, &e), -1);
	assert_int_equal(e.code, ERR_INTEGRITY);
	if (!strstr(e.text, says))
		fail_msg("%s: %s", says, e.text);
	err_release(&e);
}

static void a_damaged_shard_is_none(void **state)
{
	struct str whole = pack("{'packages':{'x-1-0.tar.bz2':{'name':'x','version':'1',"
				"'depends':['a'],'later':{'y':[1,2]}}},'removed':['x-2-0.conda']}");
	CLEANUP_BUF b = {0};

	(void)state;
	for (size_t n = 0; n < whole.n; n++)
		expect_bad_shard(str_sub(whole, 0, n), "t: byte ");
	expect_bad_shard(pack("['packages']"), "a shard is a map");
	expect_bad_shard(pack("{'packages':[]}"), "the list of records is no map");
	expect_bad_shard(pack("{'packages':{7:{}}}"), "a file name is a text");
	expect_bad_shard(
		pack("{'packages':{'y-1-0.conda':{}}}"), "it holds a file of another name");
	expect_bad_shard(pack("{'removed':[7]}"), "the list 'removed' holds no file name");
	buf_str(&b, whole);
	buf_putc(&b, 0);
	expect_bad_shard(buf_view(&b), "something follows the end");
	buf_clear(&b);
	buf_puts(&b, "\x81\xa8packages\xdf\x0f\xff\xff\xff\xa1");
	expect_bad_shard(buf_view(&b), "more entries than the text has bytes");
}

static int release(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_tells_names_sums_and_urls),
		cmocka_unit_test(a_list_has_room_for_all_its_names),
		cmocka_unit_test(a_list_of_another_version_is_not_for_us),
		cmocka_unit_test(wrong_lists_say_why),
		cmocka_unit_test(a_record_has_its_fields),
		cmocka_unit_test(a_record_is_read_as_in_json),
		cmocka_unit_test(a_record_of_v3_has_more),
		cmocka_unit_test(what_was_removed_and_what_is_no_package_is_left_out),
		cmocka_unit_test(a_wrong_record_is_its_error),
		cmocka_unit_test(a_damaged_shard_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}
