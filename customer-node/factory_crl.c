#include <config.h>

#include "factory_crl.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crl.h"
#include "fault.h"
#include "log.h"
#include "mem.h"
#include "oid.h"

#define FOLDER "factory-crl"

struct kept {
	const char *manufacturer;
	const struct cert *ca;
	struct crl crl;		/* number 0: none yet */
};

struct factory_crls {
	const char *dir;
	pthread_rwlock_t lock;	/* of the lists */
	struct kept *kept;
	size_t n;
};

/* ---- the folder ---- */
static int kept_path(char path[FILE_PATH], const struct factory_crls *f, const struct kept *k, struct err *e)
{
	char hex[SHA256_HEX], file[40];

	text_hex(hex, k->ca->spki_sha256, SHA256_LEN);
	snprintf(file, sizeof file, FOLDER "/%.16s.crl", hex);
	return file_join(path, e, f->dir, file);
}

/* A damaged one is as good as none: it comes again. */
static int kept_load(const struct factory_crls *f, struct kept *k, struct err *e)
{
	char path[FILE_PATH];
	struct buf der = {0};
	struct err why;

	if (kept_path(path, f, k, e) < 0)
		return -1;
	if (file_exists(path) &&
	    (file_read(&der, path, LIMIT_CRL, &why) < 0 || crl_parse(&k->crl, der.data, der.len, &why) < 0 ||
	     crl_verify(&k->crl, k->ca, &why) < 0)) {
		log_err(&why, "%s: the factory's CRL is asked for again", path);
		crl_free(&k->crl);
	}
	buf_free(&der);
	return 0;
}

static int kept_save(const struct factory_crls *f, const struct kept *k, const struct crl *c, struct err *e)
{
	char path[FILE_PATH];

	if (file_join(path, e, f->dir, FOLDER) < 0 || file_mkdir(path, e) < 0 || kept_path(path, f, k, e) < 0)
		return -1;
	FAULT("node.crl");
	return file_replace(path, c->der.data, c->der.len, 0644, e);
}

struct factory_crls *factory_crls_new(const struct maker_set *makers, const char *dir, struct err *e)
{
	struct factory_crls *f = mem_new(1, sizeof *f);
	int rc = 0;

	f->dir = dir;
	pthread_rwlock_init(&f->lock, NULL);
	for (size_t i = 0; i < makers->n; i++) {
		const struct chain *cas = &makers->one[i].factory;

		for (size_t k = 0; k < cas->n && rc == 0; k++) {
			if (!cert_has_policy(&cas->cert[k], OID_POLICY_FACTORY))
				continue;
			f->kept = mem_grow(f->kept, f->n + 1, sizeof *f->kept);
			f->kept[f->n] = (struct kept){ .manufacturer = makers->one[i].name, .ca = &cas->cert[k] };
			rc = kept_load(f, &f->kept[f->n++], e);
		}
	}
	if (rc == 0)
		return f;
	factory_crls_free(f);
	return NULL;
}

void factory_crls_free(struct factory_crls *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++)
		crl_free(&f->kept[i].crl);
	pthread_rwlock_destroy(&f->lock);
	free(f->kept);
	free(f);
}

/* ---- a list that has come ---- */
static struct kept *issuer_of(struct factory_crls *f, const struct crl *c, struct err *e)
{
	struct err why;

	err_set(e, REASON_AUTHORITY, "the CRL is of \"%s\", which is no issuing CA of a handoff of this node", c->issuer);
	for (size_t i = 0; i < f->n; i++) {
		if (crl_verify(c, f->kept[i].ca, &why) == 0)
			return &f->kept[i];
		if (strcmp(f->kept[i].ca->subject, c->issuer) == 0)
			*e = why;
	}
	return NULL;
}

/* 1 newer, 0 the same one, -1: whoever sends it would have a revocation forgotten. */
static int compare(const struct kept *k, const struct crl *c, struct err *e)
{
	if (!k->crl.number || c->number > k->crl.number)
		return 1;
	if (c->number == k->crl.number && buf_same(&c->der, &k->crl.der))
		return 0;
	if (c->number == k->crl.number)
		return err_set(e, REASON_BLOCKED, "two different CRLs of \"%s\" have the number %" PRIu64 "; ask the manufacturer",
			       c->issuer, c->number);
	return err_set(e, REASON_BLOCKED, "the CRL of \"%s\" with the number %" PRIu64 " is older than number %" PRIu64
		       ", which is in force; it is not taken", c->issuer, c->number, k->crl.number);
}

static int take(struct factory_crls *f, struct crl *c, struct err *e)
{
	struct kept *k = issuer_of(f, c, e);
	int rc;

	if (!k)
		return -1;
	pthread_rwlock_wrlock(&f->lock);
	rc = compare(k, c, e);
	if (rc == 1 && kept_save(f, k, c, e) < 0)
		rc = -1;
	if (rc == 1) {
		crl_free(&k->crl);
		k->crl = *c;
		*c = (struct crl){0};
	}
	pthread_rwlock_unlock(&f->lock);
	return rc;
}

