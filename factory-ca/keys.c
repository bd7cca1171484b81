#include <config.h>

#include "keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "mem.h"
#include "text.h"

#define FILE_NAME "keys.yaml"

static const char *const sandboxes[] = { "on", "network", "off", NULL };

/* ---- keys.yaml ---- */
static int read_home(struct key_home *h, const struct conf_node *place, const struct conf_node *credential, struct err *e)
{
	struct err why;

	if (conf_str(place, h->place, sizeof h->place, e) < 0 || conf_str(credential, h->credential, sizeof h->credential, e) < 0)
		return -1;
	if (keystore_place_check(h->place, &why) < 0)
		return conf_error(place, e, "%s", why.text);
	if (credential && *h->credential != '/')
		return conf_error(credential, e, "the path must begin with \"/\"");
	return 0;
}

static int read_root(struct key_homes *h, const struct conf_node *root, struct err *e)
{
	static const char *const passphrases[] = { "none", NULL };
	int sandbox = KEY_SANDBOX_ON;
	static const struct conf_field fields[] = {
		{ "version", CONF_SCALAR, true }, { "keys", CONF_SCALAR, true }, { "key-credential", CONF_SCALAR, false },
		{ "key-passphrase", CONF_SCALAR, false }, { "root-key", CONF_SCALAR, true }, { "root-credential", CONF_SCALAR, false },
		{ "key-sandbox", CONF_SCALAR, false },
	};
	const struct conf_node *n[ARRAY_LEN(fields)];
	int none = 0;

	if (conf_fields(root, fields, ARRAY_LEN(fields), n, e) < 0 || conf_version(n[0], root, e) < 0 ||
	    read_home(&h->keys, n[1], n[2], e) < 0 || read_home(&h->root, n[4], n[5], e) < 0 ||
	    conf_choice(n[3], passphrases, &none, e) < 0 || conf_choice(n[6], sandboxes, &sandbox, e) < 0)
		return -1;
	h->plain = n[3] != NULL;
	h->sandbox = (enum key_sandbox)sandbox;
	return 0;
}

int key_homes_load(struct key_homes *h, const char *folder, struct err *e)
{
	struct conf *c;
	int rc;

	*h = (struct key_homes){ .keys = { .place = KEYSTORE_FILE }, .root = { .place = KEYSTORE_FILE } };
	rc = conf_load_optional(&c, folder, FILE_NAME, e);
	if (rc != 1)
		return rc;
	rc = read_root(h, conf_root(c), e);
	conf_free(c);
	return rc;
}

int key_homes_save(const struct key_homes *h, const char *folder, struct err *e)
{
	char path[FILE_PATH];
	struct buf text = {0};
	int rc;

	if (file_join(path, e, folder, FILE_NAME) < 0)
		return -1;
	buf_str(&text, "version: 1\n");
	conf_put(&text, "keys", h->keys.place);
	conf_put(&text, "key-credential", h->keys.credential);
	conf_put(&text, "key-passphrase", h->plain ? "none" : "");
	conf_put(&text, "root-key", h->root.place);
	conf_put(&text, "root-credential", h->root.credential);
	conf_put(&text, "key-sandbox", h->sandbox == KEY_SANDBOX_ON ? "" : sandboxes[h->sandbox]);
	rc = file_replace(path, text.data, text.len, 0644, e);
	buf_free(&text);
	return rc;
}

/* ---- options ---- */
static const struct cli_option options[] = { KEY_HOME_OPTIONS };

void key_homes_words(const struct cli *c, const char **argv, size_t *n)
{
	static const char *const words[] = { "--keys", "--key-credential", "--key-passphrase", "--root-key", "--root-credential", "--key-sandbox" };

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (!cli_has(c, options[i].name))
			continue;
		argv[(*n)++] = words[i];
		if (options[i].value)
			argv[(*n)++] = cli_get(c, options[i].name);
	}
}

static int take_place(struct key_home *h, const struct cli *c, const char *option, struct err *e)
{
	const char *place = cli_get(c, option);

	if (!place || strcmp(place, h->place) == 0)
		return 0;
	if (keystore_place_check(place, e) < 0)
		return err_prefix(e, "--%s", option);
	*h = (struct key_home){0};
	return text_copy(h->place, sizeof h->place, place) == 0 ? 0 : err_set(e, REASON_CONFIG, "--%s: too long", option);
}

/* Whole paths: daemons stand in another folder. */
static int take_credential(struct key_home *h, const struct cli *c, const char *option, struct err *e)
{
	const char *given = cli_get(c, option);
	char *whole;
	int rc;

	if (!given)
		return 0;
	whole = realpath(given, NULL);
	if (!whole)
		return err_errno(e, REASON_CONFIG, "--%s %s", option, given);
	rc = text_copy(h->credential, sizeof h->credential, whole);
	free(whole);
	return rc == 0 ? 0 : err_set(e, REASON_CONFIG, "--%s: too long", option);
}

static int take_sandbox(struct key_homes *h, const struct cli *c, struct err *e)
{
	const char *given = cli_get(c, "key-sandbox");
	int i = 0;

	while (given && sandboxes[i] && strcmp(given, sandboxes[i]) != 0)
		i++;
	if (given && !sandboxes[i])
		return err_set(e, REASON_CONFIG, "--key-sandbox %s: must be on, network or off", given);
	if (given)
		h->sandbox = (enum key_sandbox)i;
	return 0;
}

int key_homes_options(struct key_homes *h, const struct cli *c, struct err *e)
{
	const char *passphrase = cli_get(c, "key-passphrase");
	bool together = key_home_same(&h->keys, &h->root);

	if (passphrase && strcmp(passphrase, "none") != 0)
		return err_set(e, REASON_CONFIG, "--key-passphrase: \"none\" or nothing; a passphrase does not belong on a command line, which many can read");
	if (take_place(&h->keys, c, "keys", e) < 0 || take_credential(&h->keys, c, "key-credential", e) < 0)
		return -1;
	if (together)
		h->root = h->keys;
	if (take_place(&h->root, c, "root-key", e) < 0 || take_credential(&h->root, c, "root-credential", e) < 0)
		return -1;
	h->plain |= passphrase != NULL;
	if (cli_has(c, "key-credential") && !passphrase)
		h->plain = false;
	return take_sandbox(h, c, e);
}

/* ---- stores ---- */
bool key_home_same(const struct key_home *a, const struct key_home *b)
{
	return strcmp(a->place, b->place) == 0 && strcmp(a->credential, b->credential) == 0;
}

struct keystore *key_home_open(const struct key_home *h, bool plain, const char *credential, const char *what, struct err *e)
{
	struct keystore_plan plan = { .plain = plain, .ask = what };

	snprintf(plan.place, sizeof plan.place, "%s", h->place);
	snprintf(plan.file, sizeof plan.file, "%s", h->credential);
	snprintf(plan.credential, sizeof plan.credential, "%s", credential);
	return keystore_open(&plan, e);
}
