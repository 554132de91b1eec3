#include "images/embed.h"
#include "images/probe.h"

EMBED_FILE(probe_script, "images/probe.sh");

static const struct {
	const char *begin, *end;
} script = {probe_script_begin, probe_script_end};

struct str probe_script(void)
{
	return str_n(script.begin, (size_t)(script.end - script.begin));
}