int factory_crls_take(struct factory_crls *f, const struct buf *text, struct err *e)
{
	struct crl c = {0};
	int rc = crl_parse_any(&c, text, e);

	if (rc == 0 && c.number == 0)
		rc = err_set(e, REASON_REQUEST, "the CRL of \"%s\" has the number 0", c.issuer);
	if (rc == 0)
		rc = take(f, &c, e);
	crl_free(&c);
	return rc;
}

/* ---- what it says ---- */
static bool issued(const struct cert *ca, const struct cert *leaf)
{
	return ca->subject_name.len == leaf->issuer_name.len &&
	       memcmp(ca->der.data + ca->subject_name.at, leaf->der.data + leaf->issuer_name.at, ca->subject_name.len) == 0 &&
	       (!ca->key_id.len || !leaf->issuer_key_id.len ||
		(ca->key_id.len == leaf->issuer_key_id.len &&
		 memcmp(ca->der.data + ca->key_id.at, leaf->der.data + leaf->issuer_key_id.at, ca->key_id.len) == 0));
}

/* Under the lock. */
static void judge_fresh(const struct kept *k, int64_t now, struct crl_word *word)
{
	char time[TEXT_TIME];

	word->verdict = CRL_UNKNOWN;
	if (!k->crl.number) {
		err_set(&word->why, REASON_CA_UNAVAILABLE, "there is no revocation list of \"%s\" here yet", k->ca->subject);
	} else if (now > k->crl.next_update) {
		text_time(time, k->crl.next_update);
		err_set(&word->why, REASON_CA_UNAVAILABLE, "the revocation list of \"%s\" was good until %s", k->ca->subject, time);
	} else if (now < k->crl.this_update) {
		text_time(time, k->crl.this_update);
		err_set(&word->why, REASON_CA_UNAVAILABLE, "the revocation list of \"%s\" is good from %s on; is the clock of this node "
			"right?", k->ca->subject, time);
	} else {
		word->verdict = CRL_GOOD;
		word->why.code = REASON_OK;
	}
}

/* A revocation counts for ever, also of a list that is over. */
static void judge_leaf(const struct kept *k, const struct cert *leaf, int64_t now, struct crl_word *word)
{
	const struct crl_entry *x = crl_find(&k->crl, leaf->serial);
	char time[TEXT_TIME];

	judge_fresh(k, now, word);
	if (!x)
		return;
	text_time(time, x->date);
	word->verdict = CRL_REVOKED;
	err_set(&word->why, REASON_BLOCKED, "the manufacturer revoked the factory certificate of device %s at %s (%s); ask him what became "
		"of this unit", leaf->device.serial, time, crl_reason_name(x->reason));
}

void factory_crls_judge(struct factory_crls *f, const struct buf *certificate, int64_t now, struct crl_word *word)
{
	struct cert leaf = {0};
	size_t i;

	*word = (struct crl_word){ .verdict = CRL_UNKNOWN };
	if (cert_parse(&leaf, certificate->data, certificate->len, &word->why) < 0)
		return;
	for (i = 0; i < f->n && !issued(f->kept[i].ca, &leaf); i++)
		;
	pthread_rwlock_rdlock(&f->lock);
	if (i < f->n)
		judge_leaf(&f->kept[i], &leaf, now, word);
	else
		err_set(&word->why, REASON_CA_UNAVAILABLE, "\"%s\" is no issuing CA of a handoff", leaf.issuer);
	pthread_rwlock_unlock(&f->lock);
	cert_free(&leaf);
}

void factory_crls_judge_maker(struct factory_crls *f, const char *manufacturer, int64_t now, struct crl_word *word)
{
	*word = (struct crl_word){ .verdict = CRL_UNKNOWN };
	err_set(&word->why, REASON_CA_UNAVAILABLE, "there is no handoff of \"%s\"", manufacturer);
	pthread_rwlock_rdlock(&f->lock);
	for (size_t i = 0; i < f->n && word->verdict != CRL_GOOD; i++)
		if (strcmp(f->kept[i].manufacturer, manufacturer) == 0)
			judge_fresh(&f->kept[i], now, word);
	pthread_rwlock_unlock(&f->lock);
}

void factory_crls_list(struct factory_crls *f, void (*each)(void *arg, const struct factory_crl_state *s), void *arg)
{
	pthread_rwlock_rdlock(&f->lock);
	for (size_t i = 0; i < f->n; i++) {
		const struct crl *c = &f->kept[i].crl;

		each(arg, &(struct factory_crl_state){ .manufacturer = f->kept[i].manufacturer, .issuer = f->kept[i].ca->subject,
			     .number = c->number, .this_update = c->this_update, .next_update = c->next_update,
			     .certificates = c->n });
	}
	pthread_rwlock_unlock(&f->lock);
}
