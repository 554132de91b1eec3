#include "packer/measure.h"

/* A cached file that another program wrote into, through a hard link, is not released. */
int item_changed(const struct layout_item *item, struct err *e)
{
	if (!item->packaged)
		return err_set(e, ERR_FAIL, "'%s' changed while it was packed", item->source);
	err_set(e, ERR_INTEGRITY, "'%s' is not what its package holds", item->source);
	return err_advise(e,
		"something changed it in the cache: remove that package's folder there and run the "
		"same command again");
}

int item_measure(struct layout *l, pthread_mutex_t *lock, struct layout_item *item, struct str data,
	struct err *e)
{
	struct relocation_file *file = item->relocation;

	sha256_of(data.p, data.n, item->sha256);
	if (item->want && memcmp(item->want, item->sha256, SHA256_LEN) != 0)
		return item_changed(item, e);
	if (!file)
		return 0;
	if (relocation_file_measure(file, data, e) < 0)
		return -1;
	pthread_mutex_lock(lock);
	file->entry.head = arena_str(l->arena, str_n(file->entry.head, file->entry.head_len)).p;
	pthread_mutex_unlock(lock);
	return 0;
}
