#include "builder/disk.h"

#include "base/file.h"
#include "base/log.h"
#include "builder/entry.h"
#include "builder/upkeep.h"

#include <errno.h>
#include <sys/statvfs.h>

enum {
	BLOCK = 4096,
	EACH = 64 << 10, /* blocks that small files do not fill, and folders */
	META = 32 << 10, /* a package's file in conda-meta */
	STAGES = 4,
};
static const uint64_t UNKNOWN_SIZE = 4 << 20;

/* --- file systems ------------------------------------------------------------------------- */

static const char *nearest(struct arena *a, const char *path, struct stat *st)
{
	const char *p = path_absolute(a, path);

	while (stat(p, st) < 0 && (errno == ENOENT || errno == ENOTDIR) && p[1])
		p = path_dir(a, p);
	return p;
}

static dev_t device_of(const char *path)
{
	struct arena a = {0};
	struct stat st = {0};

	nearest(&a, path, &st);
	arena_release(&a);
	return st.st_dev;
}

/* false where the file system does not tell. */
static bool free_on(const char *path, uint64_t *bytes)
{
	struct arena a = {0};
	struct stat st = {0};
	struct statvfs vfs;
	bool told = statvfs(nearest(&a, path, &st), &vfs) == 0 && vfs.f_blocks > 0;

	if (told)
		*bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	arena_release(&a);
	return told;
}

static uint64_t peak_on(const struct disk_use *uses, size_t n, dev_t dev)
{
	uint64_t most = 0;

	for (unsigned stage = 0; stage < STAGES; stage++) {
		uint64_t sum = 0;

		for (size_t i = 0; i < n; i++)
			if (uses[i].from <= stage && stage <= uses[i].to &&
				device_of(uses[i].path) == dev)
				sum += uses[i].bytes;
		most = sum > most ? sum : most;
	}
	return most;
}

uint64_t disk_peak(const struct disk_use *uses, size_t n, const char *path)
{
	return peak_on(uses, n, device_of(path));
}

static int too_little(const struct disk_use *uses, size_t n, dev_t dev, uint64_t needed,
	uint64_t is_free, struct err *e)
{
	CLEANUP_BUF what = {0};
	char a[24], b[24];
	const char *path = NULL;

	for (size_t i = 0; i < n; i++) {
		if (uses[i].bytes == 0 || device_of(uses[i].path) != dev)
			continue;
		buf_printf(&what, "%s%s", path ? ", " : "", uses[i].what);
		path = path ? path : uses[i].path;
	}
	return err_set(e, ERR_SYSTEM,
		"too little space on the disk of '%s': %s needed for %s, %s free", path,
		format_bytes(needed, a), what.p, format_bytes(is_free, b));
}

int disk_check(const struct disk_use *uses, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		dev_t dev = device_of(uses[i].path);
		uint64_t needed = peak_on(uses, n, dev), is_free;

		if (free_on(uses[i].path, &is_free) && needed > is_free)
			return too_little(uses, n, dev, needed, is_free, e);
	}
	return 0;
}

/* --- packages ----------------------------------------------------------------------------- */

static uint64_t blocks(uint64_t bytes)
{
	return (bytes + BLOCK - 1) / BLOCK * BLOCK;
}

static uint64_t packed_size(const struct record *r)
{
	return r->size ? r->size : UNKNOWN_SIZE;
}

/* Measured on 323 packages: unpacked in blocks, against the package file. */
static uint64_t guess(const struct record *r)
{
	uint64_t tenths = str_ends(r->fn, STR(".conda")) ? 57 : 43;

	return packed_size(r) * tenths / 10 + EACH;
}

static void add_known(const struct package *p, struct disk_sizes *out)
{
	struct str folder = {0};

	for (size_t i = 0; i < p->n_files; i++) {
		const struct package_file *f = &p->files[i];
		ptrdiff_t slash = str_rchr(f->path, '/');
		struct str in = str_sub(f->path, 0, slash < 0 ? 0 : (size_t)slash);
		bool python = p->noarch == NOARCH_PYTHON && str_ends(f->path, STR(".py"));

		if (!str_eq(in, folder)) {
			out->links += BLOCK;
			out->packages += BLOCK;
			folder = in;
		}
		out->packages += blocks(f->size) * (python ? 2 : 1);
		if (f->n_offsets || f->no_link)
			out->links += blocks(f->size);
	}
	out->copies = out->copies || p->pre_link.n || p->post_link.n;
}

