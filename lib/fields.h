/* fields.h - values that the messages of the CA protocol and the signed documents share: read with their clause, written alike.
 * Reading fails with code REQUEST, "line N: element: protocol-ca CLAUSE: what is wrong". */
#ifndef HANDSEL_FIELDS_H
#define HANDSEL_FIELDS_H

#include "device.h"
#include "err.h"
#include "text.h"
#include "x509.h"
#include "xml.h"

#define FIELD_NUMBER 21			/* decimal uint64_t with its NUL */

/* Attributes, as text that xml_attrs() gave; n and name are for the message. */
int field_request(const struct xml_node *n, const char *id, const char *generation, struct request_id *r, struct err *e);
int field_sha256(const struct xml_node *n, const char *name, const char *hex, uint8_t out[SHA256_LEN], struct err *e);
int field_uint(const struct xml_node *n, const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *out,
	       struct err *e);
int field_uint32(const struct xml_node *n, const char *name, const char *text, uint32_t min, uint32_t *out, struct err *e);
int field_time(const struct xml_node *n, const char *name, const char *text, int64_t *out, struct err *e);
int field_token(const struct xml_node *n, const char *name, const char *text, struct err *e);
int field_oid(const struct xml_node *n, const char *name, const char *text, struct err *e);
int field_name(const struct xml_node *n, const char *name, const char *text, struct err *e);

/* Elements. */
int field_device_attrs(const struct xml_node *n, const char *manufacturer, const char *model, const char *serial,
		       struct device_id *d, struct err *e);
int field_device(const struct xml_node *n, struct device_id *d, struct err *e);	/* n NULL: *d stays */
int field_base64(const struct xml_node *n, struct buf *out, size_t max, struct err *e);	/* without attributes; NULL: stays */
int field_chain(const struct xml_node *n, struct chain *ch, struct err *e);	/* n has one or more <certificate> */

const char *field_number(char out[FIELD_NUMBER], uint64_t v);
void field_write_device(struct xml_out *w, const struct device_id *d);
void field_write_chain(struct xml_out *w, const char *name, const struct chain *ch);

#endif
