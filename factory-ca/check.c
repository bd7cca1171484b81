#include <config.h>

#include "check.h"

#include <stdio.h>
#include <string.h>

#include "acts.h"
#include "confirm.h"
#include "digest.h"
#include "endorsement.h"
#include "envelope.h"
#include "inquire.h"
#include "mem.h"
#include "units.h"

/* ---- issue ---- */
static int check_ticket(struct desk *d, struct db *db, struct job *job, bool *audit, struct err *e)
{
	const struct ca_request *rq = job->rq;
	struct ticket *t = &job->ticket;
	uint8_t sha256[SHA256_LEN];
	int rc;

	digest_sha256(sha256, job->issue.spki->data, job->issue.spki->len);

	if (!rq->ticket.len)
		return err_set(e, REASON_TICKET, "ticket: missing; in the factory a station's ticket must come along");
	if (ticket_read(t, rq->ticket.data, rq->ticket.len, d->ca.trust, e) < 0) {
		e->code = REASON_TICKET;
		return -1;
	}
	*audit = true;	/* from here on a station has signed for it */
	snprintf(job->unit, sizeof job->unit, "station:%s", t->station);
	rc = ledger_unit_out(db, "station", t->station, e);
	if (rc < 0)
		return -1;
	if (rc == 1)
		return err_set(e, REASON_TICKET, "ticket: the certificate of station %s was revoked", t->station);
	if (strcmp(t->mode, job->issue.made ? "ca" : "device") != 0)
		return err_set(e, REASON_TICKET, "ticket: it is for mode \"%s\", the request is not", t->mode);
	if (strcmp(t->request.id, rq->request.id) != 0 || t->request.generation != rq->request.generation)
		return err_set(e, REASON_TICKET, "ticket: it is for another request id");
	if (!device_same(&t->device, &rq->device))
		return err_set(e, REASON_TICKET, "ticket: it is for another device");
	if (!mem_same(t->key_sha256, sha256, SHA256_LEN))
		return err_set(e, REASON_TICKET, "ticket: it is for another public key");
	return readers_order(d->readers, db, t->order, &job->order, e) < 0 ? -1 : 0;
}

/* The public key that the request is about: of the CSR, or the transport key of a device whose key we shall make. */
static int check_key(struct job *job, struct err *e)
{
	const struct ca_request *rq = job->rq;

	job->issue.made = rq->transport_key.len != 0;
	if (job->issue.made) {
		job->issue.spki = &rq->transport_key;
		if (envelope_takes(spki_type(&rq->transport_key)))
			return 0;
		return err_set(e, REASON_REQUEST, "protocol-ca 4.1: transport-key: not a P-256 or RSA public key (SubjectPublicKeyInfo)");
	}
	job->issue.spki = &job->csr.spki;
	if (csr_parse(&job->csr, rq->csr.data, rq->csr.len, e) < 0) {
		e->code = REASON_REQUEST;
		return err_prefix(e, "csr");
	}
	return 0;
}

/* protocol-ca 4.1: a renewal is endorsed by the customer key that we have certified. */
static int check_renewal(struct db *db, const struct peer *peer, const struct job *job, const uint8_t spki[SHA256_LEN],
			 struct err *e)
{
	const struct ca_request *rq = job->rq;
	struct ledger_request before = {0};
	struct cert cert = {0};
	int rc = ledger_request_renews(db, peer->unit, &rq->device, rq->endorsement.renews, &before, e);

	if (rc == 0)
		rc = err_set(e, REASON_ENDORSEMENT, "customer-certificate: this unit has no such certificate of this device, or it is not good any more");
	else if (rc == 1 && cert_parse(&cert, before.cert.data, before.cert.len, e) < 0)
		rc = -1;
	else if (rc == 1 && !mem_same(peer->sha256, rq->endorsement.node, SHA256_LEN))
		rc = err_set(e, REASON_ENDORSEMENT, "endorsed-node: the device was at another node than the one that asks");
	if (rc == 1)
		rc = endorsement_verify(&cert.spki, &rq->request, spki, rq->endorsement.node, &rq->endorsement.signature, e);
	cert_free(&cert);
	ledger_request_free(&before);
	return rc < 0 ? -1 : 0;
}

