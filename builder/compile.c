#include "builder/compile.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* A compiled file is a few times its source at most. */
enum { MAX_COMPILED = 256 << 20 };

/* Where the sandbox has them; with engine none they are where they are. */
static const char PLACE[] = "/tmp/envbuild-compile";

/*
 * argv: list, folder for the output, processes at once.  The list holds SOURCE NUL NAME NUL OUT NUL
 * for each.  Python 2.6 to any 3.  Exit status 2: not all could be tried.
 */
static const char DRIVER[] =
	"import os, sys, py_compile\n"
	"listing, out, jobs = sys.argv[1:4]\n"
	"with open(listing, 'rb') as f:\n"
	"    words = f.read().split(b'\\0')[:-1]\n"
	"more = {}\n"
	"if hasattr(py_compile, 'PycInvalidationMode'):\n"
	"    more['invalidation_mode'] = py_compile.PycInvalidationMode.UNCHECKED_HASH\n"
	"def one(source, name, target):\n"
	"    if sys.version_info[0] > 2:\n"
	"        source, target = os.fsdecode(source), os.fsdecode(target)\n"
	"        name = name.decode('utf-8', 'surrogateescape')\n"
	"    target = out + '/' + target\n"
	"    if not os.path.isfile(source):\n"
	"        return 0\n"
	"    try:\n"
	"        py_compile.compile(source, target, name, True, **more)\n"
	"    except py_compile.PyCompileError as e:\n"
	"        return 2 if e.exc_type_name == 'MemoryError' else 0\n"
	"    except EnvironmentError:\n"
	"        return 2\n"
	"    except Exception:\n"
	"        return 0\n"
	"    return 0\n"
	"failed = []\n"
	"def wait():\n"
	"    pid, status = os.wait()\n"
	/* A crash of the compiler is an answer; an error of the system is none. */
	"    if status >> 8 or status & 127 == 9:\n"
	"        failed.append(status)\n"
	"running = 0\n"
	"for i in range(0, len(words), 3):\n"
	"    if running >= int(jobs):\n"
	"        wait()\n"
	"        running -= 1\n"
	"    if os.fork() == 0:\n"
	"        status = 2\n"
	"        try:\n"
	"            status = one(*words[i:i + 3])\n"
	"        finally:\n"
	"            os._exit(status)\n"
	"    running += 1\n"
	"while running:\n"
	"    wait()\n"
	"    running -= 1\n"
	"sys.exit(2 if failed else 0)\n";

static bool is_direct(const struct compile_job *job)
{
	struct engine *engine = job->p->request->engine;

	return engine && engine_is_direct(engine);
}

static const char *add_bind(
	struct compile_job *job, const char *from, const char *name, enum bind_kind kind)
{
	const char *to = is_direct(job) ? from : arena_printf(job->arena, "%s/%s", PLACE, name);

	*VEC_PUSH(job->arena, &job->binds) = (struct bind){from, to, kind, NULL, 0};
	return to;
}

const char *compile_bind(struct compile_job *job, const char *folder)
{
	return add_bind(job, folder, arena_printf(job->arena, "%zu", job->binds.n), BIND_READ_ONLY);
}

void compile_add(struct compile_job *job, struct str source, struct str name, const char *out)
{
	const struct str fields[] = {source, name, str_of(out)};

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		buf_str(&job->list, fields[i]);
		buf_putc(&job->list, '\0');
	}
}

static int run(struct compile_job *job, const char *list, const char *out, struct err *e)
{
	const char *const argv[] = {
		job->program,
		/* Without site: no .pth file of a package may run here. */
		"-S",
		"-W",
		"ignore",
		"-c",
		DRIVER,
		add_bind(job, list, "list", BIND_READ_ONLY),
		add_bind(job, out, "out", BIND_READ_WRITE),
		arena_printf(job->arena, "%u", job->p->request->jobs ? job->p->request->jobs : 1),
		NULL,
	};
	struct command c = {.argv = argv,
		.binds = job->binds.v,
		.n_binds = job->binds.n,
		.without_prefix = job->without_prefix,
		.read_only = true};

	return prefix_run(job->p, &c, "the environment's Python, which compiles bytecode,", e);
}

int compile_run(struct compile_job *job, struct err *e)
{
	char *list = path_join(job->arena, job->dir, "list");
	char *out = path_join(job->arena, job->dir, "out");

	if (file_write(list, buf_view(&job->list), 0644, e) < 0 || dir_make(out, e) < 0)
		return -1;
	if (run(job, list, out, e) < 0)
		return -1;
	job->out = open(out, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (job->out < 0) {
		job->out = 0;
		return err_sys(e, "cannot open '%s'", out);
	}
	return 0;
}

static int finish(int fd, const char *out, struct compiled *c, struct err *e)
{
	struct timespec times[2] = {{.tv_sec = c->mtime}, {.tv_sec = c->mtime}};

	if (fchmod(fd, BYTECODE_MODE) < 0 || (!c->keep_time && futimens(fd, times) < 0))
		return err_sys(e, "cannot set mode and time of compiled file '%s'", out);
	return 0;
}

int compile_take(struct compile_job *job, const char *out, struct compiled *c, struct err *e)
{
	CLEANUP_FD fd = openat(job->out, out, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	struct str data;

	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "cannot read compiled file '%s'", out);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_size == 0 ||
		st.st_size > MAX_COMPILED)
		return 0;
	if (fd_map(fd, &data, e) < 0)
		return -1;
	bool holds = str_find(data, str_of(job->p->request->prefix_inside)) >= 0;
	sha256_of(data.p, data.n, c->sha256);
	c->size = data.n;
	file_unmap(data);
	if (holds)
		return 0;
	return finish(fd, out, c, e) < 0 ? -1 : 1;
}

int compile_move(struct compile_job *job, const char *out, int dir, const char *name, struct err *e)
{
	if (renameat(job->out, out, dir, name) < 0)
		return err_sys(e, "cannot rename compiled file '%s'", name);
	return 0;
}

void compile_release(struct compile_job *job)
{
	if (job->out > 0)
		close(job->out);
	job->out = 0;
	buf_release(&job->list);
}
