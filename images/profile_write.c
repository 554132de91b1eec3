#include "images/probe.h"

/* Flow lists hold no other characters; a number is quoted, so that it stays a text everywhere. */
static void add_word(struct buf *b, struct str s)
{
	bool plain = s.n && ((s.p[0] >= 'a' && s.p[0] <= 'z') || (s.p[0] >= 'A' && s.p[0] <= 'Z') ||
				    s.p[0] == '_' || s.p[0] == '/');

	for (size_t i = 0; i < s.n; i++)
		plain = plain && !strchr(",[]{}:#*?&!|>'\"%@`\\ ", s.p[i]);
	if (plain) {
		buf_str(b, s);
		return;
	}
	buf_putc(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_putc(b, '\\');
		buf_putc(b, s.p[i]);
	}
	buf_putc(b, '"');
}

static void add_list(struct buf *b, const char *key, const struct str *v, size_t n)
{
	if (n == 0)
		return;
	buf_printf(b, "  %s: [", key);
	for (size_t i = 0; i < n; i++) {
		buf_puts(b, i ? ", " : "");
		add_word(b, v[i]);
	}
	buf_puts(b, "]\n");
}

static void add_gpu(struct buf *b, const struct profile_gpu *gpu)
{
	if (!gpu->wanted)
		return;
	if (!gpu->compute_capability.n && !gpu->n_device_nodes && !gpu->n_libraries &&
		!gpu->n_programs) {
		buf_puts(b, "gpu: {}\n");
		return;
	}
	buf_puts(b, "gpu:\n");
	if (gpu->compute_capability.n)
		buf_printf(b, "  compute-capability: \"%.*s\"\n", STR_ARG(gpu->compute_capability));
	add_list(b, "device-nodes", gpu->device_nodes, gpu->n_device_nodes);
	add_list(b, "libraries", gpu->libraries, gpu->n_libraries);
	add_list(b, "programs", gpu->programs, gpu->n_programs);
}

static void add_libraries(struct buf *b, const struct profile *p)
{
	if (!p->has_libraries)
		return;
	buf_puts(b, p->n_libraries ? "libraries:\n" : "libraries: {}\n");
	for (size_t i = 0; i < p->n_libraries; i++) {
		const struct profile_library *l = &p->libraries[i];

		buf_puts(b, "  ");
		add_word(b, l->soname);
		buf_puts(b, ": [");
		for (size_t k = 0; k < l->n_versions; k++) {
			buf_puts(b, k ? ", " : "");
			add_word(b, l->versions[k]);
		}
		buf_puts(b, "]\n");
	}
}

static void add_file_system(struct buf *b, const struct profile_file_system *fs)
{
	if (fs->names == CASE_UNSAID && fs->n_noexec == 0)
		return;
	buf_puts(b, "file-system:\n");
	if (fs->names != CASE_UNSAID)
		buf_printf(b, "  case-sensitive: %s\n",
			fs->names == CASE_SENSITIVE ? "true" : "false");
	add_list(b, "noexec", fs->noexec, fs->n_noexec);
}

static void add_limit(struct buf *b, const char *key, uint64_t limit)
{
	if (limit == PROFILE_UNLIMITED)
		buf_printf(b, "  %s: unlimited\n", key);
	else if (limit)
		buf_printf(b, "  %s: %llu\n", key, (unsigned long long)limit);
}

static void add_ignores(struct buf *b, const struct profile_audit *audit)
{
	buf_puts(b, audit->n_ignores ? "  ignore:\n" : "");
	for (size_t i = 0; i < audit->n_ignores; i++) {
		buf_puts(b, "  - {rule: ");
		add_word(b, str_of(audit_ignore_rule(&audit->ignores[i])));
		buf_puts(b, ", pattern: ");
		add_word(b, audit->ignores[i].pattern);
		buf_puts(b, ", reason: ");
		add_word(b, audit->ignores[i].reason);
		buf_puts(b, "}\n");
	}
}

static void add_audit(struct buf *b, const struct profile_audit *audit)
{
	size_t levels = 0;

	for (int i = 0; i < AUDIT_RULES; i++)
		levels += audit->set[i];
	if (levels || audit->n_ignores || audit->forbids_executable_stack ||
		audit->forbids_text_relocations)
		buf_puts(b, "audit:\n");
	buf_puts(b, levels ? "  levels:\n" : "");
	for (int i = 0; i < AUDIT_RULES; i++)
		if (audit->set[i])
			buf_printf(b, "    %s: %s\n", audit_rule_name((enum audit_rule)i),
				audit_level_name(audit->level[i]));
	if (audit->forbids_executable_stack)
		buf_puts(b, "  executable-stack: forbidden\n");
	if (audit->forbids_text_relocations)
		buf_puts(b, "  text-relocations: forbidden\n");
	add_ignores(b, audit);
}

void profile_write(struct buf *to, const struct profile *p)
{
	buf_printf(to, "name: ");
	add_word(to, p->name);
	buf_printf(to, "\nsubdir: %.*s\n", STR_ARG(p->subdir));
	buf_puts(to, p->n_virtual_packages ? "virtual-packages:\n" : "virtual-packages: []\n");
	for (size_t i = 0; i < p->n_virtual_packages; i++)
		buf_printf(to, "- %.*s\n", STR_ARG(p->virtual_packages[i]));
	add_gpu(to, &p->gpu);
	add_libraries(to, p);
	add_file_system(to, &p->file_system);
	if (p->limits.open_files || p->limits.processes || p->limits.stack)
		buf_puts(to, "limits:\n");
	add_limit(to, "open-files", p->limits.open_files);
	add_limit(to, "processes", p->limits.processes);
	add_limit(to, "stack", p->limits.stack);
	add_audit(to, &p->audit);
}

void probe_write(struct buf *to, const struct profile *p, const struct probe_notes *notes)
{
	buf_printf(
		to, "# What %.*s offers, as 'envbuild image probe' found it.\n", STR_ARG(p->name));
	for (size_t i = 0; notes && i < notes->n; i++)
		buf_printf(to, "# %s\n", notes->v[i]);
	profile_write(to, p);
}
