#include "images/targets.h"

#include "images/embed.h"

#define EMBED(symbol, file) EMBED_FILE(symbol, "images/targets/" file)

EMBED(target_debian12, "debian12.yml");
EMBED(target_rhel6, "rhel6.yml");
EMBED(target_rhel7, "rhel7.yml");
EMBED(target_rocky8, "rocky8.yml");
EMBED(target_rocky9, "rocky9.yml");
EMBED(target_rocky9_gpu, "rocky9-gpu.yml");

static const struct target {
	struct str name;
	const char *begin, *end;
} targets[N_TARGETS] = {
	{STR_INIT("debian12"), target_debian12_begin, target_debian12_end},
	{STR_INIT("rhel6"), target_rhel6_begin, target_rhel6_end},
	{STR_INIT("rhel7"), target_rhel7_begin, target_rhel7_end},
	{STR_INIT("rocky8"), target_rocky8_begin, target_rocky8_end},
	{STR_INIT("rocky9"), target_rocky9_begin, target_rocky9_end},
	{STR_INIT("rocky9-gpu"), target_rocky9_gpu_begin, target_rocky9_gpu_end},
};

struct str target_name(size_t i)
{
	return targets[i].name;
}

struct str target_text(size_t i)
{
	return str_n(targets[i].begin, (size_t)(targets[i].end - targets[i].begin));
}
