#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"
#include "mem.h"

/* ---- ca add ---- */
static int add(struct settings *s, const struct cli *c, char root[SHA256_HEX], struct err *e)
{
	struct ca_folders *all = mem_new(1, sizeof *all);
	char dir[FILE_PATH];
	struct ca_making m;
	const char *id;
	int rc = -1;

	if (option_needed(c, "id", &id, e) < 0 || ca_options(s, c, e) < 0 || making_of_cli(&m, c, e) < 0 || system_list(all, cli_dir(c), e) < 0)
		goto out;
	if (all->n == LIMIT_CAS)
		err_set(e, REASON_CONFIG, "%s has %d CAs, which is all that one system holds", cli_dir(c), LIMIT_CAS);
	else if (s->site == SITE_UPPER)
		err_set(e, REASON_CONFIG, "an upper CA has a folder of its own, kept offline: \"handsel-ca --dir OTHER init --kind upper\"");
	else if (system_place(dir, cli_dir(c), id, e) == 0)
		rc = ca_make(s, dir, &m, root, e);
out:
	free(all);
	return rc;
}

enum cli_exit cmd_ca_add(const struct cli *c)
{
	char root[SHA256_HEX];
	struct settings s;
	struct jsonl *j;
	struct err e;

	if (add(&s, c, root, &e) < 0)
		return cli_fail(c, &e);
	if (!cli_json(c)) {
		printf("%s CA \"%s\" of \"%s\" made\nroot fingerprint (SHA-256): %s\n"
		       "restart \"handsel-ca serve\" to serve it; its commands take --ca %s, its units ca-id: %s\n",
		       site_name(s.site), s.id, s.name, root, s.id, s.id);
		return EXIT_DONE;
	}
	j = jsonl_new("result");
	jsonl_str(j, "id", s.id);
	jsonl_str(j, "kind", site_name(s.site));
	jsonl_str(j, "name", s.name);
	jsonl_str(j, "root_sha256", root);
	jsonl_print(j);
	return EXIT_DONE;
}

/* ---- ca list ---- */
static void print_ca(const struct cli *c, const struct settings *s, const struct authority *a)
{
	struct buf profiles = {0};
	char root[SHA256_HEX];
	struct jsonl *j;

	text_hex(root, a->root.cert->sha256, SHA256_LEN);
	for (size_t i = 0; i < s->n_profiles; i++)
		buf_fmt(&profiles, "%s%s", i ? " " : "", s->profile[i]);
	if (cli_json(c)) {
		j = jsonl_new("ca");
		jsonl_str(j, "id", s->id);
		jsonl_str(j, "kind", site_name(s->site));
		jsonl_str(j, "name", s->name);
		jsonl_str(j, "profiles", buf_text(&profiles));
		jsonl_str(j, "root_sha256", root);
		jsonl_int(j, "generation", a->generation);
		jsonl_bool(j, "overlap", a->overlap);
		jsonl_print(j);
	} else {
		printf("%-16s %-9s %-24s %s\n  root %s, generation %u%s\n", s->id, site_name(s->site), s->name, buf_text(&profiles), root,
		       a->generation, a->overlap ? ", the one before is good, too" : "");
	}
	buf_free(&profiles);
}

static int list(const struct cli *c, const struct ca_folders *all, struct err *e)
{
	for (size_t i = 0; i < all->n; i++) {
		struct authority a;
		struct settings s;

		if (settings_load(&s, all->of[i].path, e) < 0 || authority_load(&a, all->of[i].path, e) < 0)
			return -1;
		print_ca(c, &s, &a);
		authority_free(&a);
	}
	return 0;
}

enum cli_exit cmd_ca_list(const struct cli *c)
{
	struct ca_folders *all = mem_new(1, sizeof *all);
	struct err e;
	int rc = system_list(all, cli_dir(c), &e);

	if (rc == 0)
		rc = list(c, all, &e);
	free(all);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}
