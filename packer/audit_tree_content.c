/* What is about to be packed. */
#include "base/file.h"
#include "packer/audit_growing.h"
#include "packer/audit_tree.h"

#include <fcntl.h>

static int add_entry(struct audit_growing *g, const struct content_entry *entry, struct err *e)
{
	struct audit_file *f =
		audit_growing_file(g, entry->path, entry->package, entry->type, entry->mode);
	CLEANUP_FD fd = -1;

	f->link = entry->link;
	if (!binary_is_worth_a_look(entry->type, entry->size, entry->path))
		return 0;
	fd = open(entry->source, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", entry->source);
	return audit_growing_read(g, f, fd, e);
}

int audit_tree_content(struct arena *a, const struct cache *c, const struct content *content,
	struct audit_tree *out, struct err *e)
{
	struct audit_growing g = {.a = a};

	(void)c;
	for (size_t i = 0; i < content->n_packages; i++)
		audit_growing_package(&g, content->packages[i].record);
	for (size_t i = 0; i < content->n_entries; i++)
		if (add_entry(&g, &content->entries[i], e) < 0)
			return -1;
	audit_growing_finish(&g, "the environment", out);
	return 0;
}
