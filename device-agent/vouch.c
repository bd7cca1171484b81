#include <config.h>

#include "vouch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "documents.h"
#include "enrol.h"
#include "fault.h"
#include "file.h"
#include "log.h"
#include "mem.h"
#include "store.h"
#include "store_place.h"

#define VOUCHER_PATH "/.well-known/handsel/voucher"
#define VOUCHER_FILE "voucher"	/* "SEQUENCE CUSTOMER" of the highest one that was accepted */

/* ---- the highest one seen ---- */
static int floor_path(char path[FILE_PATH], const struct store *s, struct err *e)
{
	return file_join(path, e, store_dir(s), VOUCHER_FILE);
}

static int floor_read(const struct store *s, struct vouch_floor *f, struct err *e)
{
	char path[FILE_PATH], line[LIMIT_NAME + 32], *blank;

	*f = (struct vouch_floor){0};
	if (floor_path(path, s, e) < 0 || place_read_line(path, line, sizeof line, e) < 0)
		return -1;
	if (!line[0])
		return 0;
	blank = strchr(line, ' ');
	if (blank)
		*blank = 0;
	if (!blank || text_uint(&f->sequence, line, INT64_MAX) < 0 || text_copy(f->customer, sizeof f->customer, blank + 1) < 0)
		return err_set(e, REASON_KEY_STORE, "%s is damaged: it does not say which voucher counts", path);
	return 0;
}

static int floor_write(const struct store *s, const struct vouch_floor *f, struct err *e)
{
	char path[FILE_PATH], line[LIMIT_NAME + 32];

	snprintf(line, sizeof line, "%" PRIu64 " %s\n", f->sequence, f->customer);
	return floor_path(path, s, e) < 0 ? -1 : file_replace(path, line, strlen(line), 0600, e);
}

/* ---- what it says ---- */
static int check_words(const struct voucher *v, const struct device_id *device, const struct cert *own, const char *customer,
		       const struct vouch_floor *floor, struct err *e)
{
	if (!device_same(&v->device, device))
		return err_set(e, REASON_VOUCHER, "the node shows the voucher of device %s %s %s, not of this one",
			       v->device.manufacturer, v->device.model, v->device.serial);
	if (!mem_same(v->key_sha256, own->spki_sha256, SHA256_LEN))
		return err_set(e, REASON_VOUCHER, "the node's voucher is for another factory key than this device has");
	if (strcmp(v->customer, customer) != 0)
		return err_set(e, REASON_OTHER_SITE, "the device was shipped to customer \"%s\", and this node is of customer "
			       "\"%s\"; it stays as it is", v->customer, customer);
	if (v->sequence < floor->sequence || (v->sequence == floor->sequence && strcmp(v->customer, floor->customer) != 0))
		return err_set(e, REASON_VOUCHER, "the node's voucher (shipment %" PRIu64 ") is older than the one (shipment %"
			       PRIu64 ", customer \"%s\") that this device has seen; it was sold since", v->sequence,
			       floor->sequence, floor->customer);
	return 0;
}

int vouch_check(const struct buf *cms, struct trust *t, const struct device_id *device, const struct cert *own,
		const char *customer, struct vouch_floor *floor, struct err *e)
{
	struct voucher v;
	struct err why;

	if (voucher_read(&v, cms->data, cms->len, t, &why) < 0)
		return err_set(e, REASON_VOUCHER, "the node's voucher is not the manufacturer's (%s %.300s)", reason_id(why.code),
			       why.text);
	if (check_words(&v, device, own, customer, floor, e) < 0)
		return -1;
	floor->sequence = v.sequence;
	memcpy(floor->customer, v.customer, sizeof floor->customer);
	return 0;
}

/* ---- fetching it ---- */
static int refused(const struct http_answer *a, struct err *e)
{
	struct enrol_answer out;

	enrol_answer_read(&out, a);
	*e = out.why;
	if (a->status == 404 || a->status == 405 || out.result == ENROL_DEAD)
		err_set(e, REASON_VOUCHER, "the node has no vouchers at all, and this device wants one");
	else if (out.result == ENROL_AGAIN)
		e->code = REASON_CA_UNAVAILABLE;
	enrol_answer_free(&out);
	return -1;
}

static int fetch(struct node *n, struct buf *cms, struct err *e)
{
	struct http_answer a = {0};
	int rc = httpc_request(n->http, "GET", VOUCHER_PATH, NULL, "", NULL, 0, LIMIT_REQUEST, &a, e);

	if (rc == 0 && a.status != 200)
		rc = refused(&a, e);
	if (rc == 0)
		buf_set(cms, a.body.data, a.body.len);
	http_answer_free(&a);
	return rc;
}

static int demand(struct node *n, struct err *e)
{
	const struct device_id *device = &store_identity(n->store)->device;
	struct vouch_floor floor, before;
	struct buf cms = {0};
	int rc = -1;

	if (floor_read(n->store, &floor, e) < 0)
		return -1;
	before = floor;
	if (fetch(n, &cms, e) == 0 &&
	    vouch_check(&cms, n->trust, device, &n->own->chain.cert[0], n->customer, &floor, e) == 0)
		rc = floor.sequence > before.sequence ? floor_write(n->store, &floor, e) : 0;
	buf_free(&cms);
	if (rc == 0)
		FAULT("agent.vouched");
	return rc;
}

int vouch_connect(struct node *n, struct err *e)
{
	if (node_connect(n, e) < 0)
		return -1;
	if (n->vouched || !n->store || n->own->slot != SLOT_FACTORY)
		return 0;
	if (demand(n, e) < 0) {
		node_disconnect(n);
		return -1;
	}
	n->vouched = true;
	return 0;
}
