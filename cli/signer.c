#include "cli/signer.h"

#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

enum { FILE_MAX = 16 << 20, SAID_MAX = 1 << 20 };

#define GPG_STATUS "[GNUPG:] "

/* --- what FILE is ----------------------------------------------------------------------------- */

/* The first byte of an OpenPGP packet of a public key (RFC 4880, 4.2): tag 6, old or new form. */
static bool is_openpgp(struct str text)
{
	unsigned char c = text.n ? (unsigned char)*text.p : 0;

	return str_find(text, STR("-----BEGIN PGP PUBLIC KEY BLOCK-----")) >= 0 ||
	       (c & 0xfc) == 0x98 || c == 0xc6;
}

static bool is_key_type(struct str word)
{
	return str_starts(word, STR("ssh-")) || str_starts(word, STR("ecdsa-sha2-")) ||
	       str_starts(word, STR("sk-"));
}

/* A line "PRINCIPALS [OPTIONS] KEYTYPE KEY" (ssh-keygen(1), ALLOWED SIGNERS). */
static bool is_allowed_signers(struct str text)
{
	while (text.n) {
		struct str line = str_trim(str_cut(&text, '\n'));

		if (!line.n || *line.p == '#')
			continue;
		if (is_key_type(line))
			return false; /* a mere public key: it says nobody's name */
		while (line.n)
			if (is_key_type(str_cut(&line, ' ')))
				return true;
		return false;
	}
	return false;
}

static int find_kind(struct str text, struct signer *out, struct err *e)
{
	if (is_openpgp(text))
		out->kind = SIGNER_OPENPGP;
	else if (str_find(text, STR("-----BEGIN PUBLIC KEY-----")) >= 0)
		out->kind = SIGNER_COSIGN;
	else if (is_allowed_signers(text))
		out->kind = SIGNER_SSH;
	else {
		err_set(e, ERR_USAGE, "--signer: '%s' holds no keys that are known", out->file);
		return err_advise(e,
			"it takes OpenPGP public keys (gpg --export), allowed signers of "
			"ssh ('NAME ssh-ed25519 KEY') or a public key of cosign");
	}
	return 0;
}

static const char *program_of(enum signer_kind kind)
{
	switch (kind) {
	case SIGNER_OPENPGP:
		return "gpg";
	case SIGNER_SSH:
		return "ssh-keygen";
	case SIGNER_COSIGN:
		break;
	}
	return "cosign";
}

static const char *package_of(enum signer_kind kind)
{
	switch (kind) {
	case SIGNER_OPENPGP:
		return "install the package gnupg";
	case SIGNER_SSH:
		return "install the package openssh-client";
	case SIGNER_COSIGN:
		break;
	}
	return "install cosign of the sigstore project";
}

int signer_open(struct session *s, const char *text, struct signer *out, struct err *e)
{
	struct arena *a = &s->arena;
	const char *colon = strrchr(text, ':');
	struct str bytes;

	*out = (struct signer){.file = path_absolute(a, text)};
	if (!path_exists(out->file) && colon && colon > text) {
		out->file = path_absolute(a, arena_cstr(a, str_n(text, (size_t)(colon - text))));
		out->who = arena_strdup(a, colon + 1);
	}
	if (!path_exists(out->file))
		return err_set(e, ERR_USAGE, "--signer: no file '%s'", text);
	if (out->who && !*out->who)
		return err_set(e, ERR_USAGE, "--signer: nobody is named behind the ':'");
	if (file_read(a, out->file, FILE_MAX, &bytes, e) < 0 || find_kind(bytes, out, e) < 0)
		return -1;
	if (out->kind == SIGNER_COSIGN && out->who)
		return err_set(
			e, ERR_USAGE, "--signer: '%s' is one key: it names nobody", out->file);
	if (proc_find(program_of(out->kind)))
		return 0;
	err_set(e, ERR_FAIL, "cannot check signatures of this kind: there is no program '%s'",
		program_of(out->kind));
	return err_advise(e, "%s", package_of(out->kind));
}

