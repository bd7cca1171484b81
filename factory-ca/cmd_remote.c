#include <config.h>

#include "cmd_remote.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cmd_audit.h"
#include "file.h"
#include "mem.h"
#include "order_options.h"

#define FOLLOW_MS 2000	/* each look is a request */

/* With the hand open: what to do, and what becomes of it. */
static enum cli_exit with_hand(const struct cli *c, int (*make)(struct hand *h, const struct cli *c, struct action *a, struct err *e))
{
	struct action a = {0};
	enum cli_exit code;
	struct hand h;
	struct err e;

	if (hand_open(&h, c, &e) < 0)
		return cli_fail(c, &e);
	code = make(&h, c, &a, &e) < 0 ? cli_fail(c, &e) : hand_do(c, &h, &a);
	hand_close(&h);
	action_free(&a);
	return code;
}

/* ---- work orders ---- */
static int sign_order(struct hand *h, const struct cli *c, const struct work_order *o, struct action *a, struct err *e)
{
	const char *out = cli_get(c, "out");

	if (work_order_write(o, h->op.key, &h->op.chain, &a->document, e) < 0)
		return -1;
	return out ? file_replace(out, a->document.data, a->document.len, 0644, e) : 0;
}

/* The manufacturer is the one in the CA's own certificate. */
static int make_order(struct hand *h, const struct cli *c, struct action *a, struct err *e)
{
	struct work_order *o = mem_new(1, sizeof *o);
	int rc = order_from_options(o, h->op.chain.cert[h->op.chain.n > 1].device.manufacturer, c, e);

	a->what = ACT_ORDER_CREATE;
	if (rc == 0)
		rc = sign_order(h, c, o, a, e);
	free(o);
	return rc;
}

enum cli_exit remote_order_create(const struct cli *c)
{
	return with_hand(c, make_order);
}

/* The order as it is in force, in its signed bytes. */
static int order_fetch(struct hand *h, const char *id, struct work_order *o, struct err *e)
{
	struct ca_query q = { .what = ASK_ORDER, .form = CA_DER };
	size_t len = 0, rows;
	char *cms = NULL;
	FILE *to;
	int rc;

	if (text_copy(q.subject, sizeof q.subject, id) < 0)
		return err_set(e, REASON_CONFIG, "%s is no id of a work order", id);
	to = open_memstream(&cms, &len);
	if (!to)
		return err_errno(e, REASON_INTERNAL, "open_memstream");
	rc = hand_query(h, &q, to, &rows, e);
	fclose(to);
	if (rc == 0)
		rc = work_order_read(o, cms, len, h->trust, e);
	if (rc == 0 && strcmp(o->id, id) != 0)
		rc = err_set(e, REASON_ORDER, "the CA shows order %s for %s", o->id, id);
	free(cms);
	return rc;
}

static int make_extension(struct hand *h, const struct cli *c, struct action *a, struct err *e)
{
	struct work_order *o = mem_new(1, sizeof *o);
	int rc = order_fetch(h, cli_arg(c, 0), o, e);

	a->what = ACT_ORDER_EXTEND;
	if (rc == 0)
		rc = order_apply_options(o, c, e);
	o->version++;
	if (rc == 0)
		rc = sign_order(h, c, o, a, e);
	free(o);
	return rc;
}

enum cli_exit remote_order_extend(const struct cli *c)
{
	return with_hand(c, make_extension);
}

static int subject_set(struct action *a, const char *text, struct err *e)
{
	return text_copy(a->subject, sizeof a->subject, text) < 0 ? err_set(e, REASON_CONFIG, "%s: too long", text) : 0;
}

static int make_close(struct hand *h, const struct cli *c, struct action *a, struct err *e)
{
	a->what = cli_has(c, "compromised") ? ACT_ORDER_COMPROMISE : ACT_ORDER_CLOSE;
	return subject_set(a, cli_arg(c, 0), e);
}

enum cli_exit remote_order_close(const struct cli *c)
{
	return with_hand(c, make_close);
}

enum cli_exit remote_order_show(const struct cli *c)
{
	struct ca_query q = { .what = ASK_ORDER };
	struct err e;

	if (text_copy(q.subject, sizeof q.subject, cli_arg(c, 0)) == 0)
		return hand_list(c, &q);
	return cli_fail(c, (err_set(&e, REASON_CONFIG, "%s is no id of a work order", cli_arg(c, 0)), &e));
}

/* ---- units, and what devices hold ---- */
enum cli_exit remote_unit_invite(const struct cli *c)
{
	struct action a = { .what = ACT_UNIT_INVITE };
	struct invitation v = {0};
	struct err e;

	return invitation_from(&v, c, &e) < 0 ? cli_fail(c, &e) : hand_invite(c, &a, &v);
}

