#include "images/probe.h"

/* images/probe.sh, as images/targets.c carries the profiles; images/module.mk tells make. */
__asm__(".pushsection .rodata\n"
	".hidden probe_script_begin\n"
	".hidden probe_script_end\n"
	".global probe_script_begin\n"
	".global probe_script_end\n"
	"probe_script_begin:\n"
	".incbin \"images/probe.sh\"\n"
	"probe_script_end:\n"
	".byte 0\n"
	".popsection\n");
extern const char probe_script_begin[], probe_script_end[];

static const struct {
	const char *begin, *end;
} script = {probe_script_begin, probe_script_end};

struct str probe_script(void)
{
	return str_n(script.begin, (size_t)(script.end - script.begin));
}
