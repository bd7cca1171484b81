/* records_private.h - what the writer and the readers of the folder share. */
#ifndef HANDSEL_RECORDS_PRIVATE_H
#define HANDSEL_RECORDS_PRIVATE_H

#include "file.h"
#include "records.h"

int records_path(char path[FILE_PATH], const char *folder, const char *id, const char *suffix, struct err *e);

/* Of a line of the index without its LF: what the next line begins with. */
void index_hash(uint8_t hash[SHA256_LEN], const char *line);

/* The record in a .p7, and who signed it (signer may be NULL): any station under the root. Replaces *json. */
int records_open_signed(const struct station *s, const struct buf *p7, struct buf *json, struct cert *signer, struct err *e);

#endif
