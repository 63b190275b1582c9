/* SPDX-License-Identifier: MIT */
/*
 * Layer 3: agreeing on permessage-deflate (RFC 7692, 5 and 7). Works on the fields of
 * a head; knows no connection.
 */
#ifndef TENON_AGREE_H
#define TENON_AGREE_H

#include "base.h"
#include "tenon/deflate.h"
#include "tenon/handshake.h"

#define TENON_AGREE_NAME "permessage-deflate"

/* Client: what to offer, with NUL. */
TENON_INTERNAL void tenon_agree_offer(const tenon_deflate *deflate, char text[TENON_DEFLATE_TEXT]);

/* Server: takes the first offer that can be kept to. Without one, agreed->on is 0 and
 * the text is empty. */
TENON_INTERNAL void tenon_agree_answer(const tenon_deflate *deflate, const tenon_fields *request,
                                       char text[TENON_DEFLATE_TEXT], tenon_agreed *agreed);

/* Client: what an answer means for what was offered. 0 and *at if it is not valid;
 * without the extension it is, and agreed->on is 0. */
TENON_INTERNAL int tenon_agree_check(const tenon_deflate *deflate, const tenon_fields *answer, tenon_agreed *agreed,
                                     const char **at);

#endif
