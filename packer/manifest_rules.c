/* The manifest's "rules": what was asked for, and what came of it (docs/design/rules.md). */
#include "packer/rules.h"

static void key_sum(struct json_out *w, const uint8_t sum[SHA256_LEN])
{
	char hex[SHA256_HEX + 1];

	hex_encode(sum, SHA256_LEN, hex);
	jw_pair(w, "sha256", str_of(hex));
}

static void add_patterns(struct json_out *w, const char *key, const struct rule_patterns *list)
{
	jw_key(w, key);
	jw_array(w);
	for (size_t i = 0; i < list->n; i++) {
		jw_object(w);
		jw_pair(w, "pattern", list->v[i].text);
		jw_pair_int(w, "files", (int64_t)list->v[i].files);
		jw_pair_int(w, "bytes", (int64_t)list->v[i].bytes);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void add_drops(struct json_out *w, const struct rules *r)
{
	jw_key(w, "drop");
	jw_array(w);
	for (int i = 0; i < N_DROPS; i++) {
		if (!r->drop[i].asked)
			continue;
		jw_object(w);
		jw_pair(w, "name", str_of(rules_drop_name((enum rules_drop)i)));
		jw_pair_int(w, "files", (int64_t)r->drop[i].files);
		jw_pair_int(w, "bytes", (int64_t)r->drop[i].bytes);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void add_rename(struct json_out *w, const struct rule_rename *r)
{
	jw_object(w);
	jw_pair(w, "from", r->from.text);
	jw_pair(w, "to", r->to);
	jw_key(w, "files");
	jw_array(w);
	for (size_t i = 0; i < r->done.n; i++) {
		jw_object(w);
		jw_pair(w, "from", r->done.v[i].from);
		jw_pair(w, "to", r->done.v[i].to);
		jw_object_end(w);
	}
	jw_array_end(w);
	jw_object_end(w);
}

static void add_file(struct json_out *w, const struct rule_file *f)
{
	jw_object(w);
	jw_pair(w, "path", f->path);
	if (f->link.n) {
		jw_pair(w, "link", f->link);
	} else {
		key_sum(w, f->sha256);
		jw_pair_int(w, "bytes", (int64_t)f->size);
		jw_key(w, "executable");
		jw_bool(w, f->executable);
	}
	jw_object_end(w);
}

static void add_pre_pack(struct json_out *w, const struct rules *r)
{
	jw_key(w, "pre_pack");
	if (!r->has_pre_pack) {
		jw_null(w);
		return;
	}
	jw_object(w);
	key_sum(w, r->pre_pack_sha256);
	jw_object_end(w);
}

void manifest_rules_write(struct json_out *w, const struct rules *r)
{
	if (!r || !rules_any(r))
		return;
	jw_key(w, "rules");
	jw_object(w);
	add_patterns(w, "exclude", &r->exclude);
	add_patterns(w, "include", &r->include);
	add_drops(w, r);
	jw_key(w, "rename");
	jw_array(w);
	for (size_t i = 0; i < r->rename.n; i++)
		add_rename(w, &r->rename.v[i]);
	jw_array_end(w);
	jw_key(w, "add");
	jw_array(w);
	for (size_t i = 0; i < r->add.n; i++)
		add_file(w, &r->add.v[i]);
	jw_array_end(w);
	add_pre_pack(w, r);
	jw_key(w, "max_size");
	if (r->max_size)
		jw_int(w, (int64_t)r->max_size);
	else
		jw_null(w);
	jw_pair_strs(w, "removed", r->removed, r->n_removed);
	jw_pair_strs(w, "changed", r->changed, r->n_changed);
	jw_object_end(w);
}
