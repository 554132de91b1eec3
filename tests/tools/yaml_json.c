/* yaml_json FILE: the YAML file as JSON on stdout; all scalars as texts, a plain null as null. */
#include "base/file.h"
#include "base/json.h"
#include "base/yaml.h"

#include <stdio.h>

static void write_node(struct json_out *w, const struct yaml *y)
{
	if (y && y->kind == YAML_MAP) {
		jw_object(w);
		for (size_t i = 0; i < y->n; i++) {
			jw_key_str(w, y->keys[i]->text);
			write_node(w, y->items[i]);
		}
		jw_object_end(w);
	} else if (y && y->kind == YAML_SEQUENCE) {
		jw_array(w);
		for (size_t i = 0; i < y->n; i++)
			write_node(w, y->items[i]);
		jw_array_end(w);
	} else if (yaml_is_null(y)) {
		jw_null(w);
	} else {
		jw_str(w, y->text.p ? y->text : STR(""));
	}
}

int main(int argc, char **argv)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF out = {0};
	struct json_out w = {.to = &out};
	struct yaml *y = NULL;
	struct str text;
	struct err e = {0};

	if (argc != 2)
		return 2;
	if (file_read(&a, argv[1], 1 << 20, &text, &e) < 0 ||
		yaml_parse(&a, argv[1], text, &y, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		err_release(&e);
		return 1;
	}
	write_node(&w, y);
	printf("%.*s\n", STR_ARG(buf_view(&out)));
	return 0;
}
