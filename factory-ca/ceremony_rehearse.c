/* A rehearsal: the same steps on the same paths below a scratch folder, with keys that are thrown away. */
#include <config.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ceremony_private.h"
#include "mem.h"
#include "proc.h"

#define SECRET_LEN 16		/* random bytes of the passphrase and PIN that are thrown away */
#define TOKEN_MS 30000		/* to make a token of SoftHSM: milliseconds are enough */

/* ---- places ---- */
static int move(char path[FILE_PATH], const char *folder, struct err *e)
{
	char moved[FILE_PATH];

	if (!*path)
		return 0;
	if (snprintf(moved, sizeof moved, "%s%s", folder, path) >= FILE_PATH)
		return err_set(e, REASON_CONFIG, "path too long for a rehearsal: %.200s", path);
	memcpy(path, moved, FILE_PATH);
	return 0;
}

/* All folders above what path names. */
static int make_parents(const char *folder, const char *path, struct err *e)
{
	char parent[FILE_PATH];

	for (const char *p = path + strlen(folder) + 1; (p = strchr(p, '/')); p++) {
		snprintf(parent, sizeof parent, "%.*s", (int)(p - path), path);
		if (file_mkdir(parent, e) < 0)
			return -1;
	}
	return 0;
}

static int copy_file(const char *from, const char *to, const char *name, struct err *e)
{
	char source[FILE_PATH], target[FILE_PATH];
	struct buf text = {0};
	int rc = file_join(source, e, from, name) < 0 || file_join(target, e, to, name) < 0 || file_read(&text, source, 0, e) < 0
			 ? -1
			 : file_replace(target, text.data, text.len, 0644, e);

	buf_free(&text);
	return rc;
}

/* Profiles of the CA alone, where they lie ready: they are read, and no more. */
static int copy_profiles(const struct rehearsal *r, const struct ceremony_step *real, struct err *e)
{
	char home[FILE_PATH], from[FILE_PATH], to[FILE_PATH], inside[FILE_PATH];
	struct dirent *entry;
	int rc = 0;
	DIR *d;

	if (ceremony_home(home, real, e) < 0 || file_join(from, e, home, "profiles") < 0)
		return -1;
	memcpy(to, from, sizeof to);
	d = opendir(from);
	if (!d)
		return 0;
	if (move(to, r->folder, e) < 0 || file_join(inside, e, to, "x") < 0 || make_parents(r->folder, inside, e) < 0)
		rc = -1;
	while (rc == 0 && (entry = readdir(d)))
		if (strstr(entry->d_name, ".yaml"))
			rc = copy_file(from, to, entry->d_name, e);
	closedir(d);
	return rc;
}

static int move_step(struct rehearsal *r, struct ceremony_step *s, struct err *e)
{
	if (copy_profiles(r, s, e) < 0 || move(s->dir, r->folder, e) < 0 || move(s->out, r->folder, e) < 0 || (s->made_by >= 0 && move(s->root, r->folder, e) < 0))
		return -1;
	return make_parents(r->folder, s->dir, e) < 0 || (*s->out && make_parents(r->folder, s->out, e) < 0) ? -1 : 0;
}

/* ---- keys ---- */
static int save_secret(const char *path, struct err *e)
{
	uint8_t random[SECRET_LEN];
	char hex[2 * SECRET_LEN + 1];
	int rc;

	mem_random(random, sizeof random);
	text_hex(hex, random, sizeof random);
	rc = file_replace(path, hex, strlen(hex), 0600, e);
	mem_wipe(random, sizeof random);
	mem_wipe(hex, sizeof hex);
	return rc;
}

/* Tokens of SoftHSM in the scratch folder, for this process and its children: 1; 0: there is no SoftHSM. */
static int softhsm_begin(struct rehearsal *r, struct err *e)
{
	char conf[FILE_PATH], tokens[FILE_PATH];
	struct buf text = {0};
	int rc;

	if (access(HANDSEL_SOFTHSM, R_OK) < 0)
		return 0;
	if (file_join(conf, e, r->folder, "softhsm2.conf") < 0 || file_join(tokens, e, r->folder, "tokens") < 0 || file_mkdir(tokens, e) < 0)
		return -1;
	buf_fmt(&text, "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", tokens);
	rc = file_replace(conf, text.data, text.len, 0600, e);
	buf_free(&text);
	if (rc == 0 && setenv("SOFTHSM2_CONF", conf, 1) < 0)
		rc = err_errno(e, REASON_INTERNAL, "cannot set SOFTHSM2_CONF");
	return rc < 0 ? -1 : 1;
}