/* --- asking ----------------------------------------------------------------------------------- */

struct check {
	struct session *s;
	const struct signer *signer;
	const char *name;
	char *dir, *data, *signature; /* paths of copies */
	struct buf said, complained;
};

static void on_complaint(void *ctx, struct str bytes)
{
	struct check *c = ctx;

	buf_str(&c->complained, bytes);
}

static void on_said(void *ctx, struct str bytes)
{
	struct check *c = ctx;

	buf_str(&c->said, bytes);
}

/* *status 0: the program said yes. */
static int ask(
	struct check *c, const char *const *argv, struct str input, int *status, struct err *e)
{
	struct proc p = {.argv = argv,
		.input = input,
		.cwd = c->dir,
		.on_stdout = on_said,
		.on_stderr = on_complaint,
		.ctx = c};

	c->said.max = c->complained.max = SAID_MAX;
	buf_clear(&c->said);
	buf_clear(&c->complained);
	if (proc_run(&p, status, e) < 0)
		return -1;
	log_debug("%s: status %d: %s%s", argv[0], *status, c->said.p ? c->said.p : "",
		c->complained.p ? c->complained.p : "");
	return 0;
}

static int not_theirs(const struct check *c, struct err *e)
{
	const char *who = c->signer->who;

	err_set(e, ERR_INTEGRITY, "the signature of '%s' is not that of %s%s%s key in '%s'",
		c->name, who ? "'" : "a", who ? who : "", who ? "' by a" : "", c->signer->file);
	return err_advise(e,
		"do not use the release before you know who made it; -v shows what %s "
		"said",
		program_of(c->signer->kind));
}

static int check_ssh(struct check *c, struct str data, struct str *by, struct err *e)
{
	const char *file = c->signer->file, *who = c->signer->who;
	const char *find[] = {
		"ssh-keygen", "-Y", "find-principals", "-s", c->signature, "-f", file, NULL};
	int status = 0;
	struct str said;

	if (!who) {
		if (ask(c, find, (struct str){0}, &status, e) < 0)
			return -1;
		said = buf_view(&c->said);
		said = str_trim(str_cut(&said, '\n'));
		if (status || !said.n)
			return not_theirs(c, e);
		who = arena_cstr(&c->s->arena, said);
	}
	const char *verify[] = {"ssh-keygen", "-Y", "verify", "-f", file, "-I", who, "-n",
		SIGNER_NAMESPACE, "-s", c->signature, NULL};
	if (ask(c, verify, data, &status, e) < 0)
		return -1;
	*by = str_of(who);
	return status ? not_theirs(c, e) : 0;
}

/* The text behind "[GNUPG:] KEYWORD " in the first such line; p is NULL without one. */
static struct str gpg_status(struct str said, const char *keyword)
{
	while (said.n) {
		struct str line = str_cut(&said, '\n'), word;

		if (!str_starts(line, STR(GPG_STATUS)))
			continue;
		line = str_sub(line, strlen(GPG_STATUS), line.n);
		word = str_cut(&line, ' ');
		if (str_is(word, keyword))
			return line.p ? line : STR("");
	}
	return (struct str){0};
}

/* A whole fingerprint, however it is grouped, is that of the key or of its primary one. */
static bool is_fingerprint(const char *who, struct str valid)
{
	char plain[128];
	size_t n = 0;
	struct str first = str_cut(&valid, ' '), last = first;

	for (; *who && n + 1 < sizeof plain; who++)
		if (*who != ' ')
			plain[n++] = (char)toupper((unsigned char)*who);
	plain[n] = 0;
	while (valid.p)
		last = str_cut(&valid, ' ');
	return n >= 40 && *who == 0 && (str_is(first, plain) || str_is(last, plain));
}

