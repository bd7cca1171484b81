/* profile.h - certificate profiles and device models, YAML files explained in profiles/README.md. */
#ifndef HANDSEL_PROFILE_H
#define HANDSEL_PROFILE_H

#include "camsg.h"
#include "key.h"
#include "problem.h"
#include "x509.h"

enum profile_kind { PROFILE_ROOT, PROFILE_ISSUING, PROFILE_UNIT_CA, PROFILE_UNIT, PROFILE_DEVICE_FACTORY, PROFILE_DEVICE_CUSTOMER };
enum profile_common_name { COMMON_MODEL_SERIAL, COMMON_SERIAL, COMMON_NONE };

#define PROFILE_URL 256
#define PROFILE_POLICIES (CERT_POLICIES_MAX - 1)

struct profile {
	char id[CA_ID_MAX + 1];
	enum profile_kind kind;
	uint32_t key_types;			/* bit 1 << enum key_type: allowed */
	uint32_t validity_days;			/* default; 0 = 99991231235959Z */
	uint32_t validity_max_days;		/* 0 = any */
	bool allow_organization, allow_unit, allow_locality, allow_email, allow_validity;	/* parameters of H3 */
	enum profile_common_name common_name;	/* of a device */
	char organization[LIMIT_NAME + 1], unit[LIMIT_NAME + 1], locality[LIMIT_NAME + 1], email[2 * LIMIT_NAME + 1];	/* defaults */
	bool hardware_name, email_name, dns_name, uri_name;	/* in a device's subjectAltName: hardwareModuleName, email, ... */
	char dns_domain[64], uri_prefix[LIMIT_NAME + 1];	/* with the serial before, or behind it */
	bool include_ca;			/* default of the parameter */
	bool digital_signature, key_encipherment, key_agreement, key_cert_sign, crl_sign;	/* as far as the key can */
	bool server_auth, client_auth;
	char purpose[PLAN_PURPOSES][CERT_OID_MAX];	/* further ones, "" after the last */
	char policies[PROFILE_POLICIES][CERT_OID_MAX];	/* beside the kind's own, "" after the last */
	struct name_limits limits;		/* of a CA */
	bool no_key_id;				/* no subjectKeyIdentifier */
	char crl_url[PROFILE_URL], ocsp_url[PROFILE_URL], issuer_url[PROFILE_URL];	/* in the certificate; "" = none */
	bool no_rev_avail;			/* in the certificate: short-lived, never revoked (RFC 9608) */
	uint32_t validity_s;			/* of less than a day; else 0, and validity_days counts */
	bool order_needed;			/* signed only within a work order */
};

int profile_load(struct profile *p, const char *path, struct err *e);

const char *profile_kind_name(enum profile_kind kind);		/* "device-factory" */
bool profile_is_device(const struct profile *p);
/* The policy of the kind; of a CA, the one that it may issue. NULL: a root, which has none. */
const char *profile_policy(enum profile_kind kind, bool factory);

/* Reads it and says all that is wrong or doubtful, also beside the CA that issues by it, as far as w knows. -1: it has errors. */
struct profile_world {
	const struct profile *above;	/* of the CA that signs; NULL: not known */
	const struct cert *ca;		/* its certificate in force; NULL: there is none yet */
	const struct profile *below;	/* of a CA: what is signed by it */
	size_t n_below;
	int64_t now;
};
int profile_lint(struct profile *p, const char *path, const struct profile_world *w, struct problems *all);

/* The request's parameters within the profile, or code PROFILE naming the parameter that is not allowed. */
int profile_check(const struct profile *p, const struct ca_params *params, enum key_type key, struct err *e);

/* The same for a key that the CA makes: *type is the one that parameters and profile ask for; P-256 where both leave it open. */
int profile_choose(const struct profile *p, const struct ca_params *params, enum key_type *type, struct err *e);

struct model {
	char manufacturer[LIMIT_NAME + 1], model[LIMIT_NAME + 1];
	char hw_type[CERT_OID_MAX];
	char revisions[8][LIMIT_NAME + 1];
	size_t n_revisions;
	uint16_t dfu_vid, dfu_pid, agent_vid, agent_pid;
	uint16_t dfu_transfer_size;		/* for a boot loader that does not tell; 0: it does */
	char dfu_alt[LIMIT_NAME + 1];		/* alternate setting by its name; "" = the only one */
};

int model_load(struct model *m, const char *path, struct err *e);

#endif
