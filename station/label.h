/* label.h - what is printed for a unit: `label:` of station.yaml, the lines of text, and what the QR code says. */
#ifndef HANDSEL_LABEL_H
#define HANDSEL_LABEL_H

#include "conf.h"
#include "record.h"

#define LABEL_MM_MIN 10		/* a QR code with these contents, at its smallest, and nothing else */
#define LABEL_MM_MAX 150	/* the widest print head in use has 168 mm */
#define LABEL_TEXT_MAX (SHA256_HEX > LIMIT_NAME ? SHA256_HEX : LIMIT_NAME + 1)	/* a line */
#define LABEL_TEXTS_MAX 4	/* a name, an address, a test mark: more is another label */
#define PRINTER_PORT "9100"
#define PRINTER_HOST_MAX 256

enum label_field { LABEL_MANUFACTURER, LABEL_MODEL, LABEL_SERIAL, LABEL_FINGERPRINT, LABEL_ORDER, LABEL_DATE, LABEL_FIELDS };

struct label_settings {
	unsigned width_mm, height_mm;
	unsigned dots_per_mm;		/* 6, 8, 12 or 24: what is sold as 152, 203, 300 and 600 dpi */
	enum label_field field[LABEL_FIELDS];	/* lines beside the QR code, from the top */
	size_t n_fields;
	char text[LABEL_TEXTS_MAX][LABEL_TEXT_MAX];	/* of the plant, UTF-8, above these; the font has each character */
	size_t n_texts;
	char host[PRINTER_HOST_MAX], port[6];	/* of the printer; host "": there is none */
};

/* n may be NULL: 50 x 25 mm, 203 dpi, model, serial and fingerprint, no printer. Code CONFIG. */
int label_settings_read(struct label_settings *s, const struct conf_node *n, struct err *e);
bool label_is_printed(const struct label_settings *s);	/* there is a printer */

struct label {
	struct device_id device;
	char order[CA_ID_MAX + 1];
	int64_t time;			/* when the unit began, UTC */
	uint8_t key_sha256[SHA256_LEN];	/* of the SubjectPublicKeyInfo of its credential */
};

/* Of a unit whose device has proved its key. Code REQUEST. */
int label_of_record(struct label *l, const struct record *r, struct err *e);

/* "handsel:1:SERIAL:FINGERPRINT:MODEL": the model is the last, as it may have colons. */
#define LABEL_QR_MAX (10 + LIMIT_SERIAL + SHA256_HEX + LIMIT_NAME + 2)
void label_qr(const struct label *l, char text[LABEL_QR_MAX]);

void label_line(const struct label *l, enum label_field f, char text[LABEL_TEXT_MAX]);

/* "model gateway-b" ... "qr handsel:1:...", a line each. Appends. */
void label_text(const struct label_settings *s, const struct label *l, struct buf *out);

#endif
