#include <config.h>

#include "signer_make.h"

#include <pthread.h>
#include <stdlib.h>

#include "clock.h"
#include "envelope.h"
#include "log.h"
#include "mem.h"

#define POOL_KEYS 8	/* of a type: a station's slots ask together, and an RSA-3072 key takes up to a second */

static const enum key_type slow[] = { KEY_RSA2048, KEY_RSA3072 };	/* the others are made faster than fetched */

struct pool {
	pthread_t thread;
	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t wanted;
	bool stop, running;
	struct {
		bool asked;		/* nobody pays for a type that nobody asks for */
		size_t n;
		uint64_t made, made_ms;	/* ahead, and how long that took */
		struct key *key[POOL_KEYS];
	} of[ARRAY_LEN(slow)];
};

/* The type that is furthest from full, -1 if there is nothing to do. Under the lock. */
static int emptiest(const struct pool *p)
{
	int which = -1;

	for (size_t i = 0; i < ARRAY_LEN(slow); i++)
		if (p->of[i].asked && p->of[i].n < POOL_KEYS && (which < 0 || p->of[i].n < p->of[which].n))
			which = (int)i;
	return which;
}

static void *fill(void *arg)
{
	struct pool *p = arg;
	struct err e;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		int i = emptiest(p);
		int64_t began;
		struct key *k;

		if (i < 0) {
			pthread_cond_wait(&p->wanted, &p->lock);
			continue;
		}
		pthread_mutex_unlock(&p->lock);
		began = clock_mono_ms();
		k = key_generate(slow[i], &e);
		pthread_mutex_lock(&p->lock);
		if (!k) {
			log_err(&e, "the pool of %s keys", key_type_name(slow[i]));
			p->of[i].asked = false;		/* until the next demand */
		} else {
			p->of[i].key[p->of[i].n++] = k;	/* this thread alone adds */
			p->of[i].made++;
			p->of[i].made_ms += (uint64_t)(clock_mono_ms() - began);
		}
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct pool *pool_new(void)
{
	struct pool *p = mem_new(1, sizeof *p);

	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wanted, NULL);
	return p;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_signal(&p->wanted);
	pthread_mutex_unlock(&p->lock);
	if (p->running)
		pthread_join(p->thread, NULL);
	for (size_t i = 0; i < ARRAY_LEN(slow); i++)
		while (p->of[i].n)
			key_free(p->of[i].key[--p->of[i].n]);
	pthread_cond_destroy(&p->wanted);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* Under the lock. Without a thread each key is made when it is asked for: slower, and no reason to refuse. */
static struct key *take_ready(struct pool *p, size_t i)
{
	struct key *k = NULL;

	p->of[i].asked = true;
	if (!p->running)
		p->running = pthread_create(&p->thread, NULL, fill, p) == 0;
	if (p->of[i].n) {
		k = p->of[i].key[--p->of[i].n];
		p->of[i].key[p->of[i].n] = NULL;
	}
	pthread_cond_signal(&p->wanted);
	return k;
}

struct key *pool_take(struct pool *p, enum key_type type, struct err *e)
{
	struct key *k = NULL;

	for (size_t i = 0; p && i < ARRAY_LEN(slow); i++)
		if (slow[i] == type) {
			pthread_mutex_lock(&p->lock);
			k = take_ready(p, i);
			pthread_mutex_unlock(&p->lock);
		}
	return k ? k : key_generate(type, e);
}

size_t pool_ready(struct pool *p, enum key_type type)
{
	size_t n = 0;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < ARRAY_LEN(slow); i++)
		if (slow[i] == type)
			n = p->of[i].n;
	pthread_mutex_unlock(&p->lock);
	return n;
}

size_t pool_state(struct pool *p, struct pool_state *out, size_t max)
{
	size_t n = p && max >= ARRAY_LEN(slow) ? ARRAY_LEN(slow) : 0;

	if (p)
		pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < n; i++)
		out[i] = (struct pool_state){ .type = slow[i], .ready = (uint32_t)p->of[i].n, .room = POOL_KEYS, .made = p->of[i].made,
					      .made_ms = p->of[i].made_ms };
	if (p)
		pthread_mutex_unlock(&p->lock);
	return n;
}

int make_device(struct builder *b, struct pool *p, const struct work_order *order, const struct sign_question *q,
		enum key_type type, int64_t now, struct buf *der, struct buf *encrypted_key, struct err *e)
{
	struct sign_question own = *q;
	struct buf pkcs8 = {0};
	struct key *k = pool_take(p, type, e);
	int rc = -1;

	if (!k)
		return -1;
	own.spki = (struct buf){0};
	own.params.encrypt_key = CHOICE_DEFAULT;	/* judged by profile_choose() */
	if (key_spki(k, &own.spki, e) == 0 && build_device(b, order, &own, now, der, e) == 0 &&
	    key_export(k, &pkcs8, e) == 0)
		rc = envelope_seal(ENVELOPE_GCM, &q->spki, pkcs8.data, pkcs8.len, encrypted_key, e);
	key_free(k);
	buf_free(&pkcs8);
	buf_free(&own.spki);
	return rc;
}
