/* oid.h - Handsel's own object identifiers: one UUID arc (ITU-T X.667), fixed for ever. */
#ifndef HANDSEL_OID_H
#define HANDSEL_OID_H

/* The arc of UUID 00000000-0000-0000-2f1d-2c3a8e544b07. It is one below 2^63 by intent: libtasn1 4.19 (under GnuTLS)
 * cuts a larger arc to 2^63 - 1 in silence, so that every 128-bit UUID would become the same OID. */
#define OID_ARC			"2.25.3394918324114836231"

/* certificate policies (RFC 5280 4.2.1.4) */
#define OID_POLICY_FACTORY	OID_ARC ".1.1"	/* device-factory: an IDevID */
#define OID_POLICY_CUSTOMER	OID_ARC ".1.2"	/* device-customer: an LDevID */
#define OID_POLICY_UNIT		OID_ARC ".1.3"	/* a unit: station, ca, node, operator, ra, kmc */

#define OID_POLICY_ANY		"2.5.29.32.0"	/* anyPolicy, in what certifies a root */

/* CSR attributes (RFC 2986) */
#define OID_ATTR_REQUEST	OID_ARC ".2.1"	/* UTF8String "HEX32:GENERATION" */
#define OID_ATTR_ENDORSEMENT	OID_ARC ".2.2"	/* OCTET STRING: endorsement.h */

/* device models: hwType of hardwareModuleName where a manufacturer has no arc of its own */
#define OID_MODELS		OID_ARC ".3"

#define OID_HARDWARE_MODULE	"1.3.6.1.5.5.7.8.4"	/* RFC 4108 section 5, id-on-hardwareModuleName */

#endif
