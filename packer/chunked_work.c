/*
 * The threads: each takes the next chunk, decompresses it, and makes the files that lie in it.
 *
 * Where tar goes on over the end of a chunk, what the next one needs to know, the file that is not
 * finished included, is handed on as a struct carry.  That is done before the chunk's other files
 * are made, so that nobody waits long for it.
 */
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/tar_blocks.h"
#include "base/work.h"
#include "packer/chunked_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { EMIT_SIZE = 1 << 20 };

/* A file that does not end with its chunk. */
struct unfinished {
	struct member m; /* its path is in `path` */
	struct buf path;
	struct listed *listed;
	uint64_t left; /* bytes to come */
	struct hash *sha256;
	int temp;                /* of one that will be relocated: its original; else -1 */
	struct place_folder dir; /* in which `file` is */
	struct place_file file;
};

/* What a chunk hands to the next. */
struct carry {
	struct tar_blocks blocks;
	struct unfinished *file; /* NULL: it ends between two members */
};

/* A file that lies wholly in a chunk. */
struct whole {
	struct member m;
	struct str data;
};

/* Folders, links: made when all files are there. */
struct late {
	struct member m;
	size_t chunk, seq;
};

/* One thread's tools. */
struct hand {
	struct hand *next;
	struct chunk_reader *reader;
	struct place_folder folder;
	struct buf emitted;
	struct arena arena; /* of one chunk */
	struct {
		struct whole *v;
		size_t n, cap;
	} wholes;
};

enum link_state { LINK_WAITING, LINK_READY, LINK_BROKEN };

struct crew {
	struct chunked *c;
	const struct place *place;
	const char *prefix;
	pthread_mutex_t lock; /* of what follows */
	struct place_count count;
	pthread_cond_t moved;
	struct hand *hands; /* idle ones */
	struct {
		enum link_state state;
		struct carry *carry;
	} * links; /* to each chunk */
	struct arena arena;
	struct {
		struct late *v;
		size_t n, cap;
	} lates;
};

/* --- handing on -------------------------------------------------------------------------------- */

static void unfinished_free(struct unfinished *u)
{
	if (!u)
		return;
	place_file_drop(&u->file);
	place_folder_release(&u->dir);
	fd_cleanup(&u->temp);
	hash_free(u->sha256);
	buf_release(&u->path);
	free(u);
}

static void carry_free(struct carry *c)
{
	if (!c)
		return;
	unfinished_free(c->file);
	tar_blocks_release(&c->blocks);
	free(c);
}

/* Does chunk i go on in the next one? */
static bool goes_on(const struct crew *w, size_t i)
{
	return i + 1 < w->c->chunks.list.n && !w->c->chunks.list.v[i + 1].first;
}

/* NULL: there will be none. */
static void hand_on(struct crew *w, size_t i, struct carry *carry)
{
	pthread_mutex_lock(&w->lock);
	w->links[i + 1].state = carry ? LINK_READY : LINK_BROKEN;
	w->links[i + 1].carry = carry;
	pthread_cond_broadcast(&w->moved);
	pthread_mutex_unlock(&w->lock);
}

/* Whoever has the chunk before is at work on it, unless the program was asked to end. */
static struct carry *wait_for(struct crew *w, size_t i, struct err *e)
{
	struct carry *carry = NULL;
	struct timespec until;
	int rc = 0;

	pthread_mutex_lock(&w->lock);
	while (w->links[i].state == LINK_WAITING && rc == 0) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 100000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&w->moved, &w->lock, &until);
		rc = interrupt_check(e);
	}
	if (rc == 0) {
		carry = w->links[i].carry;
		w->links[i].carry = NULL;
	}
	pthread_mutex_unlock(&w->lock);
	if (rc == 0 && !carry)
		err_set(e, ERR_FAIL, "the piece before was not read");
	return carry;
}

static struct hand *take_hand(struct crew *w)
{
	struct hand *hand;

