/* ipc.h - framed messages between two of our processes over a socket pair: u32 type, u32 length, bytes. */
#ifndef HANDSEL_IPC_H
#define HANDSEL_IPC_H

#include "buf.h"
#include "err.h"

/* 0; -1 if the peer is gone. */
int ipc_send(int fd, uint32_t type, const struct buf *payload, struct err *e);

/* 1 a message (payload replaced), 0 the peer has closed between messages, -1 cut, too long (LIMIT_IPC) or error. */
int ipc_recv(int fd, uint32_t *type, struct buf *payload, struct err *e);

#endif