static int softhsm_token(const char *label, const char *pin_file, struct err *e)
{
	static const char script[] = "exec softhsm2-util --init-token --free --module \"$1\" --label \"$2\" --pin \"$(cat \"$3\")\" --so-pin 12345678 >/dev/null";
	const char *const argv[] = { "sh", "-c", script, "sh", HANDSEL_SOFTHSM, label, pin_file, NULL };
	int status = proc_run(argv, TOKEN_MS, e);

	return status <= 0 ? status : err_set(e, REASON_CONFIG, "softhsm2-util could not make a token for the rehearsal; install softhsm2, or build without it");
}

/* The token of the rehearsal that stands for a real one; equal ones stay equal. */
static int token_for(char place[LIMIT_TOKEN_URI], struct rehearsal *r, const char *real, const char *pin_file, struct err *e)
{
	char label[32];
	size_t i = 0;

	while (i < r->n_tokens && strcmp(r->real[i], real) != 0)
		i++;
	snprintf(label, sizeof label, "handsel-rehearsal-%zu", i + 1);
	if (i == r->n_tokens) {
		if (softhsm_token(label, pin_file, e) < 0)
			return -1;
		r->real[r->n_tokens++] = mem_str(real);
	}
	return snprintf(place, LIMIT_TOKEN_URI, "pkcs11:token=%s?module-path=%s", label, HANDSEL_SOFTHSM) < LIMIT_TOKEN_URI
		       ? 0
		       : err_set(e, REASON_CONFIG, "%s: path too long", HANDSEL_SOFTHSM);
}

static int move_home(struct rehearsal *r, struct key_home *h, bool plain, struct err *e)
{
	char real[LIMIT_TOKEN_URI];

	memcpy(real, h->place, sizeof real);
	if (token_is_uri(real) && r->token)
		return file_join(h->credential, e, r->folder, "pin") < 0 ? -1 : token_for(h->place, r, real, h->credential, e);
	snprintf(h->place, sizeof h->place, "%s", KEYSTORE_FILE);
	if (!plain || token_is_uri(real))
		return file_join(h->credential, e, r->folder, "passphrase");
	*h->credential = 0;
	return 0;
}

/* Keys of units in files are not encrypted: without SoftHSM they are that. */
static int move_unit(struct rehearsal *r, struct unit_place *p, struct err *e)
{
	char real[LIMIT_TOKEN_URI];

	memcpy(real, p->place, sizeof real);
	if (token_is_uri(real) && r->token)
		return file_join(p->credential, e, r->folder, "pin") < 0 ? -1 : token_for(p->place, r, real, p->credential, e);
	*p = (struct unit_place){0};
	return 0;
}

static int move_keys(struct rehearsal *r, struct ceremony_step *s, struct err *e)
{
	if (!ceremony_makes(s))
		return 0;
	return move_home(r, &s->homes.root, s->homes.plain, e) < 0 || move_home(r, &s->homes.keys, s->homes.plain, e) < 0
		       ? -1
		       : move_unit(r, &s->settings.place, e);
}

/* ---- stand-ins for CAs that the ceremony finds ---- */
static int stand_in(const struct rehearsal *r, const char *dir, const struct ceremony_step *s, struct err *e)
{
	char passphrase[FILE_PATH], path[FILE_PATH], root[SHA256_HEX];
	struct ca_making m = { .word = { "--keys", KEYSTORE_FILE, "--key-credential", passphrase }, .n_words = 4 };
	struct settings settings = { .site = s->settings.site, .pending_s = TIMEOUT_PENDING_S };

	snprintf(settings.id, sizeof settings.id, "%s", *s->ca ? s->ca : site_name(s->settings.site));
	snprintf(settings.name, sizeof settings.name, "%s", s->settings.name);
	if (file_join(path, e, dir, "ca.yaml") < 0 || file_join(passphrase, e, r->folder, "passphrase") < 0)
		return -1;
	return file_exists(path) ? 0 : ca_make(&settings, dir, &m, root, e);
}

