#include "packer/papers.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "packer/audit.h"
#include "packer/embed.h"
#include "packer/making.h"
#include "packer/sizes.h"

static const char *const own_papers[] = {"files", "host", "manifest.json", "prefix",
	"prefix.pending", "relocation", "variables.csh", "variables.fish", "variables.sh"};

bool papers_own(struct str path)
{
	struct embedded_file files[N_EMBEDDED];

	embedded_files(files);
	for (size_t i = 0; i < N_EMBEDDED; i++)
		if (str_is(path, files[i].path))
			return true;
	return str_starts(path, STR(PAPERS_DIR)) || str_is(path, "conda-meta/envbuild");
}

bool papers_name_is_free(const char *name)
{
	if (!path_is_safe(str_of(name)) || strchr(name, '/'))
		return false;
	for (size_t i = 0; i < sizeof own_papers / sizeof *own_papers; i++)
		if (strcmp(name, own_papers[i]) == 0)
			return false;
	return true;
}

static void add_package(struct json_out *w, const struct package *p)
{
	const struct record *r = p->record;
	char hex[SHA256_HEX + 1];

	hex_encode(p->sha256, SHA256_LEN, hex);
	jw_object(w);
	jw_pair(w, "name", r->name);
	jw_pair(w, "version", r->version);
	jw_pair(w, "build", r->build);
	jw_pair(w, "subdir", r->subdir);
	jw_pair(w, "file", r->fn);
	/* A folder of the building machine means nothing elsewhere, and is nobody's business. */
	if (r->url.n && !str_starts(r->url, STR("file:")))
		jw_pair(w, "url", r->url);
	jw_pair(w, "sha256", str_of(hex));
	jw_object_end(w);
}

static void add_packages(struct json_out *w, const struct content *c)
{
	jw_key(w, "packages");
	jw_array(w);
	for (size_t i = 0; i < c->n_packages; i++)
		add_package(w, &c->packages[i]);
	jw_array_end(w);
}

/* The build prefix has one name in every archive, whatever it was on the building machine. */
static void add_undeclared(struct json_out *w, const struct content *c, struct str build_prefix)
{
	jw_key(w, "undeclared_placeholders");
	jw_array(w);
	for (size_t i = 0; i < c->n_entries; i++) {
		if (c->entries[i].undeclared.n == 0)
			continue;
		jw_object(w);
		jw_pair(w, "path", c->entries[i].path);
		jw_pair(w, "prefix",
			str_eq(c->entries[i].undeclared, c->build_prefix)
				? build_prefix
				: c->entries[i].undeclared);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void add_longest(struct json_out *w, const struct content *c)
{
	jw_key(w, "longest_prefix");
	if (c->longest_prefix == SIZE_MAX) {
		jw_null(w);
		return;
	}
	jw_int(w, (int64_t)c->longest_prefix);
	jw_pair(w, "longest_prefix_path", c->longest_prefix_path);
}

/* bin/conda-unpack --list names them. */
static void add_needs_relocation(struct json_out *w, const struct content *c)
{
	int64_t count[2] = {0};

	for (size_t i = 0; i < c->n_entries; i++)
		if (c->entries[i].type == PATH_FILE && c->entries[i].n_offsets)
			count[c->entries[i].binary]++;
	jw_key(w, "needs_relocation");
	jw_object(w);
	jw_key(w, "text");
	jw_int(w, count[false]);
	jw_key(w, "binary");
	jw_int(w, count[true]);
	jw_object_end(w);
}

/* What was found and does not count, for a reason that somebody gave; nothing where there is none. */
static void add_ignored(struct json_out *w, const struct audit *audit)
{
	if (!audit || !audit->n_ignored)
		return;
	jw_key(w, "audit_ignored");
	jw_array(w);
	for (size_t i = 0; i < audit->n_ignores; i++) {
		const struct audit_ignored *one = &audit->ignores[i];

		if (one->n == 0)
			continue;
		jw_object(w);
		jw_pair(w, "rule", str_of(audit_ignore_rule(one->ignore)));
		jw_pair(w, "pattern", one->ignore->pattern);
		jw_pair(w, "reason", one->ignore->reason);
		jw_key(w, "findings");
		jw_int(w, (int64_t)one->n);
		jw_object_end(w);
	}
	jw_array_end(w);
}

void manifest_write(const struct pack_request *r, struct str build_prefix,
	const struct str *replaced, size_t n_replaced, struct buf *to)
{
	struct json_out w = {.to = to, .indent = 2};

	jw_object(&w);
	jw_key(&w, "manifest_version");
	jw_int(&w, 1);
	jw_key(&w, "envbuild");
	jw_cstr(&w, ENVBUILD_VERSION);
	jw_pair(&w, "name", r->name);
	jw_pair(&w, "target", r->target);
	if (r->version.n)
		jw_pair(&w, "version", r->version);
	if (r->making)
		making_write(r->making, &w);
	jw_pair(&w, "build_prefix", build_prefix);
	if (r->dest_prefix.n)
		jw_pair(&w, "dest_prefix", r->dest_prefix);
	add_longest(&w, r->content);
	add_needs_relocation(&w, r->content);
	add_packages(&w, r->content);
	add_undeclared(&w, r->content, build_prefix);
	jw_key(&w, "replaced");
	jw_array(&w);
	for (size_t i = 0; i < n_replaced; i++)
		jw_str(&w, replaced[i]);
	jw_array_end(&w);
	add_ignored(&w, r->audit);
	manifest_rules_write(&w, r->rules);
	manifest_sizes_write(&w, r->sizes);
	jw_object_end(&w);
	buf_putc(to, '\n');
}
