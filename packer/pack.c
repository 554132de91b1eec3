/*
 * Writing an archive (docs/design/archive.md): first the papers, then the packages by name, then
 * what was generated, and last what can only be known at the end, the relocation index, with the
 * programs that use it.
 */
#include "packer/pack.h"

#include "base/file.h"
#include "base/table.h"
#include "builder/install.h"
#include "packer/embed.h"
#include "packer/form.h"
#include "packer/making.h"
#include "packer/papers.h"
#include "packer/relocator/host.h"
#include "packer/sums.h"

#include <stdio.h>
#include <stdlib.h>

struct packing {
	const struct pack_request *r;
	struct arena arena;
	struct layout main, end;
	struct buf manifest, host, index, sums;
	struct variables_text variables;
	struct {
		struct str *v;
		size_t n, cap;
	} replaced;
	int level;
	struct form form;
	struct step step;
};

/* --- what is packed --------------------------------------------------------------------------- */

static int check_paths(struct packing *p, struct err *e)
{
	const struct content *c = p->r->content;
	struct table leaves = {.arena = &p->arena};

	for (size_t i = 0; i < c->n_entries; i++) {
		const struct content_entry *entry = &c->entries[i];

		if (!path_is_safe(entry->path))
			return err_set(e, ERR_INTEGRITY, "unsafe path '%.*s' in the environment",
				STR_ARG(entry->path));
		if (i && str_cmp(c->entries[i - 1].path, entry->path) >= 0)
			return err_set(e, ERR_INTEGRITY, "path '%.*s' twice in the environment",
				STR_ARG(entry->path));
		if (entry->type != PATH_DIRECTORY)
			table_put(&leaves, entry->path);
	}
	/* Nothing below a link or a file: no careful reader would unpack it. */
	for (size_t i = 0; i < c->n_entries; i++) {
		struct str path = c->entries[i].path;

		for (size_t n = 0; n < path.n; n++)
			if (path.p[n] == '/' && table_get(&leaves, str_sub(path, 0, n)))
				return err_set(e, ERR_INTEGRITY,
					"'%.*s' lies below '%.*s', which is no folder",
					STR_ARG(path), STR_ARG(str_sub(path, 0, n)));
	}
	return 0;
}

/* What every archive gets at its end needs folders to lie in. */
static int check_own_folders(const struct content *c, struct err *e)
{
	for (size_t i = 0; i < c->n_entries; i++) {
		const struct content_entry *entry = &c->entries[i];

		if (entry->type != PATH_DIRECTORY &&
			(str_is(entry->path, "bin") || str_is(entry->path, "conda-meta")))
			return err_set(e, ERR_INTEGRITY,
				"'%.*s' of the environment is no folder, and files of envbuild's "
				"own go there",
				STR_ARG(entry->path));
	}
	return 0;
}

/* Ours wins over a package's; the manifest says so. */
static void find_replaced(struct packing *p)
{
	const struct content *c = p->r->content;

	for (size_t i = 0; i < c->n_entries; i++) {
		struct str path = c->entries[i].path;

		if (!papers_own(path))
			continue;
		log_warn("'%.*s' of the environment gives way to envbuild's own", STR_ARG(path));
		*VEC_PUSH(&p->arena, &p->replaced) = path;
	}
}

/* A folder that holds something needs no entry: whoever unpacks makes it. */
static bool is_full_folder(const struct content *c, size_t i)
{
	const struct content_entry *entry = &c->entries[i];

	if (entry->type != PATH_DIRECTORY)
		return false;
	/* "a-b" sorts between "a" and "a/b". */
	for (size_t k = i + 1; k < c->n_entries; k++) {
		struct str path = c->entries[k].path;

		if (!str_starts(path, entry->path))
			return false;
		if (path.n > entry->path.n && path.p[entry->path.n] == '/')
			return true;
	}
	return false;
}

static int add_segment(struct packing *p, const size_t *order, size_t n, struct err *e)
{
	const struct content *c = p->r->content;

	for (size_t i = 0; i < n; i++)
		if (layout_add_entry(&p->main, c, &c->entries[order[i]], p->r->epoch, e) < 0)
			return -1;
	layout_end_segment(&p->main, 0);
	p->main.segments.v[p->main.segments.n - 1].keep = true;
	return 0;
}

