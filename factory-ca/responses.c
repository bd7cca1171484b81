#include <config.h>

#include "responses.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "clock.h"
#include "crl.h"
#include "digest.h"
#include "fault.h"
#include "limits.h"
#include "log.h"
#include "mem.h"
#include "ocsp.h"

struct kept {
	uint8_t id[SHA256_LEN];
	struct ocsp_request rq;
	bool wanted;			/* asked for since it was last signed ahead */
	bool revoked;			/* as the ledger had it when this was made */
	int64_t renew;			/* when it is made anew */
	struct ocsp_answer a;		/* der empty: nothing is kept here */
};

/* One place a name: what comes later takes the place of what was there. */
struct responses {
	pthread_mutex_t lock;
	int64_t second;			/* in which unknown ones were signed, and how many */
	unsigned unknown;
	struct kept kept[LIMIT_OCSP_CACHE];
};

struct responses *responses_new(void)
{
	struct responses *s = mem_new(1, sizeof *s);

	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void responses_free(struct responses *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < LIMIT_OCSP_CACHE; i++)
		buf_free(&s->kept[i].a.der);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- what is kept ---- */
struct asked {
	struct ocsp_request rq;
	struct desk *d;
	enum crl_of of;
	const struct cert *ca;
	uint8_t id[SHA256_LEN];
	bool known, revoked;
	struct buf cert;
	struct revoked_item item;
};

static void identify(struct asked *q)
{
	struct buf b = {0};

	pack_bytes(&b, q->ca->sha256, SHA256_LEN);
	pack_u8(&b, (uint8_t)q->rq.hash);
	pack_str(&b, q->rq.serial);
	digest_sha256(q->id, b.data, b.len);
	buf_free(&b);
}

static struct kept *place_of(struct responses *s, const struct asked *q)
{
	return &s->kept[(q->id[0] | q->id[1] << 8 | q->id[2] << 16) % LIMIT_OCSP_CACHE];
}

static void copy(struct ocsp_answer *to, const struct ocsp_answer *from)
{
	to->status = from->status;
	to->this_update = from->this_update;
	to->next_update = from->next_update;
	buf_set(&to->der, from->der.data, from->der.len);
}

/* A copy of what is kept, if it is not due, or, with `old`, if it is good at all. */
static bool take(struct responses *s, const struct asked *q, int64_t now, bool old, struct ocsp_answer *a)
{
	struct kept *k = place_of(s, q);
	bool found;

	pthread_mutex_lock(&s->lock);
	found = k->a.der.len && memcmp(k->id, q->id, SHA256_LEN) == 0 && k->revoked == q->revoked && now >= k->a.this_update &&
		now < (old ? k->a.next_update : k->renew);
	if (found) {
		copy(a, &k->a);
		k->wanted = true;
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

static void keep(struct responses *s, const struct asked *q, bool ahead, const struct ocsp_answer *a, uint64_t valid_s)
{
	struct kept *k = place_of(s, q);

	pthread_mutex_lock(&s->lock);
	memcpy(k->id, q->id, SHA256_LEN);
	k->rq = q->rq;
	k->wanted = !ahead;
	k->revoked = q->revoked;
	k->renew = a->next_update - (int64_t)valid_s / 2;
	copy(&k->a, a);
	pthread_mutex_unlock(&s->lock);
}

/* Anybody may ask for a number that nobody has issued, and each is a signature. */
static bool may_sign_unknown(struct responses *s, int64_t now)
{
	bool may;

	pthread_mutex_lock(&s->lock);
	if (s->second != now)
		s->unknown = 0;
	s->second = now;
	may = s->unknown < LIMIT_OCSP_UNKNOWN;
	s->unknown += may;
	pthread_mutex_unlock(&s->lock);
	return may;
}

/* ---- whose it is, and what the ledger knows ---- */
static bool find_ca(struct desks *all, struct asked *q)
{
	for (size_t i = 0; i < all->n; i++)
		for (int of = 0; of < CRL_KINDS; of++) {
			const struct cert *ca = crl_ca(&all->of[i]->ca, (enum crl_of)of);

			if (!ca || !ocsp_is_of(&q->rq, ca))
				continue;
			q->d = all->of[i];
			q->of = (enum crl_of)of;
			q->ca = ca;
			identify(q);
			return true;
		}
	return false;
}

static int look_up(struct asked *q, struct err *e)
{
	struct db *db = readers_take(q->d->readers, e);
	struct ledger_revocation v = {0};
	bool unit;
	int rc;

	if (!db)
		return -1;
	rc = ledger_certificate(db, q->rq.serial, &unit, &q->cert, &v, e);
	readers_put(q->d->readers, db);
	q->known = rc == 1 && unit == (q->of == CRL_UNIT || q->of == CRL_OLDER_UNIT) && strcmp(v.issuer, q->ca->subject) == 0;
	if (!q->known)
		buf_clear(&q->cert);
	q->revoked = q->known && v.n != 0;
	if (q->revoked) {
		snprintf(q->item.serial, sizeof q->item.serial, "%s", v.serial);
		q->item.reason = crl_reason(v.reason);
		q->item.date = v.time;
		q->item.expires = v.expires;
	}
	return rc < 0 ? -1 : 0;
}

static int ask_signer(struct responses *s, const struct asked *q, bool ahead, struct ocsp_answer *a, struct err *e)
{
	struct signing *by = q->d->signing_by;
	struct ocsp_question question = { .of = q->of, .hash = q->rq.hash, .serial = q->rq.serial, .cert = &q->cert,
					  .revoked = q->revoked ? &q->item : NULL };
	int rc;

	pthread_rwlock_rdlock(&q->d->lock);
	question.valid_s = q->d->ocsp_valid_s;
	pthread_rwlock_unlock(&q->d->lock);
	pthread_mutex_lock(&by->lock);
	rc = by->signer ? signer_ocsp(by->signer, q->d->folder.name, &question, a, e) : err_set(e, REASON_CA_UNAVAILABLE, "there is no signer");
	pthread_mutex_unlock(&by->lock);
	FAULT("front.ocsp");
	if (rc < 0)
		return -1;
	keep(s, q, ahead, a, question.valid_s);
	atomic_fetch_add(ahead ? &q->d->meter.ocsp_ahead : &q->d->meter.ocsp_asked, 1);
	return 0;
}

/* What goes out without a signature if rc is -1. */
static int find(struct responses *s, struct desks *all, struct asked *q, int64_t now, struct ocsp_answer *a, enum ocsp_error *wrong)
{
	struct err e;

	*wrong = OCSP_UNAUTHORIZED;
	if (!find_ca(all, q))
		return -1;
	*wrong = OCSP_TRY_LATER;
	if (atomic_load(&q->d->recovering))	/* its ledger may know less than was issued */
		return -1;
	if (look_up(q, &e) < 0) {
		log_err(&e, "OCSP");
		return -1;
	}
	if (take(s, q, now, false, a))
		return 0;
	if (!q->known && !may_sign_unknown(s, now))
		return -1;
	if (ask_signer(s, q, false, a, &e) == 0)
		return 0;
	log_err(&e, "OCSP: certificate %s", q->rq.serial);
	return take(s, q, now, true, a) ? 0 : -1;
}

/* ---- ahead of the question ---- */
/* From *at on. Each is tried once: if that fails it is signed when somebody asks. */
static bool next_due(struct responses *s, size_t *at, int64_t now, struct ocsp_request *rq)
{
	bool found = false;

	pthread_mutex_lock(&s->lock);
	for (; !found && *at < LIMIT_OCSP_CACHE; ++*at) {
		struct kept *k = &s->kept[*at];

		found = k->a.der.len && k->wanted && now >= k->renew;
		if (!found)
			continue;
		k->wanted = false;
		*rq = k->rq;
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

void responses_ahead(struct responses *s, struct desks *all)
{
	struct asked q = {0};
	size_t at = 0;
	struct err e;

	for (int i = 0; i < LIMIT_OCSP_AHEAD && next_due(s, &at, clock_utc(), &q.rq); i++) {
		struct ocsp_answer a = {0};
		int rc = 0;

		if (find_ca(all, &q) && !atomic_load(&q.d->recovering) && (rc = look_up(&q, &e)) == 0 && q.known)
			rc = ask_signer(s, &q, true, &a, &e);
		buf_free(&q.cert);
		buf_free(&a.der);
		if (rc < 0) {
			log_err(&e, "OCSP ahead of the question");
			break;
		}
	}
}

/* ---- HTTP ---- */
static void http_date(char out[40], int64_t utc)
{
	time_t t = (time_t)utc;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 40, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* RFC 5019 6.2: so that caches on the way give it as long as it is good. */
static void reply(struct http_req *r, const struct ocsp_answer *a, int64_t now)
{
	char extra[400], tag[SHA256_HEX], from[40], until[40];

	http_date(from, a->this_update);
	http_date(until, a->next_update);
	digest_sha256_hex(tag, a->der.data, a->der.len);
	snprintf(extra, sizeof extra,
		 "Cache-Control: max-age=%" PRId64 ", public, no-transform, must-revalidate\r\nLast-Modified: %s\r\nExpires: %s\r\nETag: \"%s\"\r\n",
		 a->next_update > now ? a->next_update - now : 0, from, until, tag);
	http_reply(r, 200, OCSP_RESPONSE_TYPE, extra, a->der.data, a->der.len);
}

static void reply_error(struct http_req *r, enum ocsp_error what)
{
	struct buf der = {0};

	ocsp_error(what, &der);
	http_reply(r, 200, OCSP_RESPONSE_TYPE, "Cache-Control: no-store\r\n", der.data, der.len);
	buf_free(&der);
}

static bool is_post(struct http_req *r, const char *rest, struct buf *der)
{
	if (strcmp(http_method(r), "POST") != 0 || *rest)
		return false;
	if (strncasecmp(http_header(r, "Content-Type"), OCSP_REQUEST_TYPE, strlen(OCSP_REQUEST_TYPE)) == 0)
		buf_set(der, http_body(r)->data, http_body(r)->len);
	return true;	/* else it is empty, and malformed */
}

/* RFC 6960 A.1: the base64 is URL-encoded, which the server has undone. */
static bool is_get(struct http_req *r, const char *rest, struct buf *der)
{
	if ((strcmp(http_method(r), "GET") != 0 && strcmp(http_method(r), "HEAD") != 0) || *rest != '/')
		return false;
	if (strlen(rest) > 2 * LIMIT_OCSP_REQUEST || text_unbase64(der, rest + 1, strlen(rest + 1)) < 0)
		buf_clear(der);
	return true;
}

void responses_answer(struct responses *s, struct desks *all, struct http_req *r, const char *rest)
{
	struct asked q = {0};
	struct ocsp_answer a = {0};
	struct buf der = {0};
	int64_t now = clock_utc();
	enum ocsp_error wrong;
	struct err e;

	if (!is_post(r, rest, &der) && !is_get(r, rest, &der)) {
		err_set(&e, REASON_REQUEST, "OCSP is POST of %s, or GET with the request in base64 behind a slash", OCSP_REQUEST_TYPE);
		exchange_refuse(r, 405, &e);
	} else if (ocsp_request_parse(&q.rq, der.data, der.len, &e) < 0) {
		log_info("%s: %s", http_remote(r), e.text);
		reply_error(r, OCSP_MALFORMED);
	} else if (find(s, all, &q, now, &a, &wrong) < 0) {
		reply_error(r, wrong);
	} else {
		reply(r, &a, now);
	}
	buf_free(&q.cert);
	buf_free(&a.der);
	buf_free(&der);
}
