#include "packer/embed.h"

extern const char envbuild_activate[], envbuild_activate_end[];
extern const char envbuild_conda_unpack[], envbuild_conda_unpack_end[];
extern const char envbuild_deactivate[], envbuild_deactivate_end[];

static struct str between(const char *start, const char *end)
{
	return str_n(start, (size_t)(end - start));
}

void embedded_files(struct embedded_file files[N_EMBEDDED])
{
	files[0] = (struct embedded_file){
		"bin/activate", 0644, between(envbuild_activate, envbuild_activate_end)};
	files[1] = (struct embedded_file){"bin/conda-unpack", 0755,
		between(envbuild_conda_unpack, envbuild_conda_unpack_end)};
	files[2] = (struct embedded_file){
		"bin/deactivate", 0644, between(envbuild_deactivate, envbuild_deactivate_end)};
}
