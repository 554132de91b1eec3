#include "base/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

static atomic_int received; /* the number of the first signal */
static atomic_int held;
static atomic_int deaf;        /* how many are in work that cannot ask */
static int wake[2] = {-1, -1}; /* its read end becomes readable */

static void die_of(int number)
{
	signal(number, SIG_DFL);
	raise(number);
}

static void on_signal(int number)
{
	int none = 0, saved = errno;

	/* A Ctrl-C often comes twice at once: to the group, and from who runs us. */
	if (!atomic_compare_exchange_strong(&received, &none, number) || atomic_load(&deaf)) {
		die_of(number);
	} else if (write(wake[1], "", 1) < 0) {
		die_of(number);
	}
	errno = saved;
}

void interrupt_setup(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old;

	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
}

bool interrupted(void)
{
	return atomic_load(&received) && atomic_load(&held) == 0;
}

int interrupt_check(struct err *e)
{
	if (!interrupted())
		return 0;
	return err_set(e, ERR_INTERRUPTED, "interrupted by %s", strsignal(atomic_load(&received)));
}

int interrupt_fd(void)
{
	return atomic_load(&held) ? -1 : wake[0];
}

void interrupt_hold(void)
{
	atomic_fetch_add(&held, 1);
}

void interrupt_release(void)
{
	atomic_fetch_sub(&held, 1);
}

void interrupt_at_once_begin(void)
{
	atomic_fetch_add(&deaf, 1);
}

void interrupt_at_once_end(void)
{
	atomic_fetch_sub(&deaf, 1);
}

void interrupt_end(void)
{
	int number = atomic_load(&received);

	if (number) {
		sigset_t only;

		sigemptyset(&only);
		sigaddset(&only, number);
		sigprocmask(SIG_UNBLOCK, &only, NULL);
		die_of(number);
	}
}
