/* limits.h - every limit of the system, with its reason.
 *
 * System headers that ask for <limits.h> find this file first, so it passes them on; outside the guard, on purpose. */
#include_next <limits.h>
#ifndef HANDSEL_LIMITS_H
#define HANDSEL_LIMITS_H

/* ---- memory ---- */
#define LIMIT_BUF		(16u << 20)	/* any growing buffer: nothing that we handle is near it */
#define LIMIT_FILE		(4u << 20)	/* configuration, certificates, allowlists of some 50,000 entries */
#define LIMIT_DOCUMENT		(15u << 20)	/* a signed document: a manifest has some 3 KiB a device, with the voucher */
#define LIMIT_AGENT_IMAGE	(64u << 20)	/* agent image pushed by DFU: flash parts of today's boards */

/* ---- configuration, allowlists, profiles (YAML) ---- */
#define LIMIT_YAML_DEPTH	16		/* our deepest file has 6 levels */
#define LIMIT_CRL_SOURCES	(2 * LIMIT_MAKERS)	/* files or URLs: two issuing CAs each, while one replaces the other */
#define LIMIT_PATTERNS		256		/* ranges and globs of an allowlist: a new device is compared with each */
#define LIMIT_YAML_KEYS		256		/* keys of one map: the search for duplicates is quadratic */

/* ---- databases ---- */
#define TIMEOUT_BUSY_MS		10000		/* for another writer's transaction: a full batch with a slow disk is under 1 s */
#define LIMIT_WAL_PAGES		20000		/* WAL before a checkpoint: at 1000 commits of 64 rows are four times slower */
#define LIMIT_WAL_BYTES		(96u << 20)	/* of WAL file kept after a checkpoint: LIMIT_WAL_PAGES of 4 KiB and a margin */

#define LIMIT_WAL_GATHER	(1u << 20)	/* of a commit, before it is written: 64 rows have some 600 KiB */

/* ---- between our own processes ---- */
#define LIMIT_IPC		(LIMIT_CRL + 1024)	/* a whole CRL; a batch with certificates beside its requests is shorter */

/* ---- XML and the CA protocol (doc/protocol-ca.md) ---- */
#define LIMIT_FRAME_DEVICE	(32u << 10)	/* one request, ticket, CSR: about 6 KiB with a full chain */
#define LIMIT_FRAME_UNIT	(1u << 20)	/* LIMIT_BATCH requests of LIMIT_REQUEST */
#define LIMIT_REQUEST		(16u << 10)	/* one request: ticket with chain 3 KiB, CSR 1 KiB, the rest names */
#define LIMIT_ACT		(96u << 10)	/* a person's act: the largest work order has 10 KiB, and is in base64 within base64 */
#define LIMIT_TAG		4096u		/* attributes are quadratic in the parser: 418 KiB in one tag take 2.3 s */
#define LIMIT_XML_DEPTH		16		/* our deepest message has 5 levels */
#define LIMIT_BATCH		64		/* requests in one message: past it a commit no longer gets cheaper */
#define LIMIT_MAKERS		16		/* manufacturers of one node: each has a certificate in the server */
#define LIMIT_NAME		64		/* bytes of a name: ub-common-name of RFC 5280 appendix A */
#define LIMIT_SERIAL		64		/* bytes of a device serial: ub-serial-number of RFC 5280 appendix A */