static int device_set(struct action *a, const struct cli *c, const char *serial, struct err *e)
{
	const char *m = cli_get(c, "manufacturer"), *model = cli_get(c, "model");

	if (text_copy(a->device.serial, sizeof a->device.serial, serial) < 0 ||
	    (m && text_copy(a->device.manufacturer, sizeof a->device.manufacturer, m) < 0) ||
	    (model && text_copy(a->device.model, sizeof a->device.model, model) < 0))
		return err_set(e, REASON_CONFIG, "serial, manufacturer or model: too long");
	return 0;
}

static int reason_set(struct action *a, const struct cli *c, struct err *e)
{
	const char *reason;

	if (reason_needed(c, &reason, e) < 0)
		return -1;
	snprintf(a->reason, sizeof a->reason, "%s", reason);
	return 0;
}

static int make_revocation(struct hand *h, const struct cli *c, struct action *a, struct err *e)
{
	const char *device = cli_get(c, "device"), *certificate = cli_get(c, "certificate");

	a->what = ACT_REVOKE;
	if (!device == !certificate)
		return err_set(e, REASON_CONFIG, "give either --device SERIAL or --certificate HEXSERIAL");
	if (reason_set(a, c, e) < 0)
		return -1;
	return device ? device_set(a, c, device, e) : subject_set(a, certificate, e);
}

enum cli_exit remote_revoke(const struct cli *c)
{
	return with_hand(c, make_revocation);
}

static int make_rework(struct hand *h, const struct cli *c, struct action *a, struct err *e)
{
	const char *serial;

	a->what = ACT_REWORK;
	if (option_needed(c, "serial", &serial, e) < 0)
		return -1;
	return device_set(a, c, serial, e) < 0 ? -1 : reason_set(a, c, e);
}

static int make_takeover(struct hand *h, const struct cli *c, struct action *a, struct err *e)
{
	const char *to;

	if (option_needed(c, "to", &to, e) < 0 || make_rework(h, c, a, e) < 0)
		return -1;
	a->what = ACT_TAKEOVER;
	return text_copy(a->station, sizeof a->station, to) < 0 ? err_set(e, REASON_CONFIG, "--to %s: too long", to) : 0;
}

enum cli_exit remote_rework(const struct cli *c)
{
	return with_hand(c, make_rework);
}

enum cli_exit remote_takeover(const struct cli *c)
{
	return with_hand(c, make_takeover);
}

/* ---- the audit ---- */
/* As "audit export" of the folder writes it: heads first. */
static int export_all(void *hand, FILE *out, struct err *e)
{
	struct hand *h = hand;
	struct ca_query heads = { .what = ASK_HEADS, .form = CA_JSON }, rows = { .what = ASK_AUDIT, .form = CA_JSON };
	size_t n;

	return hand_query(h, &heads, out, &n, e) < 0 ? -1 : hand_query(h, &rows, out, &n, e);
}

enum cli_exit remote_audit_export(const struct cli *c)
{
	struct hand h;
	struct err e;
	int rc;

	if (hand_open(&h, c, &e) < 0)
		return cli_fail(c, &e);
	rc = audit_out(c, export_all, &h, &e);
	hand_close(&h);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

/* The last of those that there are: serve makes one at least as often as ca.yaml says. */
static int last_head(struct hand *h, struct err *e)
{
	struct ca_query q = { .what = ASK_HEADS, .form = CA_JSON };
	size_t len = 0, rows;
	char *lines = NULL, *last;
	FILE *to = open_memstream(&lines, &len);
	int rc;

	if (!to)
		return err_errno(e, REASON_INTERNAL, "open_memstream");
	rc = hand_query(h, &q, to, &rows, e);
	fclose(to);
	if (rc == 0 && !rows)
		rc = err_set(e, REASON_AUDIT, "the audit has no head yet");
	if (rc == 0) {
		last = len > 1 ? memrchr(lines, '\n', len - 1) : NULL;
		fputs(last ? last + 1 : lines, stdout);
	}
	free(lines);
	return rc;
}

enum cli_exit remote_audit_head(const struct cli *c)
{
	struct hand h;
	struct err e;
	int rc;

	if (hand_open(&h, c, &e) < 0)
		return cli_fail(c, &e);
	rc = last_head(&h, &e);
	hand_close(&h);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

enum cli_exit remote_audit_tail(const struct cli *c, uint64_t rows)
{
	struct ca_query q = { .what = ASK_AUDIT, .form = cli_json(c) ? CA_JSON : CA_TEXT, .last = (int64_t)rows };
	struct hand h;
	size_t n;
	struct err e;
	int rc;

	if (hand_open(&h, c, &e) < 0)
		return cli_fail(c, &e);
	rc = hand_query(&h, &q, stdout, &n, &e);
	for (q.last = 0; rc == 0 && cli_has(c, "follow");) {
		poll(NULL, 0, FOLLOW_MS);
		rc = hand_query(&h, &q, stdout, &n, &e);
	}
	hand_close(&h);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}