/* "KEYID Ann Example <ann@example.com>": the whole name, or the address. */
static bool is_user(const char *who, struct str good)
{
	CLEANUP_BUF address = {0};

	str_cut(&good, ' ');
	buf_printf(&address, "<%s>", who);
	return str_is(good, who) || str_ends(good, buf_view(&address));
}

/*
 * A keyring of its own, without an agent: only keys of the file can be found.  Of several signatures gpg
 * answers 0 only if all are good; expired and revoked keys give no GOODSIG.
 */
static int check_openpgp(struct check *c, struct str *by, struct err *e)
{
	char *home = path_join(&c->s->arena, c->dir, "home");
	const char *import[] = {"gpg", "--batch", "--no-tty", "--no-options", "--no-autostart",
		"--homedir", home, "--status-fd", "1", "--import", c->signer->file, NULL};
	const char *verify[] = {"gpg", "--batch", "--no-tty", "--no-options", "--no-autostart",
		"--homedir", home, "--trust-model", "always", "--no-auto-key-retrieve",
		"--status-fd", "1", "--verify", c->signature, c->data, NULL};
	const char *who = c->signer->who;
	struct str good, valid;
	int status = 0;

	if (dir_make(home, e) < 0 || chmod(home, 0700) < 0)
		return err_sys(e, "cannot make a keyring");
	if (ask(c, import, (struct str){0}, &status, e) < 0)
		return -1;
	/* Its status also tells that there was no agent, which a folder as deep as this cannot have. */
	if (!gpg_status(buf_view(&c->said), "IMPORT_OK").n)
		return err_set(e, ERR_USAGE, "--signer: gpg cannot read the keys in '%s'",
			c->signer->file);
	if (ask(c, verify, (struct str){0}, &status, e) < 0)
		return -1;
	good = gpg_status(buf_view(&c->said), "GOODSIG");
	valid = gpg_status(buf_view(&c->said), "VALIDSIG");
	if (status || !good.n || !valid.n ||
		(who && !is_fingerprint(who, valid) && !is_user(who, good)))
		return not_theirs(c, e);
	str_cut(&good, ' ');
	*by = arena_strf(&c->s->arena, "%.*s, %.*s", STR_ARG(good),
		STR_ARG(str_sub(valid, 0, (size_t)str_chr(valid, ' '))));
	return 0;
}

static int check_cosign(struct check *c, struct str *by, struct err *e)
{
	const char *verify[] = {"cosign", "verify-blob", "--key", c->signer->file, "--signature",
		c->signature, c->data, NULL};
	int status = 0;

	if (ask(c, verify, (struct str){0}, &status, e) < 0)
		return -1;
	*by = str_of(path_base(c->signer->file));
	return status ? not_theirs(c, e) : 0;
}

static int check_kind(struct check *c, struct str data, struct str *by, struct err *e)
{
	switch (c->signer->kind) {
	case SIGNER_OPENPGP:
		return check_openpgp(c, by, e);
	case SIGNER_SSH:
		return check_ssh(c, data, by, e);
	case SIGNER_COSIGN:
		break;
	}
	return check_cosign(c, by, e);
}

int signer_check(struct session *s, const struct signer *signer, const char *name, struct str data,
	struct str signature, struct str *by, struct err *e)
{
	struct check c = {.s = s, .signer = signer, .name = name};
	int rc = -1;

	/* What is checked are these bytes, whatever becomes of the files that they were read from. */
	c.dir = path_join(&s->arena, s->work, "signer");
	c.data = path_join(&s->arena, c.dir, "data");
	c.signature = path_join(&s->arena, c.dir, "signature");
	if (dir_make(c.dir, e) == 0 && file_write(c.data, data, 0600, e) == 0 &&
		file_write(c.signature, signature, 0600, e) == 0)
		rc = check_kind(&c, data, by, e);
	buf_release(&c.said);
	buf_release(&c.complained);
	if (dir_remove(c.dir, rc < 0 ? NULL : e) < 0)
		return -1;
	return rc;
}