	pthread_mutex_lock(&w->lock);
	hand = w->hands;
	if (hand)
		w->hands = hand->next;
	pthread_mutex_unlock(&w->lock);
	if (hand)
		return hand;
	hand = xcalloc(1, sizeof *hand);
	hand->folder.fd = -1;
	hand->reader = chunk_reader_new();
	return hand;
}

static void give_hand(struct crew *w, struct hand *hand)
{
	arena_reset(&hand->arena);
	hand->wholes.v = NULL;
	hand->wholes.n = hand->wholes.cap = 0;
	pthread_mutex_lock(&w->lock);
	hand->next = w->hands;
	w->hands = hand;
	pthread_mutex_unlock(&w->lock);
}

/* --- one file ---------------------------------------------------------------------------------- */

/* What the list says of it, which may happen once. */
static struct listed *claim(const struct crew *w, struct str path, struct err *e)
{
	const union table_value *found = table_get(&w->c->files, path);
	struct listed *l = found ? found->ptr : NULL;

	if (!l)
		place_hostile(w->place, path, "is not in its list of files", e);
	else if (!atomic_exchange(&l->seen, true))
		return l;
	else
		place_hostile(w->place, path, "is there twice", e);
	return NULL;
}

static int check_sum(const struct crew *w, struct str path, const struct listed *l,
	const uint8_t *sum, struct err *e)
{
	if (memcmp(l->sha256, sum, SHA256_LEN) == 0)
		return 0;
	return place_hostile(w->place, path, "is damaged: its sum is not what the list says", e);
}

struct emitter {
	struct place_file *file; /* NULL: bytes are only counted */
	struct buf *buf;
	uint64_t n;
	struct err *e;
};

static int emit_flush(struct emitter *to)
{
	int rc = place_file_put(to->file, to->buf->p, to->buf->n, to->e);

	buf_clear(to->buf);
	return rc;
}

static int emit(void *ctx, const char *p, size_t n)
{
	struct emitter *to = ctx;

	to->n += n;
	if (!to->file)
		return 0;
	if (to->buf->n && to->buf->n + n > EMIT_SIZE && emit_flush(to) < 0)
		return -1;
	if (n > EMIT_SIZE)
		return place_file_put(to->file, p, n, to->e);
	return buf_add(to->buf, p, n);
}

/* The file as it is with the prefix wanted, from its bytes as packed. */
static int put_relocated(const struct crew *w, struct hand *hand, struct place_folder *folder,
	const struct member *m, const struct relocate_entry *entry, struct str data, struct err *e)
{
	const char *from = w->c->held ? w->c->held : entry->placeholder;
	struct place_file file;
	struct emitter to = {.buf = &hand->emitted, .e = e};
	int rc;

	if (!relocate_holds(entry, data.p ? data.p : "", data.n, from) ||
		relocate_convert(entry, data.p, data.n, from, w->prefix, emit, &to) != 0)
		return place_hostile(w->place, m->path,
			"is not what the relocation index says: they disagree", e);
	if (place_file_begin(w->place, folder, m, to.n, &file, e) < 0)
		return -1;
	to.file = &file;
	buf_clear(to.buf);
	rc = relocate_convert(entry, data.p, data.n, from, w->prefix, emit, &to);
	if (rc == 0)
		rc = emit_flush(&to);
	if (rc == 0)
		return place_file_end(&file, e);
	place_file_drop(&file);
	return -1;
}

static int put_plain(const struct crew *w, struct place_folder *folder, const struct member *m,
	struct str data, struct err *e)
{
	struct place_file file;

	if (place_file_begin(w->place, folder, m, data.n, &file, e) < 0)
		return -1;
	if (place_file_put(&file, data.p, data.n, e) == 0)
		return place_file_end(&file, e);
	place_file_drop(&file);
	return -1;
}

/* Its sum is known to be right. */
static int put_file(const struct crew *w, struct hand *hand, struct place_folder *folder,
	const struct member *m, const struct listed *l, struct str data, struct err *e)
{
	/* It is written last, as it then is. */
	if (w->prefix && str_is(m->path, RELOCATE_RECORD_PATH))
		return 0;
	if (w->prefix && l->relocation)
		return put_relocated(w, hand, folder, m, l->relocation, data, e);
	return put_plain(w, folder, m, data, e);
}

