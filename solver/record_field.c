#include "solver/record_field.h"

#define FIELD(key, member, kind)                                     \
	{                                                            \
		STR_INIT(key), kind, offsetof(struct record, member) \
	}

static const struct record_field fields[] = {
	FIELD("build", build, FIELD_TEXT),
	FIELD("build_number", build_number, FIELD_NUMBER),
	FIELD("constrains", constrains, FIELD_CONSTRAINS),
	FIELD("depends", depends, FIELD_DEPENDS),
	FIELD("extra-depends", extras, FIELD_EXTRAS),
	FIELD("extra_depends", extras, FIELD_EXTRAS),
	FIELD("features", features, FIELD_WORDS),
	FIELD("flags", flags, FIELD_WORDS),
	FIELD("indexed_timestamp", indexed, FIELD_NUMBER),
	FIELD("license", license, FIELD_TEXT),
	FIELD("license_family", license_family, FIELD_TEXT),
	FIELD("md5", md5, FIELD_MD5),
	FIELD("name", name, FIELD_TEXT),
	FIELD("noarch", noarch, FIELD_NOARCH),
	FIELD("python_site_packages_path", python_site_packages_path, FIELD_TEXT),
	FIELD("sha256", sha256, FIELD_SHA256),
	FIELD("size", size, FIELD_NUMBER),
	FIELD("timestamp", timestamp, FIELD_NUMBER),
	FIELD("track_features", track_features, FIELD_WORDS),
	FIELD("version", version, FIELD_TEXT),
};

enum { N_FIELDS = sizeof fields / sizeof *fields };

const struct record_field *record_field_of(struct str key, size_t *guess)
{
	size_t at = *guess;

	for (size_t i = 0; i < N_FIELDS; i++) {
		const struct record_field *f = &fields[at];

		at = at + 1 < N_FIELDS ? at + 1 : 0;
		if (str_eq(f->key, key)) {
			*guess = at;
			return f;
		}
	}
	return NULL;
}
