#include "images/dockerfiles.h"

#include "images/embed.h"

#define EMBED(symbol, file) EMBED_FILE(symbol, "Dockerfiles/" file ".Dockerfile")

EMBED(dockerfile_debian12, "debian12");
EMBED(dockerfile_rhel6, "rhel6");
EMBED(dockerfile_rhel7, "rhel7");
EMBED(dockerfile_rocky8, "rocky8");
EMBED(dockerfile_rocky9, "rocky9");
EMBED(dockerfile_rocky9_gpu, "rocky9-gpu");

static const struct {
	struct str path;
	const char *begin, *end;
} dockerfiles[] = {
	{STR_INIT("Dockerfiles/debian12.Dockerfile"), dockerfile_debian12_begin,
		dockerfile_debian12_end},
	{STR_INIT("Dockerfiles/rhel6.Dockerfile"), dockerfile_rhel6_begin, dockerfile_rhel6_end},
	{STR_INIT("Dockerfiles/rhel7.Dockerfile"), dockerfile_rhel7_begin, dockerfile_rhel7_end},
	{STR_INIT("Dockerfiles/rocky8.Dockerfile"), dockerfile_rocky8_begin, dockerfile_rocky8_end},
	{STR_INIT("Dockerfiles/rocky9.Dockerfile"), dockerfile_rocky9_begin, dockerfile_rocky9_end},
	{STR_INIT("Dockerfiles/rocky9-gpu.Dockerfile"), dockerfile_rocky9_gpu_begin,
		dockerfile_rocky9_gpu_end},
};

struct str dockerfile_text(struct str path)
{
	for (size_t i = 0; i < sizeof dockerfiles / sizeof *dockerfiles; i++)
		if (str_eq(path, dockerfiles[i].path))
			return str_n(dockerfiles[i].begin,
				(size_t)(dockerfiles[i].end - dockerfiles[i].begin));
	return (struct str){NULL, 0};
}