/* ---- certificates ---- */
#define LIMIT_CERT		(8u << 10)	/* one certificate or CSR in DER; RSA-4096 with all extensions needs 3 KiB */
#define LIMIT_RSA_BITS		4096		/* modulus of a key that we verify with: larger ones buy nothing but our time */
#define LIMIT_RSA_EXPONENT	8		/* bytes: in use are 3 and 65537 */
#define LIMIT_CRL		(8u << 20)	/* in DER: some 170,000 entries, a tenth of the devices of a large factory */
#define LIMIT_OCSP_REQUEST	1024u		/* two hashes and a serial: 130 bytes; with a nonce and a requestor below 300 */
#define LIMIT_OCSP_VALID_S	(7u * 86400)	/* an answer is an excerpt of a list, asked for one certificate: fresher than that */
#define LIMIT_OCSP_CACHE	8192		/* answers kept, of some 900 bytes each */
#define LIMIT_OCSP_AHEAD	64		/* signatures ahead of their question a tick of 10 s: issues go before */
#define LIMIT_OCSP_UNKNOWN	20		/* signatures a second for certificates that nobody has issued: anybody may ask for those */
#define LIMIT_CRL_VALID_S	(90u * 86400)	/* a list that is good for longer tells nobody of a revocation */
#define LIMIT_ROOT_LIST_DAYS	3653		/* of a root's list: some roots are opened once in ten years */
#define LIMIT_CHAIN		4		/* leaf, issuing, root, upper CA (H14) */
#define LIMIT_ROOT_LINKS	3		/* rollovers between a root that somebody knows and the one in force: a decade or more each */
#define LIMIT_LINK_CHECKS	16		/* signatures checked in search of such a way: an honest list has two a rollover */
#define LIMIT_TRUST_DEPTH	(2 + LIMIT_ROOT_LINKS)	/* leaf, issuing or unit CA, and one root by another up to the one that is known */
#define LIMIT_PEER_CHAIN	8		/* certificates that a peer may send: some send root and cross certificates, too */
#define LIMIT_TRUST_LEARNED	64		/* intermediates whose verdict is kept: each was signed under one of our roots */
#define LIMIT_TRUST_CHECKS	8		/* signatures checked for one chain: more is an attempt to burn our time */

/* ---- ceremonies ---- */
#define LIMIT_CEREMONY		(128u << 10)	/* bytes of a file that people review in one sitting */
#define LIMIT_CEREMONY_STEPS	32		/* a system with all its CAs (LIMIT_CAS) and an upper CA that certifies each fits in two sessions */
#define LIMIT_CEREMONY_PEOPLE	16		/* witnesses of a room */
#define LIMIT_CEREMONY_DAYS	36525		/* life of a CA: a century; no key type is trusted for longer */

/* ---- key stores ---- */
#define LIMIT_SECRET		255		/* bytes of a passphrase or PIN: tokens take up to 255 */
#define LIMIT_TOKEN_URI		512		/* of a PKCS#11 URI: four names of 32 bytes, each byte as %XX, and a module's path */

/* ---- CA systems ---- */
#define LIMIT_MODEL_FILES	256		/* read one after the other when a model is asked for first; a maker's range of a decade */
#define LIMIT_CAS		16		/* CAs of one system: each has a thread, a ledger and keys in memory */
#define LIMIT_PROFILES		16		/* device profiles of one CA: product lines, not devices */