/* Up to the generation that the real one is at. */
static int age(const char *dir, unsigned generation, struct err *e)
{
	struct ca_making m = {0};
	struct office o;
	int rc = 0;

	for (unsigned n = 2; rc == 0 && n <= generation; n++) {
		if (office_open_at(&o, dir, e) < 0)
			return -1;
		rc = ca_rollover(&o, &m, e) < 0 || ca_rollover_finish(&o, e) < 0 ? -1 : 0;
		office_close(&o);
	}
	return rc;
}

/* The first CA of a system that is only looked at for its id. */
static int first_of(const char *dir, enum site site, struct err *e)
{
	struct settings settings = { .site = site, .id = "stand-in", .name = "stand-in", .pending_s = TIMEOUT_PENDING_S };
	char path[FILE_PATH];

	if (file_mkdir(dir, e) < 0 || file_join(path, e, dir, "ca.yaml") < 0)
		return -1;
	return file_exists(path) ? 0 : settings_save(&settings, dir, e);
}

static bool is_made_before(const struct ceremony_plan *p, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (p->step[k].verb == VERB_MAKE && strcmp(p->step[k].dir, p->step[i].dir) == 0)
			return true;
	return false;
}

static int find_for(const struct rehearsal *r, size_t i, struct err *e)
{
	const struct ceremony_step *s = &r->plan.step[i];
	char home[FILE_PATH], folder[FILE_PATH];

	if (s->verb == VERB_MAKE || (s->verb != VERB_ROLLOVER && is_made_before(&r->plan, i)))
		return 0;
	if (s->verb == VERB_ADD)
		return first_of(s->dir, s->settings.site, e);
	if (s->verb == VERB_CERTIFY || s->settings.site == SITE_UPPER)
		return stand_in(r, s->dir, s, e);
	if (ceremony_home(home, s, e) < 0 || (*s->ca && (first_of(s->dir, s->settings.site, e) < 0 || file_join(folder, e, s->dir, "cas") < 0 ||
							 file_mkdir(folder, e) < 0)))
		return -1;
	return stand_in(r, home, s, e) < 0 ? -1 : age(home, s->verb == VERB_LIST ? s->generation : s->generation - 1, e);
}

/* ---- the whole ---- */
static int make_folder(struct rehearsal *r, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	char path[FILE_PATH];

	if (snprintf(r->folder, sizeof r->folder, "%s/handsel-rehearsal-XXXXXX", tmp && *tmp ? tmp : "/tmp") >= FILE_PATH)
		return err_set(e, REASON_CONFIG, "TMPDIR is too long");
	if (!mkdtemp(r->folder)) {
		*r->folder = 0;
		return err_errno(e, REASON_STORAGE, "no folder for the rehearsal can be made in %s", tmp && *tmp ? tmp : "/tmp");
	}
	return file_join(path, e, r->folder, "passphrase") < 0 || save_secret(path, e) < 0 || file_join(path, e, r->folder, "pin") < 0 ? -1
																	 : save_secret(path, e);
}

static int prepare(struct rehearsal *r, struct err *e)
{
	int token;

	if (make_folder(r, e) < 0)
		return -1;
	token = softhsm_begin(r, e);
	r->token = token == 1;
	if (token < 0 || move(r->plan.output, r->folder, e) < 0 || make_parents(r->folder, r->plan.output, e) < 0)
		return -1;
	for (size_t i = 0; i < r->plan.n_steps; i++)
		if (move_step(r, &r->plan.step[i], e) < 0 || move_keys(r, &r->plan.step[i], e) < 0)
			return -1;
	for (size_t i = 0; i < r->plan.n_steps; i++)
		if (find_for(r, i, e) < 0)
			return err_prefix(e, "a stand-in for step %zu", i + 1);
	return 0;
}

int rehearsal_begin(struct rehearsal *r, const struct ceremony_plan *p, struct err *e)
{
	struct err ignored;

	*r = (struct rehearsal){ .plan = *p };
	r->plan.text = (struct buf){0};
	buf_set(&r->plan.text, p->text.data, p->text.len);
	if (prepare(r, e) == 0)
		return 0;
	rehearsal_end(r, &ignored);
	return -1;
}

int rehearsal_end(struct rehearsal *r, struct err *e)
{
	for (size_t i = 0; i < r->n_tokens; i++)
		free(r->real[i]);
	r->n_tokens = 0;
	ceremony_free(&r->plan);
	return *r->folder ? file_remove_tree(r->folder, e) : 0;
}
