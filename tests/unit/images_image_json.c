/* Manifests, lists of them and configurations (images/image_json.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "images/image_json.h"

#define HEX_A            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B            "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define A                "\"sha256:" HEX_A "\""
#define B                "\"sha256:" HEX_B "\""

#define OCI              "application/vnd.oci.image."
#define DOCKER           "application/vnd.docker.distribution."
#define CONFIG           "{\"mediaType\":\"" OCI "config.v1+json\",\"digest\":" A ",\"size\":10}"
#define LAYER(type)      "{\"mediaType\":\"" type "\",\"digest\":" B ",\"size\":20}"
#define MANIFEST(layers) "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" layers "]}"
#define ENTRY(platform) \
	"{\"mediaType\":\"" OCI "manifest.v1+json\",\"digest\":" platform ",\"size\":1}"
#define FOR(digest, os, machine) \
	ENTRY(digest ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" machine "\"}")
#define LIST(entries) "{\"schemaVersion\":2,\"manifests\":[" entries "]}"

static void a_manifest_is_read(void **state)
{
	struct arena a = {0};
	struct oci_document d;
	struct err e = {0};

	(void)state;
	if (oci_document_parse(&a, "m",
		    STR(MANIFEST(
			    LAYER(OCI "layer.v1.tar+gzip") "," LAYER(OCI "layer.v1.tar+zstd"))),
		    STR(OCI "manifest.v1+json"), &d, &e) < 0)
		fail_msg("%s", e.text);
	assert_false(d.is_list);
	assert_int_equal(d.n, 2);
	assert_true(str_is(d.config.digest, "sha256:" HEX_A));
	assert_int_equal(d.config.size, 10);
	assert_true(str_is(d.v[1].digest, "sha256:" HEX_B));
	assert_true(str_is(d.v[1].media_type, OCI "layer.v1.tar+zstd"));
	assert_int_equal(d.v[1].size, 20);
	arena_release(&a);
}

static void what_is_no_image_says_why(void **state)
{
	static const struct {
		const char *text, *type;
		enum err_code code;
		const char *why;
	} cases[] = {
		{"", "", ERR_INTEGRITY, "m:1:1"},
		{"[]", "", ERR_INTEGRITY, "no object"},
		{"{}", "", ERR_INTEGRITY, "not the manifest"},
		{"{\"schemaVersion\":2}", "", ERR_INTEGRITY, "neither a manifest"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG "}", "", ERR_INTEGRITY,
			"neither a manifest"},
		{"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[],\"manifests\":[]}", "",
			ERR_INTEGRITY, "neither a manifest"},
		{MANIFEST("") "x", "", ERR_INTEGRITY, "m:1:"},
		{MANIFEST(""), OCI "index.v1+json", ERR_INTEGRITY, "not what it is said to be"},
		{LIST(""), OCI "manifest.v1+json", ERR_INTEGRITY, "not what it is said to be"},
		{"{\"schemaVersion\":2,\"mediaType\":\"" DOCKER
		 "manifest.v2+json\",\"config\":" CONFIG ",\"layers\":[]}",
			OCI "manifest.v1+json", ERR_INTEGRITY, "not what it is said to be"},
		{"{\"schemaVersion\":1,\"fsLayers\":[]}", "", ERR_INPUT, "schema version 1"},
		{MANIFEST(""), DOCKER "manifest.v1+prettyjws", ERR_INPUT, "schema version 1"},
		{MANIFEST(LAYER("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")), "",
			ERR_INPUT, "foreign"},
		{MANIFEST(LAYER("text/plain")), "", ERR_INPUT, "type 'text/plain'"},
		{MANIFEST("{\"mediaType\":\"" OCI "layer.v1.tar\",\"digest\":" B
			  ",\"size\":1,\"urls\":[\"https://x/\"]}"),
			"", ERR_INPUT, "outside the registry"},
		{MANIFEST("{\"digest\":" B "}"), "", ERR_INTEGRITY, "without 'size'"},
		{MANIFEST("{\"size\":1}"), "", ERR_INTEGRITY, "without 'digest'"},
		{MANIFEST("{\"size\":-1,\"digest\":" B "}"), "", ERR_INTEGRITY, "whole number"},
		{MANIFEST("{\"size\":1.5,\"digest\":" B "}"), "", ERR_INTEGRITY, "whole number"},
		{MANIFEST("{\"size\":1,\"digest\":\"sha256:abc\"}"), "", ERR_INTEGRITY, "64 hex"},
		{MANIFEST("{\"size\":1,\"digest\":\"sha256:../../../../etc/passwd\"}"), "",
			ERR_INTEGRITY, "64 hex"},
		{MANIFEST("7"), "", ERR_INTEGRITY, "not a descriptor"},
		{"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
		 "x.helm\",\"digest\":" A ",\"size\":1},\"layers\":[]}",
			"", ERR_INPUT, "no image of a root file system, but 'application/x.helm'"},
		{"{\"schemaVersion\":2,\"mediaType\":\"a\\u001b[2J\"}", "", ERR_INTEGRITY,
			"plain text"},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct oci_document d;
		struct err e = {0};

		if (oci_document_parse(
			    &a, "m", str_of(cases[i].text), str_of(cases[i].type), &d, &e) == 0)
			fail_msg("case %zu was read: %s", i, cases[i].text);
		if (e.code != cases[i].code || !strstr(e.text, cases[i].why))
			fail_msg("case %zu: %d %s", i, e.code, e.text);
		err_release(&e);
	}
	arena_release(&a);
}

static void urls_that_name_none_are_no_foreign_layer(void **state)
{
	struct arena a = {0};
	struct oci_document d;

	(void)state;
	assert_int_equal(oci_document_parse(&a, "m",
				 STR(MANIFEST("{\"mediaType\":\"" OCI "layer.v1.tar\",\"urls\":[],"
					      "\"digest\":" B ",\"size\":1,\"annotations\":null}")),
				 STR(""), &d, NULL),
		0);
	arena_release(&a);
}

static void a_list_gives_the_one_of_the_machine(void **state)
{
	static const char list[] =
		LIST(FOR(A, "windows", "amd64") "," FOR(A, "linux", "arm64") "," ENTRY(
			A ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\",\"variant\":"
			  "\"v3\"}") "," FOR(B, "linux", "amd64") "," FOR(A, "unknown", "unknown"));
	const struct descriptor *d;
	struct oci_document doc;
	struct arena a = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(oci_document_parse(&a, "m", str_of(list), STR(""), &doc, &e), 0);
	assert_true(doc.is_list);
	assert_int_equal(oci_choose("m", &doc, STR("linux-64"), &d, &e), 0);
	assert_true(str_is(d->digest, "sha256:" HEX_B));
	assert_int_equal(oci_choose("m", &doc, STR("linux-aarch64"), &d, &e), 0);
	assert_true(str_is(d->digest, "sha256:" HEX_A));
	assert_int_equal(oci_choose("m", &doc, STR("linux-s390x"), &d, &e), -1);
	assert_int_equal(e.code, ERR_USAGE);
	assert_non_null(
		strstr(e.text, "no image for linux/s390x in it, but windows/amd64, linux/arm64"));
	assert_null(strstr(e.text, "unknown"));
	err_release(&e);
	arena_release(&a);
}

static void a_single_one_need_not_say_what_it_is_for(void **state)
{
	const struct descriptor *d;
	struct oci_document doc;
	struct arena a = {0};

	(void)state;
	assert_int_equal(
		oci_document_parse(&a, "m",
			STR(LIST("{\"digest\":" B ",\"size\":1,\"annotations\":"
				 "{\"org.opencontainers.image.ref.name\":\"1.0\",\"x\":\"y\"}}")),
			STR(""), &doc, NULL),
		0);
	assert_true(str_is(doc.v[0].ref_name, "1.0"));
	assert_int_equal(oci_choose("m", &doc, STR("linux-64"), &d, NULL), 0);
	assert_int_equal(oci_document_parse(&a, "m", STR(LIST("")), STR(""), &doc, NULL), 0);
	assert_int_equal(oci_choose("m", &doc, STR("linux-64"), &d, NULL), -1);
	arena_release(&a);
}

static void configurations_are_read(void **state)
{
	static const struct {
		const char *text;
		int layers; /* -1: it is none */
		const char *why;
	} cases[] = {
		{"{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\","
		 "\"diff_ids\":[" A "," B "]},\"history\":[{}]}",
			2, NULL},
		{"{\"rootfs\":{\"diff_ids\":[]}}", 0, NULL},
		{"{}", -1, "no 'rootfs'"},
		{"{\"rootfs\":[]}", -1, "no object"},
		{"{\"rootfs\":{\"diff_ids\":[7]}}", -1, "not a digest"},
		{"{\"rootfs\":{\"diff_ids\":[\"sha256:1\"]}}", -1, "64 hex digits"},
		{"{\"rootfs\":{\"diff_ids\":{}}}", -1, "no list"},
		{"{\"rootfs\":{\"diff_ids\":[]}", -1, "m:1:"},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct oci_config c;
		struct err e = {0};
		int rc = oci_config_parse(&a, "m", str_of(cases[i].text), &c, &e);

		if ((rc == 0) != (cases[i].layers >= 0))
			fail_msg("%s: %s", cases[i].text, e.text);
		if (rc == 0)
			assert_int_equal(c.n_diff_ids, cases[i].layers);
		else if (e.code != ERR_INTEGRITY || !strstr(e.text, cases[i].why))
			fail_msg("%s: %s", cases[i].text, e.text);
		err_release(&e);
	}
	arena_release(&a);
}

static void another_machine_s_image_is_refused(void **state)
{
	struct oci_config arm = {.os = STR("linux"), .architecture = STR("arm64")},
			  windows = {.os = STR("windows"), .architecture = STR("amd64")},
			  silent = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(oci_config_check("m", &arm, STR("linux-aarch64"), &e), 0);
	assert_int_equal(oci_config_check("m", &silent, STR("linux-64"), &e), 0);
	assert_int_equal(oci_config_check("m", &windows, STR("linux-64"), NULL), -1);
	assert_int_equal(oci_config_check("m", &arm, STR("linux-64"), &e), -1);
	assert_string_equal(e.text, "m: it is for linux/arm64, not for linux/amd64");
	err_release(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manifest_is_read),
		cmocka_unit_test(what_is_no_image_says_why),
		cmocka_unit_test(urls_that_name_none_are_no_foreign_layer),
		cmocka_unit_test(a_list_gives_the_one_of_the_machine),
		cmocka_unit_test(a_single_one_need_not_say_what_it_is_for),
		cmocka_unit_test(configurations_are_read),
		cmocka_unit_test(another_machine_s_image_is_refused),
	};

	return cmocka_run_group_tests_name("images/image_json", tests, NULL, NULL);
}
