/* action.h - what a person wants done, signed by his own key, and a second person's word about it (doc/protocol-documents.md sections
 * 10 and 11). Who may want what: functions.h. */
#ifndef HANDSEL_ACTION_H
#define HANDSEL_ACTION_H

#include "cms.h"
#include "device.h"
#include "functions.h"
#include "x509.h"

#define ACTION_HOSTS (8 * 128)			/* as many, and as long, as an invitation has */
struct action {
	char id[REQUEST_ID_LEN + 1];		/* random: what has one id is done once */
	enum act what;
	int64_t time;
	char subject[2 * LIMIT_NAME + 2];	/* an order's id, a certificate's serial, "role:name" */
	struct device_id device;		/* manufacturer and model narrow the serial down, "" = any */
	char station[LIMIT_NAME + 1];		/* takeover: that gets it */
	char reason[LIMIT_OPERATOR_TEXT + 1];
	unsigned guarded;			/* two-person: the acts, as acts_parse() has them */
	char name[LIMIT_NAME + 1];		/* handoff-grant: of the customer's node; the customer is the subject */
	char hosts[ACTION_HOSTS];		/* and its names and addresses, blanks between */
	struct buf document;			/* CMS of the work order or the invitation; the node's request (PKCS#10) */
	/* read: */
	struct cert maker;
	uint8_t sha256[SHA256_LEN];		/* of the CMS: what the second person signs */
};

int action_write(const struct action *a, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e);
/* By a person whose function allows it, or the local operator; his dates and revocation are the caller's to judge. */
int action_read(struct action *a, const void *cms, size_t len, struct trust *t, struct err *e);
void action_free(struct action *a);
void action_new_id(struct action *a);
/* In plain words, for whoever is to approve it. What it carries is verified, too: code of the document. Replaces *text. */
int action_tell(const struct action *a, struct trust *t, struct buf *text, struct err *e);

struct approval {
	uint8_t action[SHA256_LEN];		/* of the action's CMS */
	char id[REQUEST_ID_LEN + 1];
	bool yes;
	int64_t time;
	struct cert maker;			/* read */
};

int approval_write(const struct approval *a, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e);
int approval_read(struct approval *a, const void *cms, size_t len, struct trust *t, struct err *e);	/* any operator's */
void approval_free(struct approval *a);

#define WHO_MAX (CERT_ROLE_MAX + LIMIT_NAME + 2 * CERT_SERIAL_MAX + 4)
void who_text(char out[WHO_MAX], const struct cert *c);	/* "person:maria/0a1b": for the audit */

#endif
