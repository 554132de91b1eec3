#include "packer/embed.h"

#define EMBEDDED(name) extern const char envbuild_##name[], envbuild_##name##_end[]
EMBEDDED(activate);
EMBEDDED(activate_csh);
EMBEDDED(activate_fish);
EMBEDDED(conda_unpack);
EMBEDDED(deactivate);
EMBEDDED(deactivate_csh);
EMBEDDED(deactivate_fish);

static struct embedded_file file(
	const char *path, unsigned mode, const char *start, const char *end)
{
	return (struct embedded_file){path, mode, str_n(start, (size_t)(end - start))};
}

#define FILE_OF(path, mode, name) file(path, mode, envbuild_##name, envbuild_##name##_end)

void embedded_files(struct embedded_file files[N_EMBEDDED])
{
	files[0] = FILE_OF("bin/activate", 0644, activate);
	files[1] = FILE_OF("bin/activate.csh", 0644, activate_csh);
	files[2] = FILE_OF("bin/activate.fish", 0644, activate_fish);
	files[3] = FILE_OF("bin/conda-unpack", 0755, conda_unpack);
	files[4] = FILE_OF("bin/deactivate", 0644, deactivate);
	files[5] = FILE_OF("bin/deactivate.csh", 0644, deactivate_csh);
	files[6] = FILE_OF("bin/deactivate.fish", 0644, deactivate_fish);
}
