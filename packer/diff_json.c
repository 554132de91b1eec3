/* A comparison as a JSON document; docs/man/envbuild-diff.1.scd describes its keys. */
#include "packer/diff.h"

#include "base/json.h"

static void put_number(struct json_out *w, const char *key, uint64_t n, bool known)
{
	jw_key(w, key);
	if (known)
		jw_int(w, n > INT64_MAX ? INT64_MAX : (int64_t)n);
	else
		jw_null(w);
}

static const char *kind_name(enum diff_kind kind)
{
	switch (kind) {
	case DIFF_ARCHIVE:
		return "archive";
	case DIFF_LOCK:
		return "lock";
	case DIFF_PREFIX:
		break;
	}
	return "prefix";
}

static void put_side(struct json_out *w, const char *key, const struct diff_side *side)
{
	jw_key(w, key);
	jw_object(w);
	jw_pair_or_null(w, "path", side->path);
	jw_pair_or_null(w, "kind", str_of(kind_name(side->kind)));
	jw_pair_or_null(w, "name", side->name);
	jw_pair_or_null(w, "version", side->version);
	jw_pair_or_null(w, "target", side->target);
	put_number(w, "packages", side->n_packages, true);
	put_number(w, "files", side->n_files, side->has_files);
	put_number(w, "archive_bytes", side->packed, side->packed > 0);
	put_number(w, "unpacked_bytes", side->unpacked, side->unpacked > 0);
	put_number(w, "download_bytes", side->download, side->download > 0);
	jw_pair_or_null(w, "glibc", side->floor);
	jw_pair_or_null(w, "glibc_source",
		!side->floor.n ? STR("") : str_of(side->floor_declared ? "declared" : "files"));
	jw_object_end(w);
}

static void put_package(struct json_out *w, const char *key, const struct diff_package *p)
{
	char hex[SHA256_HEX + 1] = "";

	if (!p)
		return;
	if (p->has_sha256)
		hex_encode(p->sha256, SHA256_LEN, hex);
	jw_key(w, key);
	jw_object(w);
	jw_pair_or_null(w, "version", p->version);
	jw_pair_or_null(w, p->pip ? "commit" : "build", p->build);
	jw_pair_or_null(w, "manager", str_of(p->pip ? "pip" : "conda"));
	jw_pair_or_null(w, "channel", p->channel);
	jw_pair_or_null(w, "license", p->license);
	jw_pair_or_null(w, "sha256", str_of(hex));
	put_number(w, "bytes", p->size, p->size > 0);
	put_number(w, "unpacked_bytes", p->unpacked, p->unpacked > 0);
	jw_object_end(w);
}

static void put_changes(struct json_out *w, const char *key, const struct diff_changes *changes)
{
	jw_key(w, key);
	jw_array(w);
	for (size_t i = 0; i < changes->n; i++) {
		const struct diff_change *c = &changes->v[i];

		jw_object(w);
		jw_pair_or_null(w, "name", c->new ? c->new->name : c->old->name);
		put_package(w, "old", c->old);
		put_package(w, "new", c->new);
		if (c->downgrade) {
			jw_key(w, "downgrade");
			jw_bool(w, true);
		}
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void put_files(struct json_out *w, const struct diff *d)
{
	jw_key(w, "files");
	if (!d->has_files) {
		jw_null(w);
		return;
	}
	jw_object(w);
	jw_pair_strs(w, "added", d->files_added.v, d->files_added.n);
	jw_pair_strs(w, "removed", d->files_removed.v, d->files_removed.n);
	jw_pair_strs(w, "changed", d->files_changed.v, d->files_changed.n);
	jw_object_end(w);
}

void diff_json(const struct diff *d, struct buf *to)
{
	struct json_out w = {.to = to};

	jw_object(&w);
	put_side(&w, "old", d->old);
	put_side(&w, "new", d->new);
	jw_key(&w, "same");
	jw_bool(&w, d->same);
	put_changes(&w, "updated", &d->updated);
	put_changes(&w, "rebuilt", &d->rebuilt);
	put_changes(&w, "added", &d->added);
	put_changes(&w, "removed", &d->removed);
	put_changes(&w, "licences", &d->licences);
	put_changes(&w, "channels", &d->channels);
	put_files(&w, d);
	jw_object_end(&w);
	buf_putc(to, '\n');
}
