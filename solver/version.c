#include "solver/version.h"

#include "solver/version_key.h"

struct version {
	struct str text;
	size_t key_n;
	uint8_t key[];
};

int version_wrap(struct err *e, const char *what, struct str text)
{
	enum { SHOWN = 300 };
	bool cut = text.n > SHOWN;

	text = str_sub(text, 0, SHOWN);
	return err_wrap(e, "invalid %s '%.*s%s'", what, STR_ARG(text), cut ? "..." : "");
}

int version_parse(struct arena *a, struct str text, const struct version **out, struct err *e)
{
	struct version_key key;
	struct version *v;

	text = str_trim(text);
	if (version_key_make(text, KEY_EXACT, text.p, &key, e) < 0)
		return version_wrap(e, "version", text);
	v = arena_alloc(a, sizeof(*v) + key.n);
	v->text = text;
	v->key_n = key.n;
	memcpy(v->key, key.p, key.n);
	*out = v;
	return 0;
}

int version_cmp(const struct version *a, const struct version *b)
{
	return str_cmp(version_key(a), version_key(b));
}

struct str version_text(const struct version *v)
{
	return v->text;
}

struct str version_key(const struct version *v)
{
	return str_n((const char *)v->key, v->key_n);
}
