/* audit_page FILE [N]: a report, by the file's ending, of an audit made by hand (tests/audit_maker.h). */
#include "base/file.h"
#include "base/log.h"
#include "packer/audit_report.h"
#include "tests/audit_maker.h"

#include <stdio.h>

static int work(const char *file, uint64_t more, struct err *e)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF text = {0};
	struct made_audit made;
	enum audit_form form;

	if (audit_form_of(file, &form, e) < 0)
		return -1;
	made_audit(&a, (size_t)more, &made);
	audit_report(&a, &made.audit, form, &text);
	return file_write(file, buf_view(&text), 0644, e);
}

int main(int argc, char **argv)
{
	struct err e = {0};
	uint64_t more = 0;

	if (argc < 2 || (argc > 2 && str_u64(str_of(argv[2]), 1000000, &more) < 0)) {
		fputs("usage: audit_page FILE [N]\n", stderr);
		return 2;
	}
	if (work(argv[1], more, &e) == 0)
		return 0;
	log_error(&e);
	return 1;
}