static int put_whole(const struct crew *w, struct hand *hand, const struct whole *f, struct err *e)
{
	const struct listed *l = claim(w, f->m.path, e);
	uint8_t sum[SHA256_LEN];

	if (!l)
		return -1;
	sha256_of(f->data.p, f->data.n, sum);
	if (check_sum(w, f->m.path, l, sum, e) < 0)
		return -1;
	return put_file(w, hand, &hand->folder, &f->m, l, f->data, e);
}

/* --- a file over several chunks ------------------------------------------------------------------ */

/* A nameless file in the place; what a kill leaves of its name, the next run takes again. */
static int open_temp(const struct crew *w, size_t chunk, struct err *e)
{
	char name[64];
	int fd;

	snprintf(name, sizeof name, PLACE_TEMP_START "%zu.tmp", chunk);
	fd = openat(
		w->place->root, name, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "cannot make a temporary file in '%s'", w->place->path);
	unlinkat(w->place->root, name, 0);
	return fd;
}

static int put_part(struct unfinished *u, struct str part, struct err *e)
{
	hash_update(u->sha256, part.p, part.n);
	u->left -= part.n;
	if (u->temp >= 0)
		return write_full(u->temp, part.p, part.n, e);
	return u->file.place ? place_file_put(&u->file, part.p, part.n, e) : 0;
}

static int begin_file(struct crew *w, size_t chunk, const struct member *m, struct str part,
	struct unfinished **out, struct err *e)
{
	struct unfinished *u = xcalloc(1, sizeof *u);
	bool skipped = w->prefix && str_is(m->path, RELOCATE_RECORD_PATH);

	*out = u;
	u->temp = u->dir.fd = u->file.fd = -1;
	u->sha256 = hash_new(HASH_SHA256);
	buf_str(&u->path, m->path);
	u->m = *m;
	u->m.path = buf_view(&u->path);
	u->left = m->size;
	u->listed = claim(w, m->path, e);
	if (!u->listed)
		return -1;
	if (w->prefix && u->listed->relocation)
		u->temp = open_temp(w, chunk, e);
	else if (!skipped && place_file_begin(w->place, &u->dir, &u->m, m->size, &u->file, e) < 0)
		return -1;
	if (w->prefix && u->listed->relocation && u->temp < 0)
		return -1;
	return put_part(u, part, e);
}

static int end_file(struct crew *w, struct hand *hand, struct unfinished *u, struct err *e)
{
	uint8_t sum[SHA256_LEN];
	struct str data;
	int rc;

	hash_final(u->sha256, sum);
	if (check_sum(w, u->m.path, u->listed, sum, e) < 0)
		return -1;
	if (u->temp < 0)
		return u->file.place ? place_file_end(&u->file, e) : 0;
	if (fd_map(u->temp, &data, e) < 0)
		return -1;
	rc = put_file(w, hand, &u->dir, &u->m, u->listed, data, e);
	file_unmap(data);
	return rc;
}

/* --- one chunk --------------------------------------------------------------------------------- */

static int bad_tar(const struct crew *w, size_t i, struct err *e)
{
	return err_set(e, ERR_INTEGRITY,
		"damaged archive '%s': no tar as envbuild writes it in the "
		"piece at byte %llu",
		w->c->name, (unsigned long long)w->c->chunks.list.v[i].at);
}

static void keep_member(struct arena *a, const struct member *from, struct member *to)
{
	*to = *from;
	to->path = arena_str(a, from->path);
	to->link = arena_str(a, from->link);
}

static void add_late(struct crew *w, size_t i, const struct member *m)
{
	struct late late = {.chunk = i};

	pthread_mutex_lock(&w->lock);
	keep_member(&w->arena, m, &late.m);
	late.seq = w->lates.n;
	*VEC_PUSH(&w->arena, &w->lates) = late;
	pthread_mutex_unlock(&w->lock);
}