/* At the customer: a node cannot invent a device, nor choose a key for one. Plain EST clients (generation 0) cannot endorse. */
static int check_endorsement(struct desk *d, struct db *db, const struct peer *peer, const struct job *job, struct err *e)
{
	const struct ca_request *rq = job->rq;
	uint8_t spki[SHA256_LEN];

	if (!rq->endorsement.signature.len && rq->request.generation == 0)
		return 0;
	if (!rq->endorsement.signature.len)
		return err_set(e, REASON_ENDORSEMENT, "endorsement: missing; a device must have signed for this request itself");
	digest_sha256(spki, job->issue.spki->data, job->issue.spki->len);
	if (rq->endorsement.factory_certificate.len)
		return factories_check(d->factories, rq, spki, e);
	return check_renewal(db, peer, job, spki, e);
}

static int check_issue(struct desk *d, struct db *db, const struct peer *peer, struct job *job, bool *audit, struct err *e)
{
	const struct ca_request *rq = job->rq;
	bool factory = d->settings.site == SITE_FACTORY;
	const struct profile *profile;
	enum key_type type;

	if (check_key(job, e) < 0)
		return -1;
	if (factory && rq->renews[0])
		return err_set(e, REASON_REQUEST, "protocol-ca 4.1: the attribute 'renews' is for the customer's CA alone");
	if (factory && check_ticket(d, db, job, audit, e) < 0)
		return -1;
	if (!device_valid(&rq->device))
		return err_set(e, REASON_REQUEST, "device: manufacturer, model and serial are all needed");
	if (!factory && check_endorsement(d, db, peer, job, e) < 0)
		return -1;
	profile = profiles_choose(&d->profiles, rq->params.profile, e);
	if (!profile || (job->issue.made ? profile_choose(profile, &rq->params, &type, e)
					 : profile_check(profile, &rq->params, job->csr.key_type, e)) < 0)
		return -1;
	job->issue = (struct issue){
		.device = factory ? job->ticket.device : rq->device,
		.id = rq->request,
		.spki = job->issue.spki,
		.made = job->issue.made,
		.ticket_cms = factory ? &rq->ticket : NULL,
		.ticket = factory ? &job->ticket : NULL,
		.order = job->order,
		.endorsement = !factory && rq->endorsement.signature.len ? &rq->endorsement : NULL,
		.renews = rq->renews,
		.include_ca = rq->params.include_ca == CHOICE_DEFAULT ? profile->include_ca
								      : rq->params.include_ca == CHOICE_YES,
	};
	job->item = (struct sign_item){ .order = factory ? job->ticket.order : "", .device = &job->issue.device,
		.spki = job->issue.spki, .made = job->issue.made, .params = &rq->params, .unit = job->unit, .id = &job->issue.id,
		.renews = rq->renews };
	return 1;
}

/* ---- confirm ---- */
/* The new key: where the CA made it, only the certificate has it. */
static int confirm_proof(const struct ledger_request *known, const struct ca_request *rq, const uint8_t exporter[TLS_EXPORTER_LEN],
			 struct err *e)
{
	struct cert c = {0};
	int rc;

	if (!known->made)
		return confirm_verify(&known->spki, exporter, &rq->request, rq->certificate, &rq->signature, e);
	rc = cert_parse(&c, known->cert.data, known->cert.len, e);
	if (rc == 0)
		rc = confirm_verify(&c.spki, exporter, &rq->request, rq->certificate, &rq->signature, e);
	cert_free(&c);
	return rc;
}

/* A device proves with the new key that it has the certificate; a node is believed about its own ids. */
static int check_confirm(struct desk *d, struct db *db, const struct peer *peer, struct http_req *r, struct job *job,
			 struct err *e)
{
	const struct ca_request *rq = job->rq;
	uint8_t exporter[TLS_EXPORTER_LEN];
	struct ledger_request known = {0};
	int rc;

	if (peer->role != ROLE_DEVICE)
		return 1;
	rc = ledger_request_confirmed(db, rq->request.id, rq->certificate, &known, e);
	if (rc == 1 && http_exporter(r, exporter, e) == 0)
		rc = confirm_proof(&known, rq, exporter, e) == 0;
	else if (rc == 1)
		rc = 0;
	ledger_request_free(&known);
	if (rc == 0)
		return err_set(
			e, REASON_REQUEST,
			"confirm: no certificate of this request id, or no signature of its key for this session");
	return rc;
}

/* ---- what is only read ---- */
static int read_certificates(struct desk *d, struct job *job, struct err *e)
{
	const struct chain none = {0}, *all[] = { &d->ca.issuing, d->ca.overlap ? &d->ca.older_issuing : &none, &d->ca.unit, &d->ca.cross,
						  &d->ca.links, &d->ca.root };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		for (size_t k = 0; k < all[i]->n; k++)
			if (chain_add(&job->a->chain, all[i]->cert[k].der.data, all[i]->cert[k].der.len, e) < 0)
				return -1;
	job->a->result = CA_CERTIFICATES_ARE;
	return 0;
}

