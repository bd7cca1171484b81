#include <config.h>

#include "state.h"

#include <inttypes.h>
#include <stdio.h>

#include "conf.h"
#include "file.h"
#include "log.h"
#include "mem.h"

#define FILE_NAME "status.yaml"
#define SILENT_S (3 * STATE_EVERY_S)

static const char *yes(bool b)
{
	return b ? "true" : "false";
}

static void write_keys(struct buf *b, const struct keys_state *k)
{
	char name[sizeof k->store.name];

	snprintf(name, sizeof name, "%s", k->store.name);
	for (char *p = name; *p; p++)	/* a label may be anything */
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e || *p == '"' || *p == '\\')
			*p = '?';
	buf_fmt(b, "  - {ca: \"%s\", kind: %s, name: \"%s\", there: %s, secret: %s, encrypted: %s, tries: %d, open: %s, sandbox: \"%s\", memory: %s}\n", k->ca,
		k->store.kind, name, yes(k->store.there), yes(k->store.secret), yes(k->store.encrypted), (int)k->store.tries, yes(k->open),
		k->sandbox, yes(k->memory));
}

int state_write(const char *dir, const struct signer_state *s, int64_t started, int64_t now, struct err *e)
{
	char path[FILE_PATH];
	struct buf b = {0};
	int rc;

	if (file_join(path, e, dir, FILE_NAME) < 0)
		return -1;
	buf_fmt(&b, "version: 1\nstarted: %" PRId64 "\nwritten: %" PRId64 "\nsigner: %" PRIu64 "\npool:%s\n", started, now, s->uptime_s,
		s->n ? "" : " []");
	for (size_t i = 0; i < s->n; i++)
		buf_fmt(&b, "  - {type: %s, ready: %" PRIu32 ", room: %" PRIu32 ", made: %" PRIu64 ", ms: %" PRIu64 "}\n",
			key_type_name(s->pool[i].type), s->pool[i].ready, s->pool[i].room, s->pool[i].made, s->pool[i].made_ms);
	buf_fmt(&b, "keys:%s\n", s->n_keys ? "" : " []");
	for (size_t i = 0; i < s->n_keys; i++)
		write_keys(&b, &s->keys[i]);
	rc = file_replace(path, b.data, b.len, 0600, e);
	buf_free(&b);
	return rc;
}

void state_remove(const char *dir)
{
	char path[FILE_PATH];
	struct err e;

	if (file_join(path, &e, dir, FILE_NAME) < 0 || file_remove(path, &e) < 0)
		log_err(&e, "status");
}

static int number(const struct conf_node *n, int64_t *out, struct err *e)
{
	uint64_t v = 0;

	if (conf_uint(n, &v, 0, INT64_MAX, e) < 0)
		return -1;
	*out = (int64_t)v;
	return 0;
}

static int read_pool(struct pool_state *p, const struct conf_node *n, struct err *e)
{
	static const struct conf_field fields[] = { { "type", CONF_SCALAR, true }, { "ready", CONF_SCALAR, true },
						    { "room", CONF_SCALAR, true }, { "made", CONF_SCALAR, true },
						    { "ms", CONF_SCALAR, true } };
	const struct conf_node *f[ARRAY_LEN(fields)];
	uint64_t ready = 0, room = 0;

	if (conf_fields(n, fields, ARRAY_LEN(fields), f, e) < 0 || conf_uint(f[1], &ready, 0, UINT32_MAX, e) < 0 ||
	    conf_uint(f[2], &room, 0, UINT32_MAX, e) < 0 || conf_uint(f[3], &p->made, 0, INT64_MAX, e) < 0 ||
	    conf_uint(f[4], &p->made_ms, 0, INT64_MAX, e) < 0)
		return -1;
	p->type = key_type_parse(conf_text(f[0]));
	p->ready = (uint32_t)ready;
	p->room = (uint32_t)room;
	return 0;
}

static int read_keys(struct keys_state *k, const struct conf_node *n, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "ca", CONF_SCALAR, true }, { "kind", CONF_SCALAR, true }, { "name", CONF_SCALAR, true }, { "there", CONF_SCALAR, true },
		{ "secret", CONF_SCALAR, true }, { "encrypted", CONF_SCALAR, true }, { "tries", CONF_SCALAR, true }, { "open", CONF_SCALAR, true },
		{ "sandbox", CONF_SCALAR, true }, { "memory", CONF_SCALAR, true },
	};
	const struct conf_node *f[ARRAY_LEN(fields)];
	uint64_t tries = 0;

	if (conf_fields(n, fields, ARRAY_LEN(fields), f, e) < 0 || conf_str(f[1], k->store.kind, sizeof k->store.kind, e) < 0 ||
	    conf_bool(f[3], &k->store.there, e) < 0 || conf_bool(f[4], &k->store.secret, e) < 0 || conf_bool(f[5], &k->store.encrypted, e) < 0 ||
	    conf_uint(f[6], &tries, 0, TRIES_NONE, e) < 0 || conf_bool(f[7], &k->open, e) < 0 ||
	    conf_str(f[8], k->sandbox, sizeof k->sandbox, e) < 0 || conf_bool(f[9], &k->memory, e) < 0)
		return -1;
	snprintf(k->ca, sizeof k->ca, "%s", conf_text(f[0]));		/* either may be empty */
	snprintf(k->store.name, sizeof k->store.name, "%s", conf_text(f[2]));
	k->store.tries = (enum token_tries)tries;
	return 0;
}

static int read_root(struct state *s, const struct conf_node *root, struct err *e)
{
	static const struct conf_field fields[] = { { "version", CONF_SCALAR, true }, { "started", CONF_SCALAR, true },
						    { "written", CONF_SCALAR, true }, { "signer", CONF_SCALAR, true },
						    { "pool", CONF_LIST, true }, { "keys", CONF_LIST, true } };
	const struct conf_node *f[ARRAY_LEN(fields)];

	if (conf_fields(root, fields, ARRAY_LEN(fields), f, e) < 0 || conf_version(f[0], root, e) < 0 ||
	    number(f[1], &s->started, e) < 0 || number(f[2], &s->written, e) < 0 ||
	    conf_uint(f[3], &s->signer.uptime_s, 0, INT64_MAX, e) < 0)
		return -1;
	for (size_t i = 0; i < conf_count(f[4]) && i < POOL_TYPES; i++)
		if (read_pool(&s->signer.pool[s->signer.n++], conf_item(f[4], i), e) < 0)
			return -1;
	for (size_t i = 0; i < conf_count(f[5]) && i < LIMIT_CAS; i++)
		if (read_keys(&s->signer.keys[s->signer.n_keys++], conf_item(f[5], i), e) < 0)
			return -1;
	return 0;
}

int state_read(struct state *s, const char *dir, int64_t now, struct err *e)
{
	struct conf *c;
	int rc;

	*s = (struct state){0};
	rc = conf_load_optional(&c, dir, FILE_NAME, e);
	if (rc != 1)
		return rc;
	rc = read_root(s, conf_root(c), e);
	conf_free(c);
	return rc < 0 ? -1 : now <= s->written + SILENT_S;
}
