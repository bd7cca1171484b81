#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "file.h"
#include "keys.h"
#include "ledger.h"
#include "limits.h"
#include "mem.h"


static int read_profiles(struct settings *s, const struct cli *c, struct err *e)
{
	size_t n = cli_count(c, "profile");

	if (n > LIMIT_PROFILES)
		return err_set(e, REASON_CONFIG, "at most %d --profile", LIMIT_PROFILES);
	for (; s->n_profiles < n; s->n_profiles++) {
		const char *name = cli_get_n(c, "profile", s->n_profiles);

		if (!text_is_token(name, CA_ID_MAX))
			return err_set(e, REASON_CONFIG, "--profile %s: letters, digits, \".\", \"_\" and \"-\", at most %d", name,
				       CA_ID_MAX);
		snprintf(s->profile[s->n_profiles], sizeof s->profile[0], "%s", name);
	}
	return 0;
}

int ca_options(struct settings *s, const struct cli *c, struct err *e)
{
	const char *kind, *name, *id = cli_get(c, "id");

	*s = (struct settings){ .pending_s = TIMEOUT_PENDING_S };
	if (option_needed(c, "kind", &kind, e) < 0 || option_needed(c, "name", &name, e) < 0)
		return -1;
	if (site_parse(&s->site, kind) < 0)
		return err_set(e, REASON_CONFIG, "--kind %s: must be factory, customer or upper", kind);
	if (!text_is_name(name, LIMIT_NAME))
		return err_set(e, REASON_CONFIG, "--name: printable ASCII, 1 to %d characters", LIMIT_NAME);
	if (!id)
		id = kind;
	if (!text_is_token(id, CA_ID_MAX))
		return err_set(e, REASON_CONFIG, "--id %s: letters, digits, \".\", \"_\" and \"-\", at most %d", id,
			       CA_ID_MAX);
	snprintf(s->name, sizeof s->name, "%s", name);
	snprintf(s->id, sizeof s->id, "%s", id);
	if (unit_place_options(&s->place, c, e) < 0)
		return -1;
	return read_profiles(s, c, e);
}

static int read_listen(struct settings *s, const struct cli *c, struct err *e)
{
	const char *listen = cli_get(c, "listen");
	struct endpoint where;

	if (!listen)
		listen = LISTEN_DEFAULT;
	if (endpoint_parse(&where, listen, e) < 0)
		return err_prefix(e, "--listen");
	snprintf(s->listen, sizeof s->listen, "%s", listen);
	return 0;
}

int making_of_cli(struct ca_making *m, const struct cli *c, struct err *e)
{
	struct unit_plan plan = {0};

	*m = (struct ca_making){0};
	if (unit_hosts(&plan, c, e) < 0)
		return -1;
	memcpy(m->host, plan.host, sizeof m->host);
	key_homes_words(c, m->word, &m->n_words);
	return 0;
}

/* Root, issuing and unit CA are the signer's: this process never sees their keys. */
static int ceremony(const struct settings *s, const char *dir, const struct ca_making *m, struct err *e)
{
	const char *argv[8 + MAKING_WORDS + 1] = { "handsel-signer", "--dir", dir, "init", "--kind", site_name(s->site), "--name", s->name };

	memcpy(argv + 8, m->word, m->n_words * sizeof *argv);
	return signer_ceremony(argv, e);
}

/* Its key and DIR/NAME.pem. */
static int make_unit(struct office *o, struct signer *s, struct unit_plan *plan, const char *file, struct err *e)
{
	char cert_path[FILE_PATH];
	struct key *key = unit_key_make(&o->settings.place, o->dir, file, e);
	struct buf spki = {0};
	struct chain ch = {0};
	int rc = -1;

	if (!key || file_join_end(cert_path, e, o->dir, file, ".pem") < 0 || key_spki(key, &spki, e) < 0 || unit_certify(o, s, plan, &spki, &ch, e) < 0)
		goto out;
	rc = chain_save(&ch, cert_path, e);
out:
	chain_free(&ch);
	buf_free(&spki);
	key_free(key);
	return rc;
}

