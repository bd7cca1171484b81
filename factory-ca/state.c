#include <config.h>

#include "state.h"

#include <inttypes.h>

#include "conf.h"
#include "file.h"
#include "log.h"
#include "mem.h"

#define FILE_NAME "status.yaml"
#define SILENT_S (3 * STATE_EVERY_S)

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

static int read_root(struct state *s, const struct conf_node *root, struct err *e)
{
	static const struct conf_field fields[] = { { "version", CONF_SCALAR, true }, { "started", CONF_SCALAR, true },
						    { "written", CONF_SCALAR, true }, { "signer", CONF_SCALAR, true },
						    { "pool", CONF_LIST, true } };
	const struct conf_node *f[ARRAY_LEN(fields)];

	if (conf_fields(root, fields, ARRAY_LEN(fields), f, e) < 0 || conf_version(f[0], root, e) < 0 ||
	    number(f[1], &s->started, e) < 0 || number(f[2], &s->written, e) < 0 ||
	    conf_uint(f[3], &s->signer.uptime_s, 0, INT64_MAX, e) < 0)
		return -1;
	for (size_t i = 0; i < conf_count(f[4]) && i < POOL_TYPES; i++)
		if (read_pool(&s->signer.pool[s->signer.n++], conf_item(f[4], i), e) < 0)
			return -1;
	return 0;
}

int state_read(struct state *s, const char *dir, int64_t now, struct err *e)
{
	char path[FILE_PATH];
	struct conf *c;
	int rc;

	*s = (struct state){0};
	if (file_join(path, e, dir, FILE_NAME) < 0)
		return -1;
	if (!file_exists(path))
		return 0;
	c = conf_load(path, e);
	if (!c)
		return -1;
	rc = read_root(s, conf_root(c), e);
	conf_free(c);
	return rc < 0 ? -1 : now <= s->written + SILENT_S;
}
