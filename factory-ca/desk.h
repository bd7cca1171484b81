/* desk.h - one CA of the system as its server sees it: certificates, settings, ledger and the one writer of it. */
#ifndef HANDSEL_DESK_H
#define HANDSEL_DESK_H

#include <pthread.h>
#include <stdatomic.h>

#include "authority.h"
#include "caclient.h"
#include "factories.h"
#include "meter.h"
#include "publish.h"
#include "readers.h"
#include "signer.h"
#include "system.h"
#include "writer.h"

/* The one signer of the system, which the writers of all its CAs ask. */
struct signing {
	char *dir;			/* of the system */
	pthread_mutex_t lock;		/* of signer */
	struct signer *signer;
	atomic_bool failed;		/* it is gone: nothing can be issued, serve ends to be started again */
	int failure;			/* eventfd, readable then */
};
int signing_start(struct signing *s, const char *dir, struct err *e);	/* lock and failure (-1) are set by the caller */
bool signing_gone(struct signing *s);					/* not that it refused: that it has ended */
void signing_stop(struct signing *s);					/* also if it was never started */

/* What the server's threads share of one CA. */
struct desk {
	struct ca_folder folder;
	struct settings settings;	/* but for pending_s as it was at start */
	struct authority ca;
	struct key *server_key;
	struct chain server;		/* what its TLS server shows */
	char sni[CA_ID_MAX + sizeof CA_SNI_SUFFIX];	/* to whom */
	struct readers *readers;
	struct factories *factories;	/* customer: whose devices are known */
	struct writer *writer;
	struct db *ledger;		/* the writer's */
	struct signing *signing_by;
	atomic_bool renew;		/* the signer is to read its configuration before the next question */
	atomic_bool recovering;		/* ledger and signer are not of one history: nothing is issued until an operator reconciles */
	pthread_rwlock_t lock;		/* of profiles and the next two: a reload writes */
	struct profiles profiles;
	int64_t pending_s;
	uint64_t crl_valid_s, ocsp_valid_s;
	int64_t ticked_ms, publish_ms;	/* the main thread's, likewise the next: last tick; when to look for revocations again */
	struct publisher publisher;
	int64_t head_ms;		/* the main thread's: when to look at the audit again */
	struct audit_head head;		/* the last one; under lock, likewise the next two */
	int64_t head_s, head_rows;
	struct meter meter;
	/* the writer's thread alone: */
	struct job **signing;		/* reserved in this batch */
	size_t n_signing, room;
	char welcome[2 * CERT_SERIAL_MAX + 1];	/* of this batch: the certificate of a unit that is not revoked; "" = none was asked for */
	bool again;			/* the batch was cut because of one: the others are taken once more */
};

/* Loads the CA of that folder and starts its writer. NULL on failure. */
struct desk *desk_open(const struct ca_folder *folder, struct signing *by, struct err *e);
/* Before the first request, with the signer started: what the signer did in its last message before a cut is done in the ledger,
 * too, since its answers may have left. More than that is a backup that was put back: then d->recovering, and an operator must look. */
int desk_catch_up(struct desk *d, struct err *e);
void desk_close(struct desk *d);		/* NULL is fine; gives the answers that are due first */
int desk_is_current(const struct desk *d, struct err *e);	/* -1, code CONFIG: it has other certificates since the start */
int desk_reload(struct desk *d, struct err *e);	/* ca.yaml, profiles, factories; -1: all stays as it was */

/* The signer's word on a unit (signer.h). */
int desk_enrol(struct desk *d, const struct buf *invitation, const struct buf *spki, const struct buf *signature, struct buf *der,
	       struct err *e);
/* What a person has signed. 0 done, 1 a second person is needed, -1 refused or the signer is gone (code CA_UNAVAILABLE). */
int desk_act(struct desk *d, const struct buf *action, const struct buf *approval, struct buf *made, struct err *e);	/* made: as signer_act() */
int desk_renew(struct desk *d, const struct buf *renewal, const struct buf *spki, struct buf *der, struct err *e);

/* 0: by the clock of this machine the root, the issuing and the unit CA are good, and with `server` what its TLS server shows. Else code
 * CLOCK: nobody could verify what they would sign now. */
int desk_dates(const struct desk *d, bool server, struct err *why);

int64_t desk_tick_s(const struct desk *d);	/* how often pending time is counted; 0: never */
int64_t desk_next_ms(const struct desk *d);	/* when desk_tick() has something to do, on the monotonic clock */
void desk_tick(struct desk *d);	/* counts the uptime of pending ones, lapses those that are over, publishes revocation lists */
/* A head of the audit if one is due, or whatever is new (now); what fails is due again soon. Codes: AUDIT, CA_UNAVAILABLE the signer is gone. */
int desk_heads(struct desk *d, bool now, struct err *e);
void desk_head(struct desk *d, struct audit_head *h);	/* the last one, at.n 0: none */
int desk_publish(struct desk *d, struct err *e);	/* the lists that are due; before the first they are all */

#endif
