/* x509_name.h - distinguished names (RFC 5280 4.1.2.4), shared by x509.c and csr.c. */
#ifndef HANDSEL_X509_NAME_H
#define HANDSEL_X509_NAME_H

#include "der.h"
#include "device.h"

/* Reads the content of a Name. text, if not NULL: RFC 4514, everything but printable ASCII escaped, cut if too long.
 * device, if not NULL: O, OU and serialNumber where each stands there once and is a proper name; else "". */
bool name_read(const struct der *content, char *text, size_t size, struct device_id *device);

/* Appends one RDN with one attribute, unless value is "". */
enum name_attribute { NAME_O, NAME_OU, NAME_L, NAME_CN, NAME_SERIAL };
void name_put(struct buf *out, enum name_attribute attribute, const char *value);

#endif