/* ---- HTTP ---- */
#define LIMIT_HTTP_HEAD		(8u << 10)	/* request or status line with headers: clients in the wild stay below 1 KiB */
#define LIMIT_HTTP_HEADERS	64		/* header lines */
#define LIMIT_HTTP_CONN		2000		/* connections of one server: descriptors and memory of a small machine */
#define LIMIT_HTTP_PER_IP	512		/* of one address: a NAT or a station in front of 64 devices needs many */
#define LIMIT_HTTP_POLLED	64		/* polled at each event of any of them: what a station or a plant's rush keeps pays no parking */
#define TIMEOUT_HTTP_MS		20000		/* absolute, one request with handshake: slowest device TLS is 3 s */
#define TIMEOUT_HTTP_HEAD_MS	10000		/* of that, handshake and head of the first request: slowest device TLS is 3 s */
#define TIMEOUT_HTTP_BODY_MS	15000		/* of that, head and body: LIMIT_FRAME_UNIT at 70 KiB/s */
#define LIMIT_HTTP_REQUESTS	1024		/* under way: at a few hundred a second the last waits a few seconds, and no client 20 */
#define LIMIT_HTTP_REQUESTS_IP	512		/* of one address: half, so that it leaves the other half to others */
#define LIMIT_HTTP_PER_UNIT	128		/* connections of one client certificate: a station has one for each of its 64 slots */
#define LIMIT_HTTP_REQUESTS_UNIT 96		/* requests of one client certificate: each may be a whole batch */
#define LIMIT_HTTP_BODIES	(128u << 20)	/* of all requests that are held: 128 messages of a full batch */
#define LIMIT_PAGE_ROWS		500		/* of one answer to an operator: a list of any length is many answers */
#define LIMIT_PAGE		(512u << 10)	/* bytes of it, before base64: LIMIT_FRAME_UNIT has room for it and its last row */
#define LIMIT_QUEUE		4096		/* jobs that wait for a writer: at 500 a second done in 8 s, and a client waits 20 */
#define TIMEOUT_KEEP_S		60		/* idle kept connection */
#define RETRY_AFTER_S		5		/* what "later" means: longer than a batch, shorter than a person's patience */
#define RETRY_AFTER_TEXT	"5"
#define LIMIT_RETRY_AFTER_S	60		/* of a Retry-After that we follow: a server that says a year does not stop us */

/* ---- monitoring ---- */
#define TIMEOUT_MONITOR_MS	5000		/* one scrape: the counts of a ledger of a million rows are under 1 s */
#define LIMIT_MONITOR_CONN	32		/* scrapers and probes of one machine */

/* ---- the transactions (design: both transactions) ---- */
#define LIMIT_SUPERSEDE		3		/* new ids for one pending serial: more is a broken or copied device */
#define LIMIT_OPERATOR_TEXT	200		/* an operator's reason for a takeover or a rework: a sentence, kept in the audit */
#define LIMIT_ACT_S		(7 * 86400)	/* from a person's signature to the second one: the other is back from a week of leave */
#define LIMIT_ACT_EARLY_S	3600		/* a signature from the future: clocks differ by minutes */
#define LIMIT_ACTS_WAITING	256		/* actions that wait for a second person: nobody can fill the disk with them */
#define LIMIT_GENERATION_JUMP	16		/* above the highest known generation: more is a clone */
#define LIMIT_GENERATION_RISE	1000		/* by one answer "dead": no peer may use up a device's 2^32 generations */
#define TIMEOUT_PENDING_S	900		/* a device stores and confirms in seconds; a power cut with repair in minutes */
#define LIMIT_SHARED_SKEW_MS	60000		/* servers of one ledger know each other's clock to milliseconds; further ahead is from before a boot */
#define TIMEOUT_TICKET_S	600		/* from the station's signature to the reservation: one unit takes under a minute */

/* ---- device link (doc/protocol-link.md) ---- */
#define LIMIT_LINK_FRAME	(16u << 10)	/* payload of one frame */
#define TIMEOUT_USB_MS		10000		/* one transfer: boot loaders write flash inside the request */
#define TIMEOUT_ENUMERATE_MS	30000		/* an agent starting after its DETACH, slow boards included */

/* ---- the audit (doc/protocol-audit.md) ---- */
#define LIMIT_AUDIT_ROWS	512		/* of one message to the signer: a millisecond, and some 100 KiB */
#define LIMIT_HEAD_S		86400u		/* rows without a head can be cut off unseen: a day of them is too many already */
#define LIMIT_HEAD_ROWS		1000000u	/* likewise */
#define LIMIT_AUDIT_LINE	(64u << 10)	/* of an export: a row with its longest texts is below 2 KiB */

/* ---- the station's records (doc/protocol-record.md) ---- */
#define LIMIT_RECORD		(256u << 10)	/* one record, or it signed: 8 KiB, and 400 bytes for each repeated phase */

#endif