/* Which segment an entry belongs to: its package's, or the last. */
static size_t segment_of(const struct content *c, const struct content_entry *entry)
{
	bool packaged = entry->package >= 0 && (size_t)entry->package < c->n_packages;

	return packaged && !entry->generated ? (size_t)entry->package : c->n_packages;
}

static int add_content(struct packing *p, struct err *e)
{
	const struct content *c = p->r->content;
	size_t n_segments = c->n_packages + 1, total = 0;
	size_t *count = arena_array(&p->arena, size_t, n_segments + 1);
	size_t *order = arena_array(&p->arena, size_t, c->n_entries + 1);
	bool *kept = arena_array(&p->arena, bool, c->n_entries + 1);

	for (size_t i = 0; i < c->n_entries; i++) {
		kept[i] = !papers_own(c->entries[i].path) && !is_full_folder(c, i);
		if (kept[i])
			count[segment_of(c, &c->entries[i])]++;
	}
	for (size_t s = 0; s < n_segments; s++) {
		size_t n = count[s];

		count[s] = total;
		total += n;
	}
	for (size_t i = 0; i < c->n_entries; i++)
		if (kept[i])
			order[count[segment_of(c, &c->entries[i])]++] = i;
	for (size_t s = 0, from = 0; s < n_segments; from = count[s++])
		if (add_segment(p, order + from, count[s] - from, e) < 0)
			return -1;
	return 0;
}

static struct str paper_path(struct packing *p, const char *name)
{
	return arena_strf(&p->arena, "%s%s", PAPERS_DIR, name);
}

static int paper_order(const void *a, const void *b)
{
	return strcmp(((const struct pack_paper *)a)->name, ((const struct pack_paper *)b)->name);
}

static int add_papers(struct packing *p, struct err *e)
{
	const struct pack_request *r = p->r;
	struct pack_paper *papers = arena_array(&p->arena, struct pack_paper, r->n_papers + 1);

	if (r->n_papers)
		memcpy(papers, r->papers, r->n_papers * sizeof *papers);
	qsort(papers, r->n_papers, sizeof *papers, paper_order);
	if (r->making)
		making_settle(r->making, r, p->level);
	manifest_write(r, p->main.build_prefix, p->replaced.v, p->replaced.n, &p->manifest);
	layout_add_data(
		&p->main, paper_path(p, "manifest.json"), 0644, r->epoch, buf_view(&p->manifest));
	host_write(r, &p->host);
	layout_add_data(&p->main, STR(RELOCATE_HOST), 0644, r->epoch, buf_view(&p->host));
	for (size_t i = 0; i < r->n_papers; i++) {
		if (!papers_name_is_free(papers[i].name) ||
			(i && strcmp(papers[i - 1].name, papers[i].name) == 0))
			return err_set(e, ERR_FAIL, "no name for a paper: '%s'", papers[i].name);
		layout_add_data(
			&p->main, paper_path(p, papers[i].name), 0644, r->epoch, papers[i].text);
	}
	layout_end_segment(&p->main, 0);
	return 0;
}

/* --- the end ---------------------------------------------------------------------------------- */

static int relocation_order(const void *a, const void *b)
{
	const struct relocation_file *const *x = a, *const *y = b;

	return strcmp((*x)->entry.path, (*y)->entry.path);
}

static void write_index(struct packing *p)
{
	struct relocation_file **files =
		arena_array(&p->arena, struct relocation_file *, p->main.items.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < p->main.items.n; i++)
		if (p->main.items.v[i].relocation)
			files[n++] = p->main.items.v[i].relocation;
	qsort(files, n, sizeof *files, relocation_order);
	relocation_write(files, n, &p->index);
}

static void add_sums(struct packing *p, const struct layout *l)
{
	for (size_t i = 0; i < l->items.n; i++)
		if (l->items.v[i].head.type == MEMBER_FILE)
			sums_add(&p->sums, l->items.v[i].head.path, l->items.v[i].sha256);
}

static void add_variables(struct packing *p)
{
	struct variables_text *v = &p->variables;

	layout_add_data(
		&p->end, paper_path(p, "variables.csh"), 0644, p->r->epoch, buf_view(&v->csh));
	layout_add_data(
		&p->end, paper_path(p, "variables.fish"), 0644, p->r->epoch, buf_view(&v->fish));
	layout_add_data(
		&p->end, paper_path(p, "variables.sh"), 0644, p->r->epoch, buf_view(&v->sh));
}

