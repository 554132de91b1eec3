/*
 * pack_tree DIR PLACEHOLDER BUILD_PREFIX ARCHIVE [JOBS [LEVEL [SPLIT [DEST_PREFIX]]]]
 *	packs a folder laid out as tree_content.h says.
 * pack_tree --unpack ARCHIVE DIR [PREFIX [JOBS]]
 * pack_tree --paper ARCHIVE_OR_PREFIX NAME
 */
#include "base/log.h"
#include "packer/pack.h"
#include "tests/tools/tree_content.h"

#include <stdio.h>
#include <stdlib.h>

static int pack(int argc, char **argv, struct err *e)
{
	CLEANUP_ARENA a = {0};
	struct content content;
	static const struct pack_paper papers[] = {
		{"profile.yml", STR_INIT("name: test\n")},
		{"environment.yml", STR_INIT("name: demo\n")},
	};
	struct pack_request r = {
		.arena = &a,
		.content = &content,
		.path = argv[4],
		.jobs = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 1,
		.level = argc > 6 ? (int)strtol(argv[6], NULL, 10) : 0,
		.split = argc > 7 ? strtoull(argv[7], NULL, 10) : 0,
		.dest_prefix = str_of(argc > 8 ? argv[8] : NULL),
		.epoch = 1500000000,
		.name = STR("demo"),
		.target = STR("test"),
		.papers = papers,
		.n_papers = 2,
	};
	struct pack_result result;
	char hex[SHA256_HEX + 1];

	if (pack_format_of_path(r.path, &r.format) < 0)
		return err_set(e, ERR_USAGE, "unknown format of '%s'", r.path);
	if (tree_content_make(&a, argv[1], argv[2], argv[3], &content, e) < 0 ||
		pack_write(&r, &result, e) < 0)
		return -1;
	hex_encode(result.sha256, SHA256_LEN, hex);
	printf("%s %llu %llu %zu\n", hex, (unsigned long long)result.bytes,
		(unsigned long long)result.unpacked_bytes, result.files);
	return 0;
}

static int print_paper(char **argv, struct err *e)
{
	CLEANUP_ARENA a = {0};
	struct str text;
	int rc = paper_read(&a, argv[2], argv[3], &text, e);

	if (rc == 0)
		return err_set(e, ERR_FAIL, "no paper '%s' in '%s'", argv[3], argv[2]);
	if (rc > 0)
		fwrite(text.p, 1, text.n, stdout);
	return rc < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct err e = {0};
	int rc;

	if (argc > 3 && strcmp(argv[1], "--unpack") == 0)
		rc = unpack(&(struct unpack_request){.archive = argv[2],
				    .dir = argv[3],
				    .prefix = argc > 4 && *argv[4] ? argv[4] : NULL,
				    .jobs = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 3},
			&e);
	else if (argc > 3 && strcmp(argv[1], "--paper") == 0)
		rc = print_paper(argv, &e);
	else if (argc > 4)
		rc = pack(argc, argv, &e);
	else
		rc = err_set(&e, ERR_USAGE, "too few arguments");
	if (rc < 0) {
		log_error(&e);
		rc = err_exit_status(e.code);
		err_release(&e);
	}
	return rc;
}