static int make_units(struct office *o, const struct ca_making *m, struct err *e)
{
	struct unit_plan server = { .role = "ca" }, operator = { .role = "operator", .name = "operator" };
	struct signer *s;
	int rc = -1;

	snprintf(server.name, sizeof server.name, "%s", o->settings.id);
	memcpy(server.host, m->host, sizeof server.host);
	s = signer_start(o->dir, SIGNER_FOR_OPERATOR, e);
	if (s && make_unit(o, s, &server, "server", e) == 0 && make_unit(o, s, &operator, "operator", e) == 0)
		rc = 0;
	signer_stop(s);
	return rc;
}

/* What ca.yaml would refuse is said before there are keys. */
static int check_profiles(const struct settings *s, const char *dir, struct err *e)
{
	struct profiles *p = mem_new(1, sizeof *p);
	int rc = profiles_load(p, dir, s, e);

	free(p);
	return rc;
}

/* Of an upper CA, which has nothing but its root. */
static int fingerprint(const char *dir, char root[SHA256_HEX], struct err *e)
{
	struct chain ch = {0};
	char path[FILE_PATH];
	int rc = file_join(path, e, dir, "root.pem") < 0 ? -1 : chain_load(&ch, path, e);

	if (rc == 0)
		text_hex(root, ch.cert->sha256, SHA256_LEN);
	chain_free(&ch);
	return rc;
}

int ca_make(const struct settings *s, const char *dir, const struct ca_making *m, char root[SHA256_HEX], struct err *e)
{
	struct office o = { .settings = *s, .actor = "operator:init" };
	char path[FILE_PATH];
	int rc = -1;

	snprintf(o.dir, sizeof o.dir, "%s", dir);
	if (file_join(path, e, o.dir, "ca.yaml") < 0)
		return -1;
	if (file_exists(path))
		return err_set(e, REASON_CONFIG, "%s exists: this CA system is in use; choose another --dir", path);
	if (check_profiles(s, o.dir, e) < 0 || file_mkdir(o.dir, e) < 0 || ceremony(s, o.dir, m, e) < 0)
		return -1;
	if (s->site == SITE_UPPER)
		return settings_save(s, o.dir, e) < 0 ? -1 : fingerprint(o.dir, root, e);
	if (authority_load(&o.ca, o.dir, e) < 0 ||
	    file_join(path, e, o.dir, "ca.db") < 0)
		return -1;
	o.ledger = ledger_open(path, e);
	if (o.ledger && make_units(&o, m, e) == 0 && settings_save(s, o.dir, e) == 0) {
		text_hex(root, o.ca.root.cert->sha256, SHA256_LEN);
		rc = 0;
	}
	office_close(&o);
	return rc;
}

enum cli_exit cmd_init(const struct cli *c)
{
	char root[SHA256_HEX];
	struct ca_making m;
	struct settings s;
	struct jsonl *j;
	struct err e;

	if (ca_options(&s, c, &e) < 0 || making_of_cli(&m, c, &e) < 0 || (s.site != SITE_UPPER && read_listen(&s, c, &e) < 0) ||
	    ca_make(&s, cli_dir(c), &m, root, &e) < 0)
		return cli_fail(c, &e);
	if (!cli_json(c)) {
		printf("%s CA system \"%s\" made in %s\nroot fingerprint (SHA-256): %s\n"
		       "tell it to your partners by another way than the one the certificate takes\n",
		       site_name(s.site), s.name, cli_dir(c), root);
		return EXIT_DONE;
	}
	j = jsonl_new("result");
	jsonl_str(j, "kind", site_name(s.site));
	jsonl_str(j, "name", s.name);
	jsonl_str(j, "root_sha256", root);
	jsonl_print(j);
	return EXIT_DONE;
}
