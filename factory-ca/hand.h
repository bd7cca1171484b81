/* hand.h - an operator at work: a person over the network, by --server URL and --as DIR, or the local operator in the CA's folder. What
 * changes something is signed by his key (action.h), what is read comes page by page (inquire.h). */
#ifndef HANDSEL_CA_HAND_H
#define HANDSEL_CA_HAND_H

#include <stdio.h>

#include "caclient.h"
#include "cmd.h"
#include "http.h"
#include "unit_key.h"

struct hand {
	bool local;
	struct office office;		/* local */
	struct signer *signer;		/* local, when it was needed */
	struct operator op;		/* key and chain */
	struct url url;
	struct chain root;
	struct trust *trust;
	struct unit_place place;	/* of a person's key */
	struct ca_client client;
	const char *dir;		/* --as */
};

int person_place(struct unit_place *p, const char *dir, struct err *e);	/* person.yaml of his folder */
bool hand_is_remote(const struct cli *c);
/* A person's certificate that is due is renewed, and an act that was cut is finished. */
int hand_open(struct hand *h, const struct cli *c, struct err *e);
void hand_close(struct hand *h);

/* Id and time are set, the action signed and brought. *a: acted; a refusal is an error. Over the network the document is kept until an
 * answer came: one that was cut is finished by the next hand_open(). */
int hand_act(struct hand *h, struct action *action, struct ca_answer *a, struct err *e);
/* The action as it was signed, verified; free it in any case. */
int hand_action(struct hand *h, const char *id, struct action *action, struct err *e);
int hand_approve(struct hand *h, const struct action *action, bool yes, struct ca_answer *a, struct err *e);

/* All pages of it into a file; *rows counts. From q->after, which is then the last row. */
int hand_query(struct hand *h, struct ca_query *q, FILE *out, size_t *rows, struct err *e);
/* A command that is one such list, on standard output. */
enum cli_exit hand_list(const struct cli *c, struct ca_query *q);
/* A command that is one act: what became of it is told. */
enum cli_exit hand_do(const struct cli *c, struct hand *h, struct action *action);
/* An act that invites: the code is shown once it is entered, or waits. Frees the document. */
enum cli_exit hand_invite(const struct cli *c, struct action *action, struct invitation *v);
enum cli_exit hand_told(const struct cli *c, const struct ca_answer *a);

#endif