static int read_order(struct desk *d, struct db *db, struct job *job, struct err *e)
{
	if (readers_order(d->readers, db, job->rq->order, &job->order, e) < 0)
		return -1;
	return request_work_order(db, job->unit, job->rq, job->order, job->a, e);
}

/* A page of it may fill a reply. */
static int read_recovered(struct db *db, struct job *job, struct err *e)
{
	if (exchange_count(job->x) != 1)
		return err_set(e, REASON_REQUEST, "protocol-ca 4.10: recover stands alone in its message");
	return request_recover(db, job->unit, job->rq, job->a, e);
}

static int read_page(struct desk *d, struct db *db, const struct peer *peer, struct job *job, struct err *e)
{
	const struct inquiry q = { .ledger = db, .trust = d->ca.trust, .now = job->rules.now, .ca = &d->ca, .name = d->settings.name };

	if (exchange_count(job->x) != 1)
		return err_set(e, REASON_REQUEST, "protocol-ca 4.15: query stands alone in its message");
	return ask_allowed(job->rq->query.what, peer->unit, peer->functions, e) < 0 ? -1 : inquire(&q, &job->rq->query, job->a, e);
}

/* Whoever goes on to the writer is asked there. */
static int check_reading(struct desk *d, struct db *db, const struct peer *peer, struct job *job, struct err *e)
{
	int rc = *peer->certificate ? ledger_unit_revoked(db, peer->certificate, e) : 0;

	if (rc != 0)
		return rc < 0 ? -1 : CHECK_REVOKED;
	switch (job->rq->kind) {
	case CA_STATUS:
		return request_status(db, &job->rules, job->unit, job->rq, job->a, e);
	case CA_CERTIFICATES:
		return read_certificates(d, job, e);
	case CA_WORK_ORDER:
		return read_order(d, db, job, e);
	case CA_RECOVER:
		return read_recovered(db, job, e);
	case CA_QUERY:
		return read_page(d, db, peer, job, e);
	default:
		return err_set(e, REASON_REQUEST, "no such request");
	}
}

static int check_kind(struct desk *d, struct db *db, const struct peer *peer, struct http_req *r, struct job *job,
		      bool *audit, struct err *e)
{
	switch (job->rq->kind) {
	case CA_ISSUE:
		return check_issue(d, db, peer, job, audit, e);
	case CA_CONFIRM:
		return check_confirm(d, db, peer, r, job, e);
	case CA_REVOKE:
		return 1;
	case CA_ENROL:
	case CA_RENEW:
		return units_check(job, e);
	case CA_ACT:
	case CA_APPROVE:
		return acts_check(d, peer, job, e);
	default:
		return check_reading(d, db, peer, job, e);
	}
}

static bool allows(struct desk *d, enum role role, enum ca_kind kind)
{
	bool yes;

	pthread_rwlock_rdlock(&d->lock);
	yes = policy_allows(role, kind, d->settings.site, d->profiles.of[0].kind);	/* all of one kind */
	pthread_rwlock_unlock(&d->lock);
	return yes;
}

int check_request(struct desk *d, const struct peer *peer, struct http_req *r, struct job *job, bool *audit,
		  struct err *e)
{
	struct db *db;
	int rc;

	*audit = peer->role != ROLE_DEVICE;	/* else anybody on the wire could fill the disk */
	if (!allows(d, peer->role, job->rq->kind))
		return err_set(e, REASON_ROLE, "role %s may not ask a %s CA for this", policy_role_name(peer->role),
			       site_name(d->settings.site));
	db = readers_take(d->readers, e);
	if (!db)
		return -1;
	pthread_rwlock_rdlock(&d->lock);
	/* a whole tick more: the one under way began before the reservation */
	job->rules = (struct rules){
		.site = d->settings.site, .ca = d->settings.id, .issuing = d->ca.issuing.cert,
		.older = d->ca.older_issuing.n ? d->ca.older_issuing.cert : NULL,
		.cross = d->ca.generation > 1 ? d->ca.cross.cert : NULL, .now = job->rules.now,
		.pending_s = d->settings.site == SITE_FACTORY ? d->pending_s + desk_tick_s(d) : 0,
	};
	rc = check_kind(d, db, peer, r, job, audit, e);
	pthread_rwlock_unlock(&d->lock);
	readers_put(d->readers, db);
	return rc;
}
