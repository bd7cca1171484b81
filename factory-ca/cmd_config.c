#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "cmd.h"
#include "file.h"
#include "mem.h"
#include "oid.h"

static int check_unit(struct office *o, const char *name, const char *role, enum cert_purpose purpose, struct err *e)
{
	struct trust_rule rule = {
		.purpose = purpose, .policy = OID_POLICY_UNIT, .role = role, .pinned = true, .now = clock_utc()
	};
	char cert[FILE_PATH];
	struct buf spki = {0};
	struct chain ch = {0};
	struct key *key = NULL;
	int rc = -1;

	if (file_join_end(cert, e, o->dir, name, ".pem") < 0 || chain_load(&ch, cert, e) < 0)
		goto out;
	if (trust_verify(o->ca.trust, &ch, &rule, e) < 0) {
		err_prefix(e, "%s", cert);
		goto out;
	}
	key = unit_key_load(&o->settings.place, o->dir, name, &ch.cert[0], e);
	if (!key || key_spki(key, &spki, e) < 0)
		goto out;
	rc = buf_same(&spki, &ch.cert[0].spki) ? 0
					       : err_set(e, REASON_CONFIG, "the key %s does not belong to %s", name, cert);
out:
	buf_free(&spki);
	key_free(key);
	chain_free(&ch);
	return rc;
}

static int check(struct office *o, struct err *e)
{
	return check_unit(o, "server", "ca", PURPOSE_SERVER, e) < 0 || check_unit(o, "operator", "operator", PURPOSE_CLIENT, e) < 0
		       ? -1
		       : 0;
}

static void report(const struct cli *c, const struct office *o)
{
	struct jsonl *j;

	if (cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "kind", site_name(o->settings.site));
		jsonl_str(j, "id", o->settings.id);
		jsonl_print(j);
	} else {
		printf("%s: %s CA \"%s\", all in order\n", o->dir, site_name(o->settings.site), o->settings.id);
	}
}

/* All CAs of the system; its signer checks keys and profiles when it starts. */
static int check_all(const struct cli *c, struct office *o, const struct ca_folders *all, struct err *e)
{
	struct signer *s;
	int rc = 0;

	for (size_t i = 0; i < all->n && rc == 0; i++) {
		if (office_open_at(&o[i], all->of[i].path, e) < 0)
			return -1;
		rc = check(&o[i], e);
	}
	if (rc < 0)
		return -1;
	s = signer_start(cli_dir(c), SIGNER_FOR_SERVE, e);
	signer_stop(s);
	for (size_t i = 0; s && i < all->n; i++)
		report(c, &o[i]);
	return s ? 0 : -1;
}

enum cli_exit cmd_config_check(const struct cli *c)
{
	struct ca_folders *all = mem_new(1, sizeof *all);
	struct office *o = mem_new(LIMIT_CAS, sizeof *o);
	struct err e;
	int rc = system_list(all, cli_dir(c), &e);

	if (rc == 0)
		rc = check_all(c, o, all, &e);
	for (size_t i = 0; i < LIMIT_CAS; i++)
		office_close(&o[i]);
	free(o);
	free(all);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}
