#include "builder/pip_lend.h"

#include "base/buf.h"
#include "base/file.h"
#include "images/libc.h"

#include <fcntl.h>
#include <unistd.h>

static bool is_there(struct pip_work *w)
{
	static const char *const PLACES[] = {"/usr/local/bin/git", "/usr/bin/git", "/bin/git"};
	CLEANUP_FD root = open(engine_root(w->request->engine), O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (prefix_is_file(w->host, STR("bin/git")))
		return true;
	for (size_t i = 0; root >= 0 && i < sizeof PLACES / sizeof *PLACES; i++) {
		CLEANUP_FD git = open_in_root(root, PLACES[i], O_PATH);

		if (git >= 0)
			return true;
	}
	return false;
}

static int copy(struct arena *a, const char *from, const char *dir, const char *name, struct err *e)
{
	const char *to = path_join(a, dir, name);
	CLEANUP_FD in = open(from, O_RDONLY | O_CLOEXEC);

	if (in < 0)
		return err_sys(e, "cannot open '%s'", from);
	CLEANUP_FD out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	if (out < 0)
		return err_sys(e, "cannot create '%s'", to);
	return fd_copy(in, out, e);
}

/* "\tlibz.so.1 => /lib/libz.so.1 (0x...)", "\t/lib64/ld-linux-x86-64.so.2 (0x...)": ld.so(8) */
static int copy_libraries(struct arena *a, struct str listing, const char *dir, struct err *e)
{
	while (listing.n) {
		struct str line = str_trim(str_cut(&listing, '\n'));
		ptrdiff_t arrow = str_find(line, STR(" => "));
		struct str path = arrow < 0 ? line : str_sub(line, (size_t)arrow + 4, line.n);
		bool loader = arrow < 0;

		path = str_cut(&path, ' ');
		if (path.n == 0 || path.p[0] != '/')
			continue;
		const char *from = arena_cstr(a, path);
		if (copy(a, from, dir, loader ? "ld.so" : path_base(from), e) < 0)
			return -1;
	}
	return 0;
}

static int write_script(struct pip_work *w, struct err *e)
{
	const char *in = w->inside;
	struct str text = arena_strf(w->arena,
		"#!/bin/sh\n"
		"GIT_EXEC_PATH=%s/bin exec %s/git/ld.so --library-path %s/git %s/git/git \"$@\"\n",
		in, in, in, in);

	return file_write(path_join(w->arena, w->dir, "bin/git"), text, 0755, e);
}

int pip_lend_git(struct pip_work *w, struct err *e)
{
	static const char *const env[] = {"LD_TRACE_LOADED_OBJECTS=1", NULL};
	struct arena *a = w->arena;
	const char *dir = path_join(a, w->dir, "git"), *found = proc_find("git");
	const char *git = found ? arena_strdup(a, found) : NULL;
	const char *const argv[] = {git, NULL};
	CLEANUP_BUF listing = {.max = 1 << 20};
	struct proc p = {.argv = argv, .env = env, .on_stdout = proc_to_buf, .ctx = &listing};
	int status = 0;

	if (!git || path_exists(dir) || is_there(w))
		return 0;
	if (proc_run(&p, &status, e) < 0 || dir_make(dir, e) < 0)
		return -1;
	if (status != 0 || str_find(buf_view(&listing), STR(" => /")) < 0) {
		log_debug("git of this machine cannot be lent to the image");
		return 0;
	}
	if (copy(a, git, dir, "git", e) < 0 || copy_libraries(a, buf_view(&listing), dir, e) < 0)
		return -1;
	return write_script(w, e);
}