static int count(struct crew *w, const struct member *m, struct err *e)
{
	int rc;

	pthread_mutex_lock(&w->lock);
	rc = place_count(&w->count, w->c->name, m, e);
	pthread_mutex_unlock(&w->lock);
	return rc;
}

/* The head of a member that came: its body begins at *at. */
static int take_member(struct crew *w, struct hand *hand, size_t i, struct carry *c,
	struct str piece, size_t *at, struct err *e)
{
	const struct member *m = &c->blocks.member;
	struct str body = str_sub(piece, *at, piece.n);
	struct whole *whole;

	if (count(w, m, e) < 0)
		return -1;
	if (m->type == MEMBER_HARDLINK)
		return place_hostile(
			w->place, m->path, "is a hard link, of which envbuild packs none", e);
	if (m->type != MEMBER_FILE) {
		add_late(w, i, m);
		return 0;
	}
	if (m->size > body.n) {
		*at = piece.n;
		return begin_file(w, i, m, body, &c->file, e);
	}
	whole = VEC_PUSH(&hand->arena, &hand->wholes);
	keep_member(&hand->arena, m, &whole->m);
	whole->data = str_sub(body, 0, m->size);
	*at += tar_padded(m->size);
	return 0;
}

/* The rest of the file that the chunk before could not finish. */
static int go_on(struct crew *w, struct hand *hand, struct carry *c, struct str piece, size_t *at,
	struct err *e)
{
	struct unfinished *u = c->file;
	size_t n = u->left < piece.n ? (size_t)u->left : piece.n;
	int rc = put_part(u, str_sub(piece, 0, n), e);

	*at = tar_padded(n);
	if (rc < 0 || u->left)
		return rc;
	rc = end_file(w, hand, u, e);
	unfinished_free(u);
	c->file = NULL;
	return rc;
}

/* Goes over the chunk: what began before is finished, what ends later begun, the rest listed. */
static int walk_chunk(struct crew *w, struct hand *hand, size_t i, struct carry *c,
	struct str piece, struct err *e)
{
	size_t at = 0;

	if (c->file && go_on(w, hand, c, piece, &at, e) < 0)
		return -1;
	while (at < piece.n) {
		int rc = tar_block(&c->blocks, piece.p + at);

		at += TAR_BLOCK;
		if (rc < 0)
			return bad_tar(w, i, e);
		if (rc > 0 && take_member(w, hand, i, c, piece, &at, e) < 0)
			return -1;
	}
	return 0;
}

/* A segment ends between members, and only the last one with the end of the archive. */
static int check_segment_end(struct crew *w, size_t i, const struct carry *c, struct err *e)
{
	bool last = i + 1 == w->c->chunks.list.n;

	if (c->file || !tar_blocks_between(&c->blocks) || last != (c->blocks.zeros > 0))
		return bad_tar(w, i, e);
	return 0;
}

static int unpack_chunk(struct crew *w, struct hand *hand, size_t i, struct err *e)
{
	const struct archive_chunk *chunk = &w->c->chunks.list.v[i];
	bool more = goes_on(w, i);
	struct carry *carry = NULL;
	struct str piece;
	int rc = chunk_read(hand->reader, &w->c->source, w->c->chunks.form, chunk, &piece, e);

	if (rc == 0)
		carry = chunk->first ? xcalloc(1, sizeof *carry) : wait_for(w, i, e);
	rc = carry ? walk_chunk(w, hand, i, carry, piece, e) : -1;
	if (rc == 0 && !more)
		rc = check_segment_end(w, i, carry, e);
	if (!more || rc < 0) {
		carry_free(carry);
		carry = NULL;
	}
	if (more)
		hand_on(w, i, carry);
	for (size_t k = 0; rc == 0 && k < hand->wholes.n; k++)
		rc = put_whole(w, hand, &hand->wholes.v[k], e);
	return rc;
}

