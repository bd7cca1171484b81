/* ceremony_private.h - what the files of a ceremony (ceremony*.c) share. */
#ifndef HANDSEL_CA_CEREMONY_PRIVATE_H
#define HANDSEL_CA_CEREMONY_PRIVATE_H

#include "ceremony.h"
#include "cli.h"
#include "cmd.h"

/* ---- the journal: OUTPUT/journal.yaml, what was done and when, so that a ceremony that was cut is gone on with ---- */
#define CEREMONY_SITTINGS 32	/* times that one is gone on with */

struct ceremony_journal {
	char path[FILE_PATH];
	bool there;			/* it was begun before, or the folder is empty */
	int64_t sitting[CEREMONY_SITTINGS];	/* when it was begun, and gone on with */
	size_t n_sittings;
	struct {
		int64_t begun, done;	/* 0: not yet */
	} step[LIMIT_CEREMONY_STEPS];
	size_t n_steps;
};
/* What is there; code CONFIG: the folder is another file's. */
int journal_load(struct ceremony_journal *j, const struct ceremony_plan *p, struct err *e);
/* One more sitting; the first makes the folder and copies the file into it. */
int journal_open(struct ceremony_journal *j, const struct ceremony_plan *p, int64_t now, struct err *e);
int journal_save(const struct ceremony_journal *j, const struct ceremony_plan *p, struct err *e);

/* ---- before ---- */
/* Looks at what the steps need that are not begun yet, changes nothing. Each problem is said; returns how many. */
size_t ceremony_look(const struct ceremony_plan *p, const struct ceremony_journal *j, const struct cli *c);
void ceremony_print_plan(const struct ceremony_plan *p, const struct ceremony_journal *j, const struct cli *c);

/* ---- profiles ---- */
/* By which a step makes certificates, as they lie on the disk: of the CA's own folder or the data folder. */
struct step_profiles {
	struct {
		char name[CA_ID_MAX + 1], sha256[SHA256_HEX];
	} of[4 + LIMIT_PROFILES];
	size_t n;
	char sha256[SHA256_HEX];	/* of the lines "NAME SHA256\n", in this order; "": the step uses none */
};
int step_profiles_load(struct step_profiles *ps, const struct ceremony_step *s, struct err *e);
/* Code AUTHORITY: they are not those that the file pins. */
int step_profiles_check(const struct step_profiles *ps, const struct ceremony_step *s, struct err *e);

/* ---- the steps ---- */
/* To its end, or on from where it was cut. */
int ceremony_do(const struct ceremony_plan *p, size_t i, struct err *e);
/* How the signer is told what a ceremony says; the words are borrowed from t. */
struct step_words {
	char days[3][12];
};
void ceremony_making(struct ca_making *m, struct step_words *t, const struct ceremony_plan *p, const struct ceremony_step *s);

/* The certificate that a list step revokes. */
int ceremony_revoked(char path[FILE_PATH], const struct ceremony_step *s, struct err *e);

/* ---- what came of them: looked up on the disk and verified ---- */
#define FACTS_MAX 6
struct fact {
	const char *what;		/* "root" */
	const struct key_home *home;	/* of a CA's key that this step has made */
	bool unit;			/* the CA's server or operator */
	struct chain cert;		/* one */
	char signature[512];		/* hex, by the key, over CEREMONY_PROOF...; "": none */
	const char *verified;		/* in words */
	int64_t list_until;		/* of a root's list; 0: this is about none */
	size_t list_entries;
};
struct step_facts {
	struct fact of[FACTS_MAX];
	size_t n;
};
/* Code AUTHORITY: what is there is not what should be. */
int facts_load(struct step_facts *f, const struct ceremony_plan *p, size_t i, struct err *e);
void facts_free(struct step_facts *f);

/* ---- the transcript ---- */
struct transcript {
	struct buf text, json;		/* the same for people and for machines */
	char sha256[SHA256_HEX];	/* of text, up to the line that says so */
};
/* shown: the plan as it was reviewed. real: as it was carried out, elsewhere if that was a rehearsal. */
int transcript_make(struct transcript *t, const struct ceremony_plan *shown, const struct ceremony_plan *real, const struct ceremony_journal *j,
		    bool rehearsal, struct err *e);
void transcript_free(struct transcript *t);

/* ---- a rehearsal ---- */
struct rehearsal {
	struct ceremony_plan plan;	/* the same below the scratch folder, with keys to be thrown away */
	char folder[FILE_PATH];
	bool token;			/* SoftHSM plays the tokens, else encrypted files */
	char *real[3 * LIMIT_CEREMONY_STEPS];	/* places of tokens, in the order of those that play them */
	size_t n_tokens;
};
/* The scratch folder, the tokens, and stand-ins for the CAs that the plan finds there. */
int rehearsal_begin(struct rehearsal *r, const struct ceremony_plan *p, struct err *e);
int rehearsal_end(struct rehearsal *r, struct err *e);	/* takes all of it away */

#endif
