/* Where else the files of a channel lie: --mirror and envbuild.yml's `mirrors`. */
#include "cli/mirrors.h"

#include "solver/channel.h"

/* What can be told from a channel's name: a URL, or a folder. */
static bool is_place(struct str s)
{
	static const struct str beginnings[] = {STR_INIT("https://"), STR_INIT("http://"),
		STR_INIT("file://"), STR_INIT("/"), STR_INIT("./"), STR_INIT("../"),
		STR_INIT("~/")};

	for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
		if (str_starts(s, beginnings[i]))
			return true;
	return false;
}

/* CHANNEL=URL, either of which may have more of "=". */
static int split(struct arena *a, const char *word, struct mirror_setting *out, struct err *e)
{
	struct str all = str_of(word);

	for (size_t i = 1; i < all.n; i++)
		if (all.p[i] == '=' && is_place(str_sub(all, i + 1, all.n))) {
			out->channel = str_sub(all, 0, i);
			out->mirror = str_sub(all, i + 1, all.n);
			return 0;
		}
	err_set(e, ERR_USAGE, "--mirror takes CHANNEL=URL, not '%s'", http_redact(a, word));
	return err_advise(e, "for example --mirror conda-forge=https://mirror.example/conda-forge");
}

static int declare(
	struct session *s, const struct mirror_setting *m, const char *dir, struct err *e)
{
	struct arena *a = &s->arena;
	struct channel_list channel = {0}, mirror = {0};

	if (!is_place(m->mirror)) {
		err_set(e, ERR_INPUT, "the mirror '%s' is neither a URL nor a folder",
			http_redact(a, arena_cstr(a, m->mirror)));
		return err_advise(e, "a folder begins with / or ./ or ../");
	}
	if (channel_add(a, &channel, m->channel, &s->rules, dir, e) < 0 ||
		channel_add(a, &mirror, m->mirror, &s->rules, dir, e) < 0)
		return -1;
	if (channel.n != 1) {
		err_set(e, ERR_INPUT, "a mirror of '%s', which is not one channel",
			http_redact(a, arena_cstr(a, m->channel)));
		return err_advise(e, "name the channel by its URL, such as "
				     "https://repo.anaconda.com/pkgs/main");
	}
	http_add_mirror(s->http, arena_cstr(a, channel.v[0].url), mirror.v[0].fetch_url);
	return 0;
}

/* condarc's: the channel is asked for there and nowhere else, in that order. */
static int declare_only(struct session *s, const struct channel_group *g, struct err *e)
{
	struct arena *a = &s->arena;
	struct channel_list channel = {0};
	bool itself = false;

	if (channel_add(a, &channel, g->name, &s->rules, s->condarc.dir, e) < 0)
		return -1;
	if (channel.n != 1)
		return err_set(e, ERR_INPUT, "'%.*s' is not one channel", STR_ARG(g->name));
	for (size_t i = 0; i < g->n; i++) {
		struct mirror_setting m = {g->name, g->members[i], NULL};

		itself |= str_eq(str_of(http_redact(a, arena_cstr(a, m.mirror))), channel.v[0].url);
		if (declare(s, &m, s->condarc.dir, e) < 0)
			return -1;
	}
	if (!itself)
		http_only_mirrors(s->http, arena_cstr(a, channel.v[0].url));
	return 0;
}

int mirrors_declare(
	struct session *s, const struct settings *settings, const char *dir, struct err *e)
{
	const struct options *o = &s->line.options;

	for (size_t i = 0; i < o->mirrors.n; i++) {
		struct mirror_setting m = {0};

		if (split(&s->arena, o->mirrors.v[i], &m, e) < 0)
			return -1;
		if (declare(s, &m, ".", e) < 0)
			return err_wrap(e, "--mirror");
	}
	for (size_t i = 0; settings && i < settings->n_mirrors; i++)
		if (declare(s, &settings->mirrors[i], dir, e) < 0)
			return err_wrap(e, "%s", settings->mirrors[i].place);
	for (size_t i = 0; i < s->condarc.n_mirrored; i++)
		if (declare_only(s, &s->condarc.mirrored[i], e) < 0)
			return err_wrap(e, "%s: mirrored_channels", s->condarc.path);
	return 0;
}
