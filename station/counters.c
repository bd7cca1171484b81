#include <config.h>

#include "counters.h"

#include <string.h>

#include "conf.h"
#include "fault.h"
#include "file.h"
#include "mem.h"
#include "text.h"

#define FILE_NAME "counters.yaml"
#define COUNT_MAX 1000000000	/* no line builds more; sums stay far from overflow */

static int read_count(struct count *out, const struct conf_node *n, struct err *e)
{
	static const struct conf_field fields[] = { { "pass", CONF_SCALAR, true }, { "fail", CONF_SCALAR, true } };
	const struct conf_node *v[ARRAY_LEN(fields)];

	if (conf_fields(n, fields, ARRAY_LEN(fields), v, e) < 0 || conf_uint(v[0], &out->pass, 0, COUNT_MAX, e) < 0)
		return -1;
	return conf_uint(v[1], &out->fail, 0, COUNT_MAX, e);
}

static int read_order(struct counters *c, const struct conf_node *n, struct err *e)
{
	static const struct conf_field fields[] = { { "id", CONF_SCALAR, true }, { "count", CONF_MAP, true } };
	const struct conf_node *v[ARRAY_LEN(fields)];
	struct order_count *o;

	if (c->n_orders == COUNTERS_ORDERS)
		return conf_error(n, e, "more than %d orders", COUNTERS_ORDERS);
	o = &c->order[c->n_orders++];
	if (conf_fields(n, fields, ARRAY_LEN(fields), v, e) < 0 || conf_str(v[0], o->id, sizeof o->id, e) < 0)
		return -1;
	return read_count(&o->count, v[1], e);
}

static int read_failed(struct counters *c, const struct conf_node *n, struct err *e)
{
	if (c->n_failed == COUNTERS_FAILED)
		return conf_error(n, e, "more than %d serials", COUNTERS_FAILED);
	return conf_str(n, c->failed[c->n_failed++], sizeof c->failed[0], e);
}

static int read_fields(struct counters *c, const struct conf_node *root, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "version", CONF_SCALAR, true }, { "shift-start", CONF_SCALAR, true }, { "shift", CONF_MAP, true },
		{ "first", CONF_MAP, true },	  { "orders", CONF_LIST, true },	{ "failed", CONF_LIST, true },
	};
	const struct conf_node *v[ARRAY_LEN(fields)];

	if (conf_fields(root, fields, ARRAY_LEN(fields), v, e) < 0 || conf_version(v[0], root, e) < 0)
		return -1;
	if (text_untime(&c->shift_start, conf_text(v[1])) < 0)
		return conf_error(v[1], e, "no time as 2026-11-22T14:02:07Z");
	if (read_count(&c->shift, v[2], e) < 0 || read_count(&c->first, v[3], e) < 0)
		return -1;
	for (size_t i = 0; i < conf_count(v[4]); i++)
		if (read_order(c, conf_item(v[4], i), e) < 0)
			return -1;
	for (size_t i = 0; i < conf_count(v[5]); i++)
		if (read_failed(c, conf_item(v[5], i), e) < 0)
			return -1;
	return 0;
}

int counters_load(struct counters *c, const char *dir, struct err *e)
{
	struct conf *file = NULL;
	int rc;

	memset(c, 0, sizeof *c);
	rc = conf_load_optional(&file, dir, FILE_NAME, e);
	if (rc > 0)
		rc = read_fields(c, conf_root(file), e);
	conf_free(file);
	return rc < 0 ? err_prefix(e, "the counters of the shift; correct the file, or remove it to begin at 0") : 0;
}

static void put_count(struct buf *out, const char *before, const struct count *c, const char *after)
{
	buf_fmt(out, "%s{pass: %llu, fail: %llu}%s\n", before, (unsigned long long)c->pass, (unsigned long long)c->fail,
		after);
}

int counters_save(const struct counters *c, const char *dir, struct err *e)
{
	char path[FILE_PATH], start[TEXT_TIME];
	struct buf text = {0};
	int rc;

	if (file_join(path, e, dir, FILE_NAME) < 0)
		return -1;
	text_time(start, c->shift_start);
	buf_fmt(&text, "# Written by handsel-station after each unit.\nversion: 1\nshift-start: \"%s\"\n", start);
	put_count(&text, "shift: ", &c->shift, "");
	put_count(&text, "first: ", &c->first, "");
	buf_fmt(&text, "orders:%s\n", c->n_orders ? "" : " []");
	for (size_t i = 0; i < c->n_orders; i++) {
		buf_fmt(&text, "  - {id: \"%s\", count: ", c->order[i].id);
		put_count(&text, "", &c->order[i].count, "}");
	}
	buf_fmt(&text, "failed:%s\n", c->n_failed ? "" : " []");
	for (size_t i = 0; i < c->n_failed; i++)
		buf_fmt(&text, "  - \"%s\"\n", c->failed[i]);
	FAULT("station.counters");
	rc = file_replace(path, text.data, text.len, 0644, e);
	buf_free(&text);
	return rc;
}

static struct count *order_of(struct counters *c, const char *id)
{
	struct order_count this = {0};
	size_t i = 0;

	while (i < c->n_orders && strcmp(c->order[i].id, id) != 0)
		i++;
	if (i < c->n_orders)
		this = c->order[i];
	else
		text_copy(this.id, sizeof this.id, id);
	if (i == COUNTERS_ORDERS)
		i = 0;
	if (i < c->n_orders) {
		memmove(&c->order[i], &c->order[i + 1], (c->n_orders - i - 1) * sizeof c->order[0]);
		c->n_orders--;
	}
	c->order[c->n_orders] = this;
	return &c->order[c->n_orders++].count;
}

static bool has_failed(const struct counters *c, const char *serial)
{
	for (size_t i = 0; i < c->n_failed; i++)
		if (strcmp(c->failed[i], serial) == 0)
			return true;
	return false;
}

static void remember_failed(struct counters *c, const char *serial)
{
	if (!text_is_token(serial, LIMIT_SERIAL))	/* "", or nothing that a file should hold */
		return;
	if (c->n_failed == COUNTERS_FAILED)
		memmove(c->failed[0], c->failed[1], --c->n_failed * sizeof c->failed[0]);
	text_copy(c->failed[c->n_failed++], sizeof c->failed[0], serial);
}

static void add(struct count *c, bool pass)
{
	if (pass)
		c->pass++;
	else
		c->fail++;
}

void counters_new_shift(struct counters *c, int64_t now)
{
	c->shift_start = now;
	c->shift = c->first = (struct count){0};
	c->n_failed = 0;
}

bool counters_shift_over(const struct counters *c, int64_t now, uint64_t shift_s)
{
	return c->shift_start && shift_s && now - c->shift_start >= (int64_t)shift_s;
}

void counters_unit(struct counters *c, const char *order, const char *serial, bool pass, int64_t now, uint64_t shift_s)
{
	bool again;

	if (!c->shift_start || counters_shift_over(c, now, shift_s))
		counters_new_shift(c, now);
	again = has_failed(c, serial);
	add(&c->shift, pass);
	add(order_of(c, order), pass);
	if (!again)
		add(&c->first, pass);
	if (!again && !pass)
		remember_failed(c, serial);
}

struct count counters_order(const struct counters *c, const char *order)
{
	for (size_t i = 0; i < c->n_orders; i++)
		if (strcmp(c->order[i].id, order) == 0)
			return c->order[i].count;
	return (struct count){0};
}

int counters_yield(const struct count *c)
{
	uint64_t judged = c->pass + c->fail;

	return judged ? (int)((1000 * c->pass + judged / 2) / judged) : -1;
}
