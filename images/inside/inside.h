/*
 * What envbuild and the first process of a container say to each other.
 *
 * podman and docker start `/.envbuild/init`, a small static program of ours, in a container; it
 * starts the job, so that a job has the same pid 1, environment and end under every engine, and its
 * variables stand in no command line.  In the folder that is bound at /.envbuild lie:
 *
 *	init    the program
 *	job     texts with a NUL behind each: flags, folder, number of words, words, variables
 *	life    a FIFO that envbuild holds open for writing: its end is the job's
 *	output  a FIFO that the job writes to, with flag 'o'
 *	report  struct inside_report, written when the job has ended
 *
 * Both sides have them open when the job starts, and the job finds none of them: the program has
 * removed their names.
 *
 * Flags: 'o' output goes to the FIFO; 't' the job is in front of the container's terminal.
 */
#ifndef IMAGES_INSIDE_H
#define IMAGES_INSIDE_H

#include <stdint.h>

#define INSIDE      "/.envbuild"
#define INSIDE_LATE 124

enum inside_step {
	INSIDE_ENDED = 1, /* the job has run; its status is there */
	INSIDE_SETUP,     /* the program's own doing failed */
	INSIDE_CWD,
	INSIDE_EXEC,
};

struct inside_report {
	int32_t step;
	int32_t error;  /* errno, where it did not run */
	int32_t status; /* as proc_run gives it */
	int32_t check;  /* INSIDE_CHECK: whole */
};

#define INSIDE_CHECK 0x62766e65

#endif