/* The last segment, with the end of the archive. */
static void add_end(struct packing *p)
{
	struct embedded_file files[N_EMBEDDED];

	embedded_files(files);
	for (size_t i = 0; i < N_EMBEDDED; i++)
		layout_add_data(
			&p->end, str_of(files[i].path), files[i].mode, p->r->epoch, files[i].data);
	layout_add_data(&p->end, STR(RELOCATE_INDEX), 0644, p->r->epoch, buf_view(&p->index));
	add_variables(p);
	if (p->r->dest_prefix.n)
		layout_add_data(&p->end, paper_path(p, RELOCATE_RECORD), 0644, p->r->epoch,
			arena_strf(&p->arena, "%s\n", p->main.dest_prefix));
	add_sums(p, &p->main);
	add_sums(p, &p->end);
	layout_add_data(&p->end, STR(SUMS_PATH), 0644, p->r->epoch, buf_view(&p->sums));
	layout_end_segment(&p->end, 2 * 512);
}

static uint64_t bytes_of(const struct layout *l)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < l->segments.n; i++)
		bytes += l->segments.v[i].bytes;
	return bytes;
}

static int write_all(struct packing *p, struct pack_result *out, struct err *e)
{
	int rc;

	step_begin(&p->step, "pack", 0, bytes_of(&p->main));
	p->form.step = &p->step;
	rc = form_write(&p->form, &p->main, e);
	if (rc == 0) {
		write_index(p);
		add_end(p);
		rc = form_write(&p->form, &p->end, e);
	}
	if (rc == 0)
		rc = form_finish(&p->form, out, e);
	if (rc < 0)
		step_fail(&p->step);
	else
		step_end(&p->step, "%zu files", p->main.items.n + p->end.items.n);
	return rc;
}

static int write_to(struct packing *p, struct pack_result *out, struct err *e)
{
	int rc;

	if (form_begin(&p->form, p->r, e) < 0)
		return -1;
	rc = write_all(p, out, e);
	form_close(&p->form);
	out->unpacked_bytes = bytes_of(&p->main) + bytes_of(&p->end);
	out->files = p->main.items.n + p->end.items.n;
	return rc;
}

/* Without a sandbox the prefix is built at a path of this machine, made as long as the usual one,
 * which then stands for it in the archive. */
static struct str build_prefix_of(const struct content *c)
{
	struct str usual = str_of(BUILD_PREFIX);

	return c->build_prefix.n == usual.n ? usual : c->build_prefix;
}

/* The least room is named; that of each file is asked for when it is read. */
static int check_dest_prefix(struct packing *p, struct err *e)
{
	const struct content *c = p->r->content;
	struct str dest = p->r->dest_prefix;
	ptrdiff_t units = text_units(dest, TEXT_UTF32LE);

	if (dest.n == 0)
		return 0;
	p->main.dest_prefix = arena_cstr(&p->arena, dest);
	if (memchr(dest.p, 0, dest.n) || !relocate_prefix_is_good(p->main.dest_prefix))
		return err_set(e, ERR_USAGE, "destination prefix '%.*s' is no absolute path",
			STR_ARG(dest));
	if (units < 0 || (size_t)units <= c->longest_prefix)
		return 0;
	err_set(e, ERR_FAIL, "path too long: '%.*s' has %zu bytes, and '%.*s' has room for %zu",
		STR_ARG(dest), dest.n, STR_ARG(c->longest_prefix_path), c->longest_prefix);
	return err_advise(e, "pack for a path of at most %zu bytes", c->longest_prefix);
}

int pack_write(const struct pack_request *r, struct pack_result *out, struct err *e)
{
	struct packing p = {.r = r};
	int rc = -1;

	*out = (struct pack_result){0};
	p.main.arena = p.end.arena = &p.arena;
	p.main.build_prefix = build_prefix_of(r->content);
	if (form_level(r, &p.level, e) == 0 && check_paths(&p, e) == 0 &&
		check_own_folders(r->content, e) == 0 && check_dest_prefix(&p, e) == 0 &&
		variables_write(r->content, r->name, &p.variables, e) == 0) {
		find_replaced(&p);
		if (add_papers(&p, e) == 0 && add_content(&p, e) == 0)
			rc = write_to(&p, out, e);
	}
	buf_release(&p.manifest);
	buf_release(&p.host);
	variables_text_release(&p.variables);
	buf_release(&p.index);
	buf_release(&p.sums);
	arena_release(&p.arena);
	return rc;
}
