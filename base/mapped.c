#include "base/mapped.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static _Thread_local struct {
	uintptr_t from, to;
	void *volatile zeros; /* what took the place of what is missing; NULL: nothing is */
} guarded;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sigaction before;
static uintptr_t page;
static int no_file = -1;

/* The page that is missing, and all behind it, become zeros; then what was reading reads on. */
static void on_bus_error(int sig, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr & ~(page - 1);
	void *zeros = MAP_FAILED;

	(void)context;
	if (at >= guarded.from && at < guarded.to)
		zeros = mmap((void *)at, guarded.to - at, PROT_READ,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, no_file, 0);
	if (zeros == MAP_FAILED)
		sigaction(sig, &before, NULL); /* it happens again, and is not ours */
	else
		guarded.zeros = zeros;
}

static void install(void)
{
	struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

	page = (uintptr_t)sysconf(_SC_PAGESIZE);
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, &before);
}

void mapped_guard(struct str bytes)
{
	pthread_once(&once, install);
	guarded.zeros = NULL;
	guarded.from = (uintptr_t)bytes.p;
	guarded.to = guarded.from + bytes.n;
	atomic_signal_fence(memory_order_seq_cst);
}

bool mapped_was_cut(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	guarded.from = guarded.to = 0;
	return guarded.zeros != NULL;
}
