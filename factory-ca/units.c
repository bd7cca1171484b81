#include <config.h>

#include "units.h"

#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "fault.h"

int units_check(struct job *job, struct err *e)
{
	if (csr_parse(&job->csr, job->rq->csr.data, job->rq->csr.len, e) == 0)
		return 1;
	e->code = REASON_REQUEST;
	return err_prefix(e, "csr");
}

/* leaf, unit CA, and for those who know a root before alone the way from there to the one in force */
static int give(struct desk *d, struct db *db, struct job *job, const struct buf *der, const char *actor, const char *action, struct err *e)
{
	struct chain *ch = &job->a->chain;
	char subject[UNIT_MAX];
	int rc;

	if (chain_add(ch, der->data, der->len, e) < 0 || chain_add(ch, d->ca.unit.cert->der.data, d->ca.unit.cert->der.len, e) < 0 ||
	    authority_way(&d->ca, ch, e) < 0)
		return -1;
	job->a->result = CA_ENROLLED;
	snprintf(subject, sizeof subject, "%s:%s", ch->cert->role, ch->cert->name);
	if (*job->unit && strcmp(subject, job->unit) != 0) {
		ca_answer_free(job->a);
		*job->a = (struct ca_answer){0};
		ca_refuse(job->a, REASON_ROLE, "a unit renews its own certificate alone");
		return 0;
	}
	rc = ledger_unit_known(db, ch->cert->serial, e);
	if (rc != 0)	/* asked again after an answer that was lost */
		return rc < 0 ? -1 : 0;
	return ledger_unit_add(db, ch->cert, job->rules.now, e) < 0
		? -1 : audit_add(db, job->rules.now, actor, action, subject, ch->cert->serial, e);
}

static int refused(struct job *job, const struct err *why)
{
	ca_refuse(job->a, why->code, why->text);
	return 0;
}

int units_enrol(struct desk *d, struct db *db, struct job *job, struct err *e)
{
	struct ledger_invitation v;
	struct buf cms = {0}, der = {0};
	struct err why;
	int rc = ledger_invitation_get(db, job->rq->invitation, &v, &cms, e);

	if (rc == 0) {
		err_set(&why, REASON_ROLE, "this code invites nobody here: look for the right CA, or have the unit invited again");
		rc = refused(job, &why);
	} else if (rc == 1) {
		rc = desk_enrol(d, &cms, &job->csr.spki, &job->rq->signature, &der, &why);
		if (rc < 0 && why.code == REASON_CA_UNAVAILABLE)
			*e = why;
		else if (rc < 0)
			rc = refused(job, &why);
		else
			rc = give(d, db, job, &der, v.operator_name, "enrol", e) < 0 ||
			     ledger_invitation_use(db, job->rq->invitation, job->rules.now, e) < 0 ? -1 : 0;
	}
	buf_free(&cms);
	buf_free(&der);
	FAULT("enrol.entered");
	return rc;
}

int units_renew(struct desk *d, struct db *db, struct job *job, struct err *e)
{
	struct buf der = {0};
	struct err why;
	int rc = desk_renew(d, &job->rq->document, &job->csr.spki, &der, &why);

	if (rc < 0 && why.code == REASON_CA_UNAVAILABLE) {
		*e = why;
	} else if (rc < 0) {
		rc = refused(job, &why);
	} else {
		rc = give(d, db, job, &der, job->unit, "renew", e);
	}
	buf_free(&der);
	return rc;
}