void disk_sizes_of(
	const struct cache *c, struct record *const *records, size_t n, struct disk_sizes *out)
{
	*out = (struct disk_sizes){0};
	for (size_t i = 0; i < n; i++) {
		struct arena a = {0};
		struct package p;

		if (package_load(&a, c, records[i], &p, NULL) == 0) {
			add_known(&p, out);
		} else {
			out->fill += guess(records[i]);
			out->packages += guess(records[i]);
			out->links += guess(records[i]) / 20;
		}
		out->packed += packed_size(records[i]);
		out->packages += META;
		out->links += META;
		arena_release(&a);
	}
}

/* --- a run -------------------------------------------------------------------------------- */

/* Reading facts costs more than it tells where everything fits several times. */
static bool fits_easily(const struct disk_plan *plan)
{
	const char *folders[] = {plan->cache->dir, plan->prefix, plan->archive, plan->test};
	uint64_t all = 0, is_free;

	for (size_t i = 0; i < plan->n_records; i++)
		all += guess(plan->records[i]);
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (folders[i] && (!free_on(folders[i], &is_free) || is_free / 8 < all))
			return false;
	return true;
}

enum stage { FILL, BUILD, ARCHIVE, TEST };

enum { USES_MAX = 5 };

static size_t list_uses(const struct disk_plan *plan, const struct disk_sizes *sizes,
	struct disk_use uses[USES_MAX])
{
	bool copies = plan->copy || sizes->copies ||
		      device_of(plan->cache->dir) != device_of(plan->prefix);
	uint64_t archive = plan->archive_percent ? sizes->packed * plan->archive_percent / 100
						 : sizes->packages;
	size_t n = 0;

	uses[n++] = (struct disk_use){plan->cache->dir, "the package cache", sizes->fill, FILL,
		plan->archive && plan->low_disk ? ARCHIVE : TEST};
	uses[n++] = (struct disk_use){plan->prefix, "the prefix",
		copies ? sizes->packages : sizes->links, BUILD, plan->archive ? ARCHIVE : TEST};
	if (plan->archive)
		uses[n++] = (struct disk_use){plan->archive, "the archive", archive, ARCHIVE, TEST};
	if (plan->archive && plan->segments)
		uses[n++] = (struct disk_use){
			plan->cache->dir, "its kept segments", archive, ARCHIVE, TEST};
	if (plan->test)
		uses[n++] = (struct disk_use){
			plan->test, "the copy that is tested", sizes->packages, TEST, TEST};
	return n;
}

static int advise(const struct disk_plan *plan, const struct disk_sizes *sizes, struct err *e)
{
	struct disk_plan low = *plan;
	struct disk_use uses[USES_MAX];

	low.low_disk = true;
	if (plan->archive && !plan->low_disk &&
		disk_check(uses, list_uses(&low, sizes, uses), NULL) == 0)
		return err_advise(
			e, "--low-disk needs less, or free some ('envbuild cache clean')");
	return err_advise(e,
		"free some ('envbuild cache clean'), or name folders on another disk: "
		"ENVBUILD_CACHE%s",
		plan->archive ? ", -o" : ", -p");
}

int disk_check_plan(const struct disk_plan *plan, uint64_t *peak, struct err *e)
{
	struct disk_sizes sizes;
	struct disk_use uses[USES_MAX];
	size_t n;

	if (!peak && fits_easily(plan))
		return 0;
	disk_sizes_of(plan->cache, plan->records, plan->n_records, &sizes);
	n = list_uses(plan, &sizes, uses);
	if (peak)
		*peak = disk_peak(uses, n, plan->prefix);
	if (disk_check(uses, n, e) < 0)
		return advise(plan, &sizes, e);
	return 0;
}