static int work_on_chunk(void *ctx, size_t i, struct err *e)
{
	struct crew *w = ctx;
	struct hand *hand = take_hand(w);
	int rc = unpack_chunk(w, hand, i, e);

	give_hand(w, hand);
	return rc;
}

/* --- the whole --------------------------------------------------------------------------------- */

static int late_order(const void *a, const void *b)
{
	const struct late *x = a, *y = b;

	if (x->chunk != y->chunk)
		return x->chunk < y->chunk ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* In the archive's order, after all files: so no link is ever in the way of one, and whichever of
 * two that exclude each other comes first in the archive, the verdict is the same. */
static int make_lates(struct crew *w, struct err *e)
{
	struct table made = {.arena = &w->arena};
	struct place_folder folder = {.fd = -1};
	int rc = 0;

	if (w->lates.n)
		qsort(w->lates.v, w->lates.n, sizeof *w->lates.v, late_order);
	for (size_t i = 0; i < w->lates.n && rc == 0; i++) {
		const struct member *m = &w->lates.v[i].m;

		if (m->type == MEMBER_SYMLINK && table_get(&made, m->path))
			rc = place_hostile(w->place, m->path, "is there twice", e);
		else
			rc = place_make(w->place, &folder, m, e);
		table_put(&made, m->path);
	}
	place_folder_release(&folder);
	return rc;
}

static int check_all_seen(const struct crew *w, struct err *e)
{
	for (size_t i = 0; i < w->c->files.n; i++) {
		const struct table_entry *entry = &w->c->files.entries[i];

		if (!atomic_load(&((struct listed *)entry->value.ptr)->seen))
			return place_hostile(w->place, entry->key,
				"is missing, though its list of files has it", e);
	}
	return 0;
}

/* What all files hold now, readable for whoever may read the index. */
static int write_record(const struct crew *w, struct err *e)
{
	struct member m = w->c->index_m;
	struct place_folder folder = {.fd = -1};
	CLEANUP_BUF line = {0};
	int rc;

	buf_printf(&line, "%s\n", w->prefix);
	m.path = STR(RELOCATE_RECORD_PATH);
	m.type = MEMBER_FILE;
	m.mode = (m.mode & 0444) | 0600;
	m.has_mtime = true;
	rc = put_plain(w, &folder, &m, buf_view(&line), e);
	place_folder_release(&folder);
	return rc;
}

static int check_length(const struct crew *w, struct err *e)
{
	struct relocate_error why = {0};

	if (relocate_check_length(&w->c->relocation, w->prefix, NULL, NULL, &why) == 0)
		return 0;
	return err_set(e, ERR_FAIL, "%s", why.text);
}

static void release(struct crew *w)
{
	while (w->hands) {
		struct hand *hand = w->hands;

		w->hands = hand->next;
		chunk_reader_free(hand->reader);
		place_folder_release(&hand->folder);
		buf_release(&hand->emitted);
		arena_release(&hand->arena);
		free(hand);
	}
	for (size_t i = 0; i < w->c->chunks.list.n; i++)
		carry_free(w->links[i].carry);
	free(w->links);
	pthread_cond_destroy(&w->moved);
	pthread_mutex_destroy(&w->lock);
	arena_release(&w->arena);
}

int chunked_unpack(struct chunked *c, const struct place *place, const char *prefix, unsigned jobs,
	struct err *e)
{
	struct crew w = {.c = c,
		.place = place,
		.prefix = prefix,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.moved = PTHREAD_COND_INITIALIZER};
	int rc;

	if (prefix && chunked_read_index(c, e) < 0)
		return -1;
	if (prefix && check_length(&w, e) < 0)
		return -1;
	w.links = xcalloc(c->chunks.list.n + 1, sizeof *w.links);
	rc = work_run(jobs, c->chunks.list.n, work_on_chunk, &w, e);
	if (rc == 0)
		rc = check_all_seen(&w, e);
	if (rc == 0)
		rc = make_lates(&w, e);
	if (rc == 0 && prefix)
		rc = write_record(&w, e);
	release(&w);
	return rc;
}
